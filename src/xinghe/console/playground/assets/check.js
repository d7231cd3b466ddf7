// Asks the service whether a request would be taken. It costs nothing.

import { Refusal } from "./stream.js";

/** Throws `Refusal` for what would be refused, and as `fetch` does. */
export async function checkRequest(body, { mark, signal }) {
  const response = await fetch("/console/playground/run/check", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Mark": mark },
    body: JSON.stringify(body),
    cache: "no-store",
    redirect: "error",
    signal,
  });
  if (response.ok) return;
  const { error } = await response.json();
  throw new Refusal(error.code, error.message);
}
