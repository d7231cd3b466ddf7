// How turns of a conversation look. Each has a view, which is told when its turn has changed.

import { element, paced } from "./dom.js";
import { Markdown } from "./markdown.js";
import { word } from "./words.js";

/** A question, and a button to change it. */
export function questionView(turn, onEdit) {
  const edit = element("button", { type: "button", className: "quiet" }, word("edit"));
  edit.addEventListener("click", () => onEdit(turn));
  return element("li", { className: "turn asked" },
    element("p", { className: "by" }, word("you"), edit),
    element("div", { className: "text plain", dir: "auto" }, turn.text));
}

/** An answer that may still be growing: `root` is its element, `changed` has it drawn anew. */
export class AnswerView {
  constructor(turn, { onDrawn, onRetry }) {
    this.turn = turn;
    this.retry = element("button", { type: "button", className: "quiet" }, word("retry"));
    this.retry.addEventListener("click", () => onRetry(turn));
    this.text = element("div", { className: "text" });
    this.markdown = new Markdown(this.text);
    this.thought = element("div", { className: "thought", dir: "auto" });
    this.thoughts = element("details", { className: "thoughts", hidden: true, open: true },
      element("summary", {}, word("thought")), this.thought);
    this.end = element("div", { className: "end" });
    this.root = element("li", { className: "turn answered" },
      element("p", { className: "by" }, element("bdi", {}, turn.model)),
      this.thoughts, this.text, this.end);
    this.changed = paced(() => {
      const isMore = this.#draw();
      onDrawn();
      return isMore;
    });
    if (this.#draw()) this.changed();
  }

  #draw() {
    const { turn } = this;
    grow(this.thought, turn.thought);
    this.thoughts.hidden = !turn.thought;
    const isMore = this.markdown.update(turn.text, turn.sources);
    const busy = turn.state === "waiting" || turn.state === "answering";
    this.root.setAttribute("aria-busy", String(busy));
    this.end.replaceChildren(...(busy ? [waiting(turn)] : [...ending(turn), this.retry]));
    return isMore;
  }
}

/** Add to an element what its text has grown by. */
function grow(place, text) {
  place.firstChild ?? place.append("");
  const node = place.firstChild;
  if (text.length > node.length) node.appendData(text.slice(node.length));
}

function waiting(turn) {
  const said = turn.text ? "" : word(turn.thought ? "thinking" : "waiting");
  return element("p", { className: "hint" }, said);
}

function ending(turn) {
  return [sources(turn), problem(turn), note(turn), facts(turn)].filter((each) => each !== null);
}

/** What the answer rests on; a link leads to where a browser may go. */
function sources(turn) {
  if (!turn.sources.length) return null;
  const lines = turn.sources.map(({ index, title, url }) => {
    const said = element("bdi", {}, title || url);
    const link = /^https?:\/\//i.test(url)
      ? element("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow" }, said)
      : said;
    return element("li", { value: index }, link);
  });
  return element("details", { className: "sources", open: true },
    element("summary", {}, `${word("sources")} (${lines.length})`), element("ol", {}, ...lines));
}

function note(turn) {
  let said = "";
  if (turn.state === "stopped") said = word("stopped");
  else if (turn.finish === "length") said = word("length");
  else if (turn.finish === "content_filter") said = word("filtered");
  else if (turn.state === "done" && !turn.text) said = word("silent");
  return said ? element("p", { className: "hint" }, said) : null;
}

function problem(turn) {
  if (!turn.problem) return null;
  const { code, message, again } = turn.problem;
  const advice = turn.text ? word("failed") : word(code) || word(`code ${code}`);
  return element("div", { className: "notice bad", role: "alert" },
    element("p", {}, advice || message || code),
    again ? element("p", {}, word("again", { seconds: again })) : null,
    advice && message ? element("p", { className: "hint", dir: "auto" }, message) : null,
    code === "sign_in_needed"
      ? element("p", {}, element("a", { href: "/?next=/console/playground" }, word("sign-in")))
      : null);
}

function facts(turn) {
  const told = [];
  if (turn.usage) {
    const { prompt_tokens: read, completion_tokens: made } = turn.usage;
    told.push(word("tokens", { in: read.toLocaleString("en"), out: made.toLocaleString("en") }));
  }
  if (turn.firstMs !== null) told.push(word("first", { seconds: (turn.firstMs / 1000).toFixed(2) }));
  if (!turn.requestId && !told.length) return null;
  const line = element("p", { className: "hint facts-line" }, told.join(" · "));
  if (turn.requestId) {
    line.append(told.length ? " · " : "", `${word("request")} `,
      element("a", { href: `/console/usage/requests/${encodeURIComponent(turn.requestId)}` },
        turn.requestId));
  }
  return line;
}
