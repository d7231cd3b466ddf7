// Which model answers, or which two.

/** The choice of models: the first, and the other where two are compared. */
export class Models {
  constructor(root, onChange) {
    this.first = root.querySelector("#model");
    this.other = root.querySelector("#other");
    this.beside = root.querySelector("#beside");
    this.compare = root.querySelector("#compare");
    this.other.append(...[...this.first.options].map((each) => each.cloneNode(true)));
    this.other.selectedIndex = Math.min(1, this.other.options.length - 1);
    for (const each of [this.first, this.other]) each.addEventListener("change", onChange);
    this.compare.addEventListener("click", () => {
      this.#open(this.beside.hidden);
      onChange();
    });
  }

  get chosen() {
    return this.beside.hidden ? [this.first.value] : [this.first.value, this.other.value];
  }

  /** What the page knows of a model. */
  told(model) {
    const option = [...this.first.options].find((each) => each.value === model);
    return JSON.parse(option?.dataset.about ?? '{"ranges":{},"ignored":[],"able":[]}');
  }

  /** The same of those that are chosen. */
  get about() {
    return this.chosen.map((each) => this.told(each));
  }

  /** What all of them can do. */
  get able() {
    const [first, ...others] = this.about;
    return first.able.filter((each) => others.every((other) => other.able.includes(each)));
  }

  /** Choose those that still are there. */
  choose([model, other] = []) {
    choose(this.first, model);
    this.#open(choose(this.other, other));
  }

  #open(isTwo) {
    this.beside.hidden = !isTwo;
    this.compare.setAttribute("aria-expanded", String(isTwo));
  }
}

function choose(select, model) {
  const is = [...select.options].some(({ value }) => value === model);
  if (is) select.value = model;
  return is;
}
