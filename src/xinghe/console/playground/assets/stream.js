// One request to the API by way of the page's own route, and the events of its answer.

/** Why there is no answer, or no whole one: `code`, a message, the request's id, seconds to wait. */
export class Refusal extends Error {
  constructor(code, message, requestId = "", again = "") {
    super(message);
    this.code = code;
    this.requestId = requestId;
    this.again = again;
  }
}

/**
 * Ask, and call `onEvent` with each event as it comes. `onBegun` is told the request's id, and
 * the names of parameters that were passed over.
 * Throws `Refusal`, an AbortError where `signal` stopped it, and TypeError for a broken network.
 */
export async function ask(operation, body, { mark, signal, onBegun, onEvent }) {
  const response = await fetch(`/console/playground/run/${operation}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Mark": mark },
    body: JSON.stringify(body),
    cache: "no-store",
    redirect: "error",
    signal,
  });
  const requestId = response.headers.get("x-request-id") ?? "";
  onBegun(requestId, ignored(response.headers));
  if (!response.ok) throw await refused(response, requestId);
  let ended = false;
  for await (const data of events(response.body)) {
    if (data === "[DONE]") {
      ended = true;
      continue;
    }
    const event = JSON.parse(data);
    if (event.error) {
      throw new Refusal(event.error.code, event.error.message, event.id || requestId);
    }
    onEvent(event);
  }
  if (!ended) throw new TypeError("the answer was broken off");
}

/** Parameters that had no effect, as the API names them in a header. */
function ignored(headers) {
  const names = headers.get("x-ignored-parameters") ?? "";
  try {
    return decodeURIComponent(names);
  } catch {
    return names;
  }
}

async function refused(response, requestId) {
  const again = response.headers.get("retry-after") ?? "";
  try {
    const { error, id } = await response.json();
    return new Refusal(error.code, error.message, id || requestId, again);
  } catch {
    return new Refusal(`http ${response.status}`, "", requestId, again);
  }
}

/** The data of each server-sent event; comments are passed over. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let pieces = [];
  let data = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = value.split("\n");
    const rest = lines.pop();
    for (const end of lines) {
      const line = (pieces.join("") + end).replace(/\r$/, "");
      pieces = [];
      if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      else if (line === "" && data.length) {
        yield data.join("\n");
        data = [];
      }
    }
    pieces.push(rest);
  }
}
