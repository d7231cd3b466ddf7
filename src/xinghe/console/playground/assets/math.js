// Formulas between $…$, $$…$$, \(…\) and \[…\]. KaTeX is fetched with the first of them, and makes
// MathML, which needs neither fonts nor inline style.

import DOMPurify from "../purify.js";

const MOST = 5_000;
/** Characters of one formula. */
const INLINE = /^(?:\$(?![\s$])((?:\\.|[^\\$\n])+?)(?<!\s)\$(?!\d)|\\\(([^\n]+?)\\\)|\$\$([^\n$]+?)\$\$|\\\[([^\n]+?)\\\])/;
const BLOCK = /^(?:\$\$\s*\n?([^$]+?)\n?\s*\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n+|$)/;

const escape = (text) => text.replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`);
const renderer = ({ text, display }) =>
  `<code class="math${display ? " display" : ""}">${escape(text)}</code>`;

export const mathExtensions = [
  {
    name: "formula",
    level: "inline",
    start: (src) => src.search(/\$(?:[^\s$]|\$[^\s$])|\\[([]/),
    tokenizer(src) {
      const found = INLINE.exec(src);
      if (!found || found[0].length > MOST) return undefined;
      const text = found.slice(1).find((each) => each !== undefined);
      return { type: "formula", raw: found[0], text, display: found[3] ?? found[4] };
    },
    renderer,
  },
  {
    name: "formulas",
    level: "block",
    // At the beginning of a line: elsewhere it is no block, and to try everywhere takes long.
    start: (src) => src.search(/\n(?:\$\$|\\\[)/) + 1 || -1,
    tokenizer(src) {
      const found = BLOCK.exec(src.slice(0, MOST));
      if (!found) return undefined;
      return { type: "formulas", raw: found[0], text: found[1] ?? found[2], display: true };
    },
    renderer: (token) => `<p>${renderer(token)}</p>`,
  },
];

let library;

/** Have the formulas within an element set; one that cannot be stays as it was written. */
export async function typeset(root) {
  const places = root.querySelectorAll("code.math");
  if (!places.length) return;
  library ??= import("../katex.js").catch(() => null);
  const katex = (await library)?.default;
  if (!katex) return;
  for (const place of places) {
    const display = place.classList.contains("display");
    try {
      const made = katex.renderToString(place.textContent, {
        output: "mathml", displayMode: display, throwOnError: true, trust: false, maxExpand: 200,
        maxSize: 20,
      });
      const safe = DOMPurify.sanitize(made, {
        USE_PROFILES: { mathMl: true }, ADD_TAGS: ["semantics"], FORBID_ATTR: ["style"],
        FORBID_TAGS: ["annotation"], RETURN_DOM_FRAGMENT: true,
      });
      const formula = safe.querySelector("math");
      if (formula) place.replaceWith(formula);
    } catch {
      place.classList.add("wrong");
    }
  }
}
