// The page: its form, its conversation, and one answer at a time.

import { add, asSent, fail, newAnswer } from "./answer.js";
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
    this.turns = [];
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
  }

  /** Show what this browser has kept. */
  async begin() {
    try {
      const { turns, model } = await this.store.read();
      this.turns = turns;
      if (model && !new URLSearchParams(location.search).has("model")) choose($("model"), model);
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
    if (!text.trim() || this.running) return;
    $("question").value = "";
    const question = { role: "user", text };
    this.turns.push(question);
    this.#show(question);
    await this.#answer();
  }

  async clear() {
    this.running?.abort();
    this.turns = [];
    $("turns").replaceChildren();
    $("nothing").hidden = false;
    await this.store.clear().catch(() => {});
    $("question").focus();
  }

  /** Have the conversation, as it stands, answered. */
  async #answer() {
    const { turns } = this;
    const answer = newAnswer($("model").value);
    const body = {
      model: answer.model,
      messages: asSent(turns),
      stream: true,
      stream_options: { include_usage: true },
    };
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
          add(answer, event, since);
          view.changed();
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

  #show(turn) {
    $("nothing").hidden = true;
    if (turn.role === "user") {
      $("turns").append(questionView(turn));
      toEnd();
      return null;
    }
    const view = new AnswerView(turn, () => { if (this.follows) toEnd(); });
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
    const kept = { turns: this.turns, model: $("model").value };
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
