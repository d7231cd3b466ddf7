// The page: its form, its conversation, and one answer at a time.

import { add, asSent, fail, newAnswer } from "./answer.js";
import { showCode } from "./programs.js";
import { Parameters } from "./parameters.js";
import { Store } from "./store.js";
import { ask } from "./stream.js";
import { AnswerView, questionView } from "./view.js";
import { word } from "./words.js";

const $ = (id) => document.getElementById(id);

/** Everything on the page that works together. */
class Playground {
  constructor(root) {
    this.mark = root.dataset.mark;
    this.store = new Store(root.dataset.member);
    this.parameters = new Parameters($("parameters"), $("model"));
    this.turns = [];
    this.editing = null;
    this.running = null;
    this.follows = true;
    // Whoever scrolls up to read is left where he reads.
    addEventListener("scroll", () => { this.follows = isAtEnd(); }, { passive: true });
    $("ask").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    $("question").addEventListener("keydown", (event) => {
      // While a word is being composed (Chinese, Japanese), Enter chooses it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send();
    });
    $("stop").addEventListener("click", () => this.running?.abort());
    $("clear").addEventListener("click", () => this.clear());
    $("unedit").addEventListener("click", () => this.edit(null));
    $("show-code").addEventListener("click", () => {
      const text = $("question").value.trim();
      const turns = text ? [...this.turns, { role: "user", text }] : this.turns;
      const body = this.#request(turns);
      if (!body.messages.some(({ role }) => role === "user")) say(word("empty"));
      else if (this.parameters.check()) showCode(body, this.mark);
    });
    $("parameters").addEventListener("change", () => this.#keep());
    if (matchMedia("(max-width: 64rem)").matches) $("set").open = false;
  }

  /** Show what this browser has kept. */
  async begin() {
    try {
      const { turns, model, parameters } = await this.store.read();
      this.turns = turns;
      if (model && !new URLSearchParams(location.search).has("model")) choose($("model"), model);
      this.parameters.restore(parameters ?? {});
    } catch {
      say(word("unkept"));
    }
    for (const turn of this.turns) {
      // A page that was closed meanwhile has not heard the end.
      if (turn.state === "waiting" || turn.state === "answering") turn.state = "stopped";
      this.#show(turn);
    }
  }

  async send() {
    const text = $("question").value;
    if (!text.trim() || this.running || !this.parameters.check()) return;
    $("question").value = "";
    if (this.editing) this.#cut(this.editing);
    this.edit(null);
    const question = { role: "user", text };
    this.turns.push(question);
    this.#show(question);
    await this.#answer();
  }

  async clear() {
    this.running?.abort();
    this.turns = [];
    this.#edits(null);
    $("turns").replaceChildren();
    $("nothing").hidden = false;
    await this.store.clear().catch(() => {});
    $("question").focus();
  }

  /** Have the conversation, as it stands, answered. */
  async #answer() {
    const { turns } = this;
    const answer = newAnswer($("model").value);
    const body = this.#request(turns);
    turns.push(answer);
    const view = this.#show(answer);
    this.running = new AbortController();
    this.#busy(true);
    this.#keep();
    const since = performance.now();
    try {
      await ask("chat", body, {
        mark: this.mark,
        signal: this.running.signal,
        onBegun: (id) => { answer.requestId = id; },
        onEvent: (event) => {
          if (add(answer, event, since)) view.changed();
        },
      });
      answer.state = "done";
    } catch (fault) {
      fail(answer, fault);
    }
    view.changed();
    this.running = null;
    this.#busy(false);
    say(word(answer.state));
    if (turns === this.turns) this.#keep();
  }

  /** Have an earlier question in the field, to be replaced; null: none. */
  edit(turn) {
    if (this.running) return;
    this.#edits(turn);
    if (turn === null) return;
    $("question").value = turn.text;
    $("question").focus();
  }

  #edits(turn) {
    this.editing = turn;
    $("editing").hidden = turn === null;
  }

  async retry(turn) {
    if (this.running || !this.parameters.check()) return;
    this.#cut(turn);
    await this.#answer();
  }

  /** Drop a turn and all behind it. */
  #cut(turn) {
    const at = this.turns.indexOf(turn);
    this.turns.splice(at);
    while ($("turns").children.length > at) $("turns").lastChild.remove();
  }

  #request(turns) {
    const { system, values } = this.parameters;
    const messages = asSent(turns);
    if (system) messages.unshift({ role: "system", content: system });
    return {
      model: $("model").value,
      messages,
      stream: true,
      stream_options: { include_usage: true },
      ...values,
    };
  }

  #show(turn) {
    $("nothing").hidden = true;
    if (turn.role === "user") {
      $("turns").append(questionView(turn, (asked) => this.edit(asked)));
      toEnd();
      return null;
    }
    const view = new AnswerView(turn, {
      onDrawn: () => { if (this.follows) toEnd(); },
      onRetry: (answer) => this.retry(answer),
    });
    this.follows = true;
    $("turns").append(view.root);
    return view;
  }

  #busy(is) {
    $("stop").hidden = !is;
    $("send").disabled = is;
    if (is) say(word("answering"));
  }

  #keep() {
    const { kept: parameters } = this.parameters;
    const kept = { turns: this.turns, model: $("model").value, parameters };
    this.store.write(kept).catch(() => say(word("unkept")));
  }
}

function choose(select, value) {
  if ([...select.options].some((each) => each.value === value)) select.value = value;
}

function say(text) {
  $("said").textContent = text;
}

function isAtEnd() {
  return innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
}

function toEnd() {
  scrollTo(0, document.documentElement.scrollHeight);
}

const root = $("play");
if (root) new Playground(root).begin();
