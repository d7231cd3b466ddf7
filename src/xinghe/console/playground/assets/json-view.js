// An answer that is JSON, set in lines as it grows.

import { dressCode } from "./code.js";
import { element } from "./dom.js";
import { pretty } from "./json.js";

const MOST = 200_000;
/** Characters that are set in lines; what is longer is shown as it stands. */

/** A JSON text that grows within `root`: used as `Markdown` is. */
export class JsonView {
  constructor(root) {
    this.root = root;
    this.text = "";
  }

  update(text) {
    if (text === this.text) return false;
    this.text = text;
    const shown = text.length > MOST ? text : pretty(text);
    const code = element("code", { className: "language-json" }, shown);
    this.root.replaceChildren(element("pre", { className: "json" }, code));
    dressCode(code);
    return false;
  }
}
