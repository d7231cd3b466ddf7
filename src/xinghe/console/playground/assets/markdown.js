// Markdown that arrives in pieces. What is complete is rendered once and stays; only the last block
// is rendered anew as it grows. So the work is that of the text's length, however small the pieces.

import { element } from "./dom.js";
import { block, blocks, cite } from "./rich.js";
import { word } from "./words.js";

const MOST_BLOCK = 16_000;
/** Characters of one block, and of a text, beyond which the rest is shown as it stands. */
const MOST_TEXT = 400_000;

/** A text that grows within `root`. */
export class Markdown {
  constructor(root) {
    this.root = root;
    this.text = "";
    this.isMore = false;
    this.settled = 0; // characters that are rendered for good
    this.context = { links: {}, level: 1, sources: [] };
    this.tail = element("div");
    this.rest = null;
    root.append(this.tail);
  }

  /** Render what the text has become. Returns whether there is more to do: call it again then. */
  update(text, sources = []) {
    if (sources !== this.context.sources) {
      this.context.sources = sources;
      cite(this.root, sources); // what is rendered for good may have been waiting for them
    }
    if (text === this.text && !this.isMore) return false;
    this.text = text;
    this.isMore = this.#grow();
    return this.isMore;
  }

  #grow() {
    const { text } = this;
    if (this.rest) return this.#growRest();
    const open = text.length - this.settled;
    // Marked counts a CRLF as one character.
    const part = text.slice(this.settled, this.settled + MOST_BLOCK)
      .replaceAll("\r\n", " \n").replaceAll("\r", "\n");
    const tokens = blocks(part, this.context.links);
    if (!tokens) {
      this.tail.replaceChildren();
      return this.#growRest();
    }
    const last = tokens.findLastIndex((each) => each.type !== "space");
    for (const token of tokens.slice(0, Math.max(last, 0))) {
      if (token.type !== "space") this.tail.before(block(token, this.context));
      this.settled += token.raw.length;
    }
    const isWhole = open <= MOST_BLOCK;
    if (last > 0 && !isWhole && this.settled < MOST_TEXT) return true;
    const context = { ...this.context };
    this.tail.replaceChildren(...tokens.slice(Math.max(last, 0)).map((each) => block(each, context)));
    if (isWhole && this.settled < MOST_TEXT) return false;
    this.settled += tokens.slice(Math.max(last, 0)).reduce((sum, { raw }) => sum + raw.length, 0);
    return this.#growRest();
  }

  /** Show what is behind the part that was rendered as text. */
  #growRest() {
    if (!this.rest) {
      this.rest = document.createTextNode("");
      const about = { className: "rest", tabIndex: 0, role: "group", "aria-label": word("rest") };
      this.root.append(element("p", { className: "hint" }, word("rest")),
        element("pre", about, this.rest));
    }
    this.rest.appendData(this.text.slice(this.settled + this.rest.length));
    return false;
  }
}
