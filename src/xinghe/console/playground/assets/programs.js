// The very request as programs, which the server writes: it knows each language's own words.

/** Show what a body would be in Python, Node and curl. */
export async function showCode(body, mark) {
  const dialog = document.getElementById("code");
  const shown = document.getElementById("code-shown");
  const response = await fetch("/console/playground/code", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Mark": mark },
    body: JSON.stringify(body),
  });
  if (response.ok) shown.innerHTML = await response.text(); // a template of ours, all escaped
  else shown.textContent = (await response.json()).error.message;
  dialog.showModal();
}

/** A picture by its name: programs read it from a file, for its bytes are for nobody to look at. */
export function named({ name, url }) {
  return `${url.split(";", 1)[0]};name=${encodeURIComponent(name)};base64,`;
}

document.getElementById("code-close")?.addEventListener("click", () => {
  document.getElementById("code").close();
});
