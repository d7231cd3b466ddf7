// What the page says, in its own language: the server has put it into a template.

const said = new Map();
for (const each of document.querySelector("#words").content.querySelectorAll("[data-word]")) {
  said.set(each.dataset.word, each.textContent);
}

/** The words of a name; `{place}` in them is filled in. Empty where there are none. */
export function word(name, places = {}) {
  return (said.get(name) ?? "").replace(/\{(\w+)\}/g, (whole, place) => places[place] ?? whole);
}
