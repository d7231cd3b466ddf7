// The form of an answer: text, JSON, or JSON by a schema, of which is said whether it can be held.

import { JsonField } from "./field.js";
import { word } from "./words.js";

/** The form's part of `response_format`. */
export class Format {
  constructor(root, { mark, check, onChange }) {
    this.root = root;
    this.kind = root.querySelector("[name=response_format]");
    this.editor = root.querySelector(".editor");
    this.field = new JsonField(root.querySelector("#schema"), {
      mark,
      faultOf: (value) => (isObject(value) ? "" : word("no-object")),
      check: (value) => check({ response_format: bySchema(value) }),
      onFine: () => word("schema-fine"),
    });
    this.kind.addEventListener("change", () => {
      this.#show();
      onChange();
    });
    this.field.root.addEventListener("change", onChange);
    this.#show();
  }

  /** Offer what a model can do. */
  follow(able) {
    for (const each of this.kind.options) each.disabled = Boolean(each.value) && !able.includes(each.value);
    this.root.querySelector(".lacking").hidden = able.some((each) => each.startsWith("json_"));
    this.#show();
  }

  /** Whether it may be sent as it stands; if not, it is shown. */
  isFine() {
    return this.chosen !== "json_schema" || this.field.isFine();
  }

  get chosen() {
    return this.kind.selectedOptions[0]?.disabled ? "" : this.kind.value;
  }

  /** What is set, as the API takes it. */
  get values() {
    if (this.chosen === "json_object") return { response_format: { type: "json_object" } };
    if (this.chosen !== "json_schema" || this.field.fault || !this.field.value) return {};
    return { response_format: bySchema(this.field.value) };
  }

  get kept() {
    return { kind: this.kind.value, schema: this.field.root.value };
  }

  restore({ kind = "", schema = "" } = {}) {
    this.kind.value = kind;
    this.field.root.value = schema;
    this.field.read();
    this.#show();
    if (kind) this.root.open = true;
  }

  #show() {
    const is = this.chosen === "json_schema";
    this.editor.hidden = !is;
    this.field.root.disabled = !is;
    this.field.recheck();
  }
}

/** A schema as the API takes it; OpenAI's own nesting is left as it is. */
function bySchema(value) {
  const isNested = isObject(value.schema) && typeof value.name === "string";
  const named = isNested ? value : { name: "answer", strict: true, schema: value };
  return { type: "json_schema", json_schema: named };
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
