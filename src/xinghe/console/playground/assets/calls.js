// The calls that a model makes of tools: a card each, and a field for what the tool would answer.

import { element, visible } from "./dom.js";
import { pretty } from "./json.js";
import { word } from "./words.js";

const MOST = 20_000;
/** Characters of arguments that are shown. */

/** The cards of an answer's calls; `onResults` is told once each has a result. */
export class CallsView {
  constructor(answer, onResults) {
    this.answer = answer;
    this.cards = [];
    this.form = element("form", { className: "calls", hidden: true });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      onResults();
    });
    this.send = element("button", {}, word("send-results"));
  }

  /** Draw what the answer has become. */
  draw() {
    const { answer, cards, form } = this;
    const ended = answer.state === "done";
    for (const call of answer.calls.slice(cards.length)) {
      cards.push(new Card(call));
      form.append(cards.at(-1).root);
    }
    for (const card of cards) card.draw(ended, answer.answered);
    form.hidden = !cards.length;
    if (ended && cards.length && !answer.answered) form.append(this.send);
    else this.send.remove();
  }
}

class Card {
  constructor(call) {
    this.call = call;
    this.length = 0; // of the arguments that are shown
    this.name = element("code");
    this.given = element("pre", {
      tabIndex: 0, role: "group", "aria-label": word("arguments"), dir: "auto",
    });
    this.field = element("textarea", { required: true, rows: 2, value: call.result });
    this.field.addEventListener("input", () => { call.result = this.field.value; });
    this.asked = element("label", { hidden: true }, word("result"), this.field);
    this.said = element("div", { className: "said", dir: "auto" });
    this.root = element("div", { className: "call card" },
      element("p", { className: "label" }, word("called"), " ", this.name),
      this.given, this.asked, this.said);
  }

  draw(ended, answered) {
    const { call } = this;
    this.name.textContent = visible(call.name);
    if (this.length !== call.arguments.length) {
      this.length = call.arguments.length;
      const text = visible(call.arguments.slice(0, MOST));
      this.given.textContent = this.length > MOST ? `${text}…` : pretty(text);
    }
    this.asked.hidden = !ended || answered;
    this.field.disabled = this.asked.hidden;
    this.said.textContent = answered ? `${word("result")}: ${visible(call.result)}` : "";
  }
}
