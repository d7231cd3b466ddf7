// The form of parameters: what is set goes into the request, what is empty is left to the model.

/** The fields of the form, for whichever model is chosen. */
export class Parameters {
  constructor(form, model) {
    this.form = form;
    this.model = model;
    model.addEventListener("change", () => this.follow());
    form.addEventListener("submit", (event) => event.preventDefault());
    this.follow();
  }

  /** Offer what the chosen model takes. */
  follow() {
    const about = JSON.parse(this.model.selectedOptions[0]?.dataset.about ?? "{}");
    for (const field of this.#fields()) {
      const label = field.closest("label");
      const { needs } = label.dataset;
      const is = (!needs || about.able?.includes(needs)) && !about.ignored?.includes(field.name);
      field.disabled = label.hidden = !is;
    }
    const most = this.form.elements.max_completion_tokens;
    if (most && about.most) {
      most.max = about.most;
      most.placeholder = String(about.default);
      most.closest("label").querySelector(".hint").textContent = `1–${about.most.toLocaleString("en")}`;
    }
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

  /** What is set, as the API takes it. */
  get values() {
    const values = {};
    for (const field of this.#fields()) {
      const value = field.disabled ? undefined : read(field);
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
    this.follow();
  }

  #fields(all = false) {
    return [...this.form.elements].filter((each) => each.name && (all || each.dataset.kind));
  }
}

function read(field) {
  const { kind } = field.dataset;
  if (kind === "flag") return field.checked || undefined;
  if (field.value.trim() === "") return undefined;
  if (kind === "number") return Number(field.value);
  if (kind === "texts") return field.value.split("\n").filter((each) => each !== "");
  return field.value;
}
