// Blocks of Markdown as safe elements. Marked reads the text and writes HTML of its own alone (HTML
// in the text is text); DOMPurify then lets through the few elements and attributes named here.

import { Lexer, Marked, Parser } from "../marked.js";
import DOMPurify from "../purify.js";
import { dressCode } from "./code.js";
import { element, visible } from "./dom.js";
import { mathExtensions, typeset } from "./math.js";
import { word } from "./words.js";

const SAFE = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "del", "code", "pre", "a",
    "ul", "ol", "li", "blockquote", "table", "thead", "tbody", "tr", "th", "td", "span", "sup",
  ],
  ALLOWED_ATTR: ["href", "class", "align", "start"],
  ADD_URI_SAFE_ATTR: ["align", "start"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const OURS = /^(?:https?:\/\/|mailto:)/i;

const escape = (text) => text.replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`);

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => (/^<br\s*\/?>$/i.test(text.trim()) ? "<br>" : escape(text)),
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens);
      return OURS.test(href) ? `<a href="${escape(href)}">${text}</a>` : text;
    },
    image({ href, text }) {
      const said = escape(`${word("picture")}${text || href}`);
      return OURS.test(href) ? `<a href="${escape(href)}">${said}</a>` : said;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
  extensions: [...mathExtensions, {
    name: "cited",
    level: "inline",
    start: (src) => src.indexOf("^["),
    tokenizer(src) {
      const found = /^\^((?:\[\d{1,3}\])+)\^/.exec(src);
      return found ? { type: "cited", raw: found[0], text: found[1] } : undefined;
    },
    renderer: ({ text }) =>
      text.replace(/\[(\d+)\]/g, (_, number) => `<sup class="cited">${number}</sup>`),
  }],
});

/** Quotes and lists within each other, deeper than anybody writes: work for nothing. */
const DEEP = /^(?:[ \t]*(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])){12}|^[ \t]{60}[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]/m;

/**
 * The blocks of a text; `links` are the definitions of links, which they add to. None where it
 * cannot be read as Markdown within bounds.
 */
export function blocks(text, links) {
  if (DEEP.test(text)) return null;
  const lexer = new Lexer(marked.defaults);
  lexer.tokens.links = links;
  return lexer.lex(text);
}

/** A block as an element. `context` has the level of the last heading and the sources. */
export function block(token, context) {
  const fragment = DOMPurify.sanitize(Parser.parse([token], marked.defaults), SAFE);
  nameTurning(fragment);
  const root = element("div", { className: "block", dir: "auto" }, fragment);
  for (const link of root.querySelectorAll("a")) dressLink(link);
  cite(root, context.sources);
  for (const each of root.querySelectorAll("h1, h2, h3, h4, h5, h6")) dressHeading(each, context);
  for (const each of root.querySelectorAll("table")) {
    const about = { className: "scroll", tabIndex: 0, role: "group", "aria-label": word("table") };
    const frame = element("div", about);
    each.replaceWith(frame);
    frame.append(each);
  }
  for (const each of root.querySelectorAll("pre > code")) dressCode(each);
  typeset(root);
  return root;
}

function dressLink(link) {
  if (!link.hasAttribute("href")) {
    link.replaceWith(...link.childNodes);
    return;
  }
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  link.title = link.href;
}

/** Make links of the citations within an element whose sources are known. */
export function cite(root, sources) {
  for (const place of root.querySelectorAll("sup.cited:not(:has(a))")) dressCited(place, sources);
}

function dressCited(place, sources) {
  const source = sources.find((each) => String(each.index) === place.textContent);
  if (!source || !OURS.test(source.url)) return;
  const link = element("a", { href: source.url }, `[${source.index}]`);
  dressLink(link);
  link.title = source.title || source.url;
  place.replaceChildren(link);
}

/** The page's own heading is the first; below it no level is left out. */
function dressHeading(heading, context) {
  context.level = Math.min(Number(heading.localName[1]) + 1, context.level + 1, 6);
  heading.replaceWith(element(`h${context.level}`, {}, ...heading.childNodes));
}

function nameTurning(fragment) {
  const texts = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    const named = visible(node.data);
    if (named !== node.data) node.data = named;
  }
}
