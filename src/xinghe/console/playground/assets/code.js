// Blocks of code: their language, a button that copies, and colours from highlight.js, which is
// fetched with the first block whose language is named.

import DOMPurify from "../purify.js";
import { element } from "./dom.js";
import { word } from "./words.js";

const MOST = 20_000;
/** Characters that are coloured. */

let library;

/** Dress a `<code>` within a `<pre>`. */
export function dressCode(code) {
  const text = code.textContent;
  const language = /language-([\w+#.-]{1,30})/.exec(code.className)?.[1] ?? "";
  const copy = element("button", { type: "button", className: "quiet" }, word("copy"));
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    copy.textContent = word("copied");
    setTimeout(() => { copy.textContent = word("copy"); }, 1500);
  });
  const pre = code.parentElement;
  const head = element("div", { className: "code-head" }, element("span", {}, language), copy);
  const frame = element("div", { className: "code" }, head);
  pre.replaceWith(frame);
  pre.tabIndex = 0;
  pre.setAttribute("aria-label", word("code"));
  pre.setAttribute("role", "group");
  frame.append(pre);
  if (language && text.length <= MOST) colour(code, text, language);
}

async function colour(code, text, language) {
  library ??= import("../highlight.js").catch(() => null);
  const highlight = (await library)?.default;
  if (!highlight?.getLanguage(language)) return;
  const { value } = highlight.highlight(text, { language, ignoreIllegals: true });
  code.replaceChildren(DOMPurify.sanitize(value, {
    ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true,
  }));
}
