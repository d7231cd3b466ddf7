// Which model answers, or which two.

/** The choice of models. */
export class Models {
  constructor(root, onChange) {
    this.selects = [root.querySelector("#model")];
    for (const each of this.selects) each.addEventListener("change", onChange);
  }

  get chosen() {
    return this.selects.map((each) => each.value);
  }

  /** What the page knows of a model. */
  told(model) {
    const option = [...this.selects[0].options].find((each) => each.value === model);
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
  choose(models = []) {
    for (const [at, select] of this.selects.entries()) {
      if ([...select.options].some(({ value }) => value === models[at])) select.value = models[at];
    }
  }
}
