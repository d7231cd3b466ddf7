// The list of earlier conversations: open one, name it anew, delete one or all.

import { element, visible } from "./dom.js";
import { word } from "./words.js";

const LONGEST = 80;
/** Characters of a title. */

/** The dialog `root` with the conversations of a store; `onOpen` and `onGone` are told an id. */
export class Library {
  constructor(root, store, { onOpen, onGone }) {
    this.root = root;
    this.store = store;
    this.onOpen = onOpen;
    this.onGone = onGone;
    this.place = root.querySelector("ul");
    this.nothing = root.querySelector("#kept-nothing");
    this.all = root.querySelector("#kept-clear");
    root.querySelector("#kept-close").addEventListener("click", () => root.close());
    this.all.addEventListener("click", () => this.#clear());
  }

  /** Show the list; `current` is the conversation on the page. */
  async show(current = this.current) {
    this.current = current;
    const kept = await this.store.list();
    this.place.replaceChildren(...kept.map((each) => this.#line(each, each.id === current)));
    this.nothing.hidden = kept.length > 0;
    this.all.hidden = !kept.length;
    if (!this.root.open) this.root.showModal();
  }

  #line({ id, title, named, changed }, isCurrent) {
    const said = visible(named || title);
    const open = element("button", { type: "button", className: "quiet open" }, element("bdi", {}, said));
    if (isCurrent) open.setAttribute("aria-current", "true");
    const { lang } = document.documentElement;
    const when = new Date(changed).toLocaleString(lang, { dateStyle: "short", timeStyle: "short" });
    const rename = button(word("rename"), word("rename-it", { title: said }));
    const drop = button(word("delete"), word("delete-it", { title: said }));
    const line = element("li", {}, open, element("span", { className: "hint" }, when), rename, drop);
    open.addEventListener("click", () => {
      this.root.close();
      this.onOpen(id);
    });
    rename.addEventListener("click", () => this.#rename(line, id, named || title));
    drop.addEventListener("click", async () => {
      if (!confirm(word("delete-sure", { title: said }))) return;
      await this.store.drop(id);
      this.onGone(id);
      await this.show();
      (this.place.querySelector("button") ?? this.root.querySelector("#kept-close")).focus();
    });
    return line;
  }

  #rename(line, id, title) {
    const field = element("input", { value: title, maxLength: LONGEST, "aria-label": word("title") });
    const form = element("form", { className: "row" }, field, element("button", {}, word("save")));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      await this.store.rename(id, field.value.trim());
      await this.show();
      this.root.querySelector("#kept-close").focus();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault(); // which would close the dialog
      this.show();
    });
    line.replaceChildren(form);
    field.select();
  }

  async #clear() {
    if (!confirm(word("delete-all-sure"))) return;
    const kept = await this.store.list();
    await this.store.clear();
    for (const { id } of kept) this.onGone(id);
    await this.show();
    this.root.querySelector("#kept-close").focus();
  }
}

/** What a conversation is called that nobody has named: by its first question. */
export function titleOf([first]) {
  return (first?.text ?? "").trim().split("\n", 1)[0].slice(0, LONGEST).toWellFormed();
}

function button(text, about) {
  return element("button", { type: "button", className: "quiet", "aria-label": about }, text);
}
