// The form of parameters: what is set goes into the request, what is empty is left to the model.

import { word } from "./words.js";

/** The fields of the form, for whichever model is chosen. */
export class Parameters {
  constructor(form) {
    this.form = form;
    this.ignored = form.querySelector("#ignored");
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  /** Offer what any of the chosen models takes. */
  follow(about, chosen) {
    for (const field of this.#fields()) {
      const label = field.closest("label");
      field.disabled = label.hidden = !about.some((each) => takes(each, field));
    }
    for (const name of Object.keys(about[0].ranges)) this.#bound(name, about);
    const told = about.map(({ ignored }, at) => ignored.length
      && word("ignored", { model: chosen[at], names: ignored.join(", ") }));
    this.ignored.textContent = told.filter(Boolean).join("\n");
  }

  /** A range that each model has of its own: what is set has to be in all of them. */
  #bound(name, about) {
    const field = this.form.elements[name];
    const ranges = about.map((each) => each.ranges[name]).filter((each) => each?.most);
    if (!field || !ranges.length) return;
    const most = Math.min(...ranges.map((each) => each.most));
    const usual = new Set(ranges.map((each) => each.default));
    field.max = most;
    const [one] = usual;
    field.placeholder = usual.size > 1 ? word("default") : one ? String(one) : word("none");
    field.closest("label").querySelector(".hint").textContent = `1–${most.toLocaleString("en")}`;
  }

  /** Whether all is in its range; if not, the browser says where. */
  check() {
    if (this.form.checkValidity()) return true;
    this.form.closest("details").open = true;
    this.form.reportValidity();
    return false;
  }

  get system() {
    return this.form.elements.system.value.trim();
  }

  /** What is set, as the API takes it for a model. */
  valuesFor(about) {
    const values = {};
    for (const field of this.#fields()) {
      const value = takes(about, field) ? read(field) : undefined;
      if (value === undefined) continue;
      const [name, within] = field.name.split(".").reverse();
      if (within) (values[within] ??= {})[name] = value;
      else values[name] = value;
    }
    // Numbers of a search that is not made mean nothing.
    if (values.web_search && !values.web_search.enable) delete values.web_search;
    return values;
  }

  /** All fields by name, to be kept. */
  get kept() {
    return Object.fromEntries(this.#fields(true).map((field) =>
      [field.name, field.type === "checkbox" ? field.checked : field.value]));
  }

  restore(kept) {
    for (const field of this.#fields(true)) {
      if (!(field.name in kept)) continue;
      if (field.type === "checkbox") field.checked = kept[field.name];
      else field.value = kept[field.name];
    }
  }

  #fields(all = false) {
    return [...this.form.elements].filter((each) => each.name && (all || each.dataset.kind));
  }
}

/** Whether a model takes a field's parameter. */
function takes({ able, ignored }, field) {
  const { needs } = field.closest("label").dataset;
  return (!needs || able.includes(needs)) && !ignored.includes(field.name);
}

function read(field) {
  const { kind } = field.dataset;
  if (kind === "flag") return field.checked || undefined;
  if (field.value.trim() === "") return undefined;
  if (kind === "number") return Number(field.value);
  if (kind === "texts") return field.value.split("\n").filter((each) => each !== "");
  return field.value;
}
