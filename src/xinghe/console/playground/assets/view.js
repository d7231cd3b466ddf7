// How turns of a conversation look. Each has a view, which is told when its turn has changed.

import { CallsView } from "./calls.js";
import { element, paced, visible } from "./dom.js";
import { JsonView } from "./json-view.js";
import { Markdown } from "./markdown.js";
import { thumbnails } from "./pictures.js";
import { word } from "./words.js";

/** A round: its question, and beside each other the answers of each side. */
export class RoundView {
  constructor(round, { onEdit, ...actions }) {
    this.actions = actions;
    this.columns = round.sides.map(() => ({ root: element("div", { className: "side" }), views: [] }));
    this.answers = element("li", { className: "turn answers" }, ...this.columns.map(({ root }) => root));
    this.answers.classList.toggle("two", this.columns.length > 1);
    this.roots = [question(round, onEdit), this.answers];
  }

  /** Show another answer of a side. */
  add(side, answer) {
    const { onDrawn, onRetry, onResults } = this.actions;
    const view = new AnswerView(answer, {
      onDrawn,
      onRetry: () => onRetry(side, answer),
      onResults: () => onResults(side, answer),
    });
    const { root, views } = this.columns[side];
    views.push(view);
    root.append(view.root);
    if (this.columns.length > 1) {
      root.setAttribute("role", "group");
      root.setAttribute("aria-label", answer.model);
    }
    return view;
  }

  /** Take away the last answers of a side. */
  drop(side, count) {
    const { views } = this.columns[side];
    for (const view of views.splice(views.length - count)) view.root.remove();
  }

  /** Draw a side anew. */
  draw(side) {
    for (const view of this.columns[side].views) view.changed();
  }
}

/** A question, and a button to change it. */
function question(round, onEdit) {
  const edit = element("button", { type: "button", className: "quiet" }, word("edit"));
  edit.addEventListener("click", onEdit);
  return element("li", { className: "turn asked" },
    element("p", { className: "by" }, word("you"), edit),
    thumbnails(round.pictures),
    element("div", { className: "text plain", dir: "auto" }, visible(round.text)));
}

/** An answer that may still be growing: `root` is its element, `changed` has it drawn anew. */
export class AnswerView {
  constructor(turn, { onDrawn, onRetry, onResults }) {
    this.turn = turn;
    this.retry = element("button", { type: "button", className: "quiet" }, word("retry"));
    this.retry.addEventListener("click", onRetry);
    this.text = element("div", { className: "text" });
    this.shown = turn.json ? new JsonView(this.text) : new Markdown(this.text);
    this.calls = new CallsView(turn, onResults);
    this.thought = element("div", { className: "thought", dir: "auto" });
    this.thoughts = element("details", { className: "thoughts", hidden: true, open: true },
      element("summary", {}, word("thought")), this.thought);
    this.end = element("div", { className: "end" });
    this.root = element("div", { className: "answered" },
      element("p", { className: "by" }, element("bdi", {}, turn.model)),
      this.thoughts, this.text, this.calls.form, this.end);
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
    this.calls.draw();
    const isMore = this.shown.update(turn.text, turn.sources);
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
  const said = turn.text || turn.calls.length ? "" : word(turn.thought ? "thinking" : "waiting");
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
  else if (turn.state === "done" && !turn.text && !turn.calls.length) said = word("silent");
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
  const made = turn.usage?.completion_tokens;
  const seconds = (turn.lastMs - turn.firstMs) / 1000;
  if (made > 1 && seconds > 0) told.push(word("speed", { speed: ((made - 1) / seconds).toFixed(1) }));
  if (turn.firstMs !== null) told.push(word("first", { seconds: (turn.firstMs / 1000).toFixed(2) }));
  if (turn.ignored) told.push(word("passed-over", { names: visible(turn.ignored) }));
  if (!turn.requestId && !told.length) return null;
  const line = element("p", { className: "hint facts-line" }, told.join(" · "));
  if (turn.requestId) {
    line.append(told.length ? " · " : "", `${word("request")} `,
      element("a", { href: `/console/usage/requests/${encodeURIComponent(turn.requestId)}` },
        turn.requestId));
  }
  return line;
}
