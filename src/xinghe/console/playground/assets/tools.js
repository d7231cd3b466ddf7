// The tools that a model may call: a list of JSON, and how they are to be used.

import { JsonField } from "./field.js";
import { element } from "./dom.js";
import { word } from "./words.js";

/** The form's part of tools. */
export class Tools {
  constructor(root, { mark, check, onChange }) {
    this.root = root;
    this.choice = root.querySelector("[name=tool_choice]");
    this.parallel = root.querySelector("[name=parallel_tool_calls]");
    this.own = this.choice.options.length;
    this.field = new JsonField(root.querySelector("#tools"), {
      mark,
      faultOf: (value) => (Array.isArray(value) ? "" : word("no-list")),
      check: (value) => check({ tools: value }),
      onFine: ({ length: count }) => (count ? word("tools-fine", { count }) : ""),
      onChange: (value) => this.#offer(value),
    });
    for (const each of [this.choice, this.parallel]) each.addEventListener("change", onChange);
    this.field.root.addEventListener("change", onChange);
  }

  /** Offer them where a model can call any. */
  follow(able) {
    const is = able.includes("tools");
    this.root.querySelector(".lacking").hidden = is;
    for (const each of [this.field.root, this.field.example, this.choice, this.parallel]) each.disabled = !is;
    this.field.recheck();
  }

  /** What is set, as the API takes it. */
  get values() {
    const { value, fault } = this.field;
    if (fault || !value?.length || this.field.root.disabled) return {};
    const values = { tools: value };
    if (this.choice.value.startsWith("=")) {
      values.tool_choice = { type: "function", function: { name: this.choice.value.slice(1) } };
    } else if (this.choice.value) {
      values.tool_choice = this.choice.value;
    }
    if (this.parallel.value) values.parallel_tool_calls = this.parallel.value === "true";
    return values;
  }

  get kept() {
    return { tools: this.field.root.value, choice: this.choice.value, parallel: this.parallel.value };
  }

  restore({ tools = "", choice = "", parallel = "" } = {}) {
    this.field.root.value = tools;
    this.field.read();
    this.choice.value = choice;
    this.parallel.value = parallel;
    if (this.choice.selectedIndex < 0) this.choice.value = "";
    if (tools) this.root.open = true;
  }

  /** One of the tools may be demanded by its name. */
  #offer(value) {
    const before = this.choice.value;
    while (this.choice.options.length > this.own) this.choice.lastElementChild.remove();
    for (const each of Array.isArray(value) ? value.slice(0, 128) : []) {
      const name = each?.function?.name;
      if (typeof name !== "string" || name.length > 64) continue;
      this.choice.append(element("option", { value: `=${name}` }, name));
    }
    this.choice.value = before;
    if (this.choice.selectedIndex < 0) this.choice.value = "";
  }
}
