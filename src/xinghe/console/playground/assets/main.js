// The page: its form, its conversation, and what is set beside it.

import { messagesOf, newRound } from "./conversation.js";
import { Models } from "./models.js";
import { Pictures } from "./pictures.js";
import { named, showCode } from "./programs.js";
import { Settings } from "./settings.js";
import { Store } from "./store.js";
import { Talk } from "./talk.js";
import { word } from "./words.js";

const $ = (id) => document.getElementById(id);

/** Everything on the page that works together. */
class Playground {
  constructor(root) {
    this.mark = root.dataset.mark;
    this.store = new Store(root.dataset.member);
    this.models = new Models(root, () => {
      this.#follow();
      this.#keep();
    });
    this.pictures = new Pictures($("pictures"));
    const onChange = () => this.#keep();
    this.settings = new Settings(root, { mark: this.mark, models: this.models, onChange });
    this.talk = new Talk($("turns"), {
      mark: this.mark,
      request: (model, messages) => this.settings.request(model, messages),
      onState: (state) => this.#tell(state),
      onEdit: (round) => this.edit(round),
    });
    this.talk.onRetry = (round, side, answer) => this.retry(round, side, answer);
    this.editing = null;
    this.#follow();
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
    $("stop").addEventListener("click", () => this.talk.stop());
    $("clear").addEventListener("click", () => this.clear());
    $("unedit").addEventListener("click", () => this.edit(null));
    $("show-code").addEventListener("click", () => this.showCode());
    if (matchMedia("(max-width: 64rem)").matches) {
      for (const each of root.querySelectorAll(".settings > details")) each.open = false;
    }
  }

  /** Show what this browser has kept. */
  async begin() {
    try {
      const kept = await this.store.read();
      if (!new URLSearchParams(location.search).has("model")) this.models.choose(kept.models);
      this.settings.restore(kept.settings);
      this.#show(kept.rounds);
      this.#follow();
    } catch {
      say(word("unkept"));
    }
  }

  async send() {
    const text = $("question").value;
    if (!text.trim() || this.talk.busy || !this.settings.check()) return;
    if (this.editing) this.talk.cut(this.editing);
    const round = newRound(text, this.pictures.list);
    this.#edits(null);
    $("nothing").hidden = true;
    await this.talk.ask(round, this.models.chosen);
  }

  async retry(round, side, answer) {
    if (this.talk.busy || !this.settings.check()) return;
    await this.talk.retry(round, side, answer, this.models.chosen[side] ?? answer.model);
  }

  async clear() {
    this.talk.show([]);
    this.#edits(null);
    await this.store.clear().catch(() => {});
    $("nothing").hidden = false;
    $("question").focus();
  }

  /** Have an earlier question in the field, to be replaced; null: none. */
  edit(round) {
    if (this.talk.busy) return;
    this.#edits(round);
    $("question").focus();
  }

  /** The very request as programs: with what is being typed, or the last one. */
  showCode() {
    const text = $("question").value.trim();
    const rounds = text ? [...this.talk.rounds, newRound(text, this.pictures.list)] : this.talk.rounds;
    if (!rounds.length) say(word("empty"));
    else if (this.settings.check()) {
      const [model] = this.models.chosen;
      showCode(this.settings.request(model, messagesOf(rounds, 0, named)), this.mark);
    }
  }

  #edits(round) {
    this.editing = round;
    $("editing").hidden = round === null;
    $("question").value = round?.text ?? "";
    this.pictures.set(round?.pictures ?? []);
  }

  #follow() {
    this.settings.follow();
    this.pictures.follow(this.models.able);
  }

  #show(rounds) {
    this.talk.show(rounds);
    $("nothing").hidden = rounds.length > 0;
  }

  /** An answer has begun, or ended: then that is told once it is kept. */
  async #tell(state) {
    const { busy, rounds } = this.talk;
    this.pictures.before = rounds.reduce((sum, { pictures }) => sum + pictures.length, 0);
    if (!busy) await this.#keep();
    if (busy !== this.talk.busy) return;
    $("stop").hidden = !busy;
    $("send").disabled = busy;
    say(word(busy ? "answering" : state));
    if (busy) this.#keep();
  }

  async #keep() {
    const kept = { rounds: this.talk.rounds, models: this.models.chosen, settings: this.settings.kept };
    await this.store.write(kept).catch(() => say(word("unkept")));
  }
}

function say(text) {
  $("said").textContent = text;
}

const root = $("play");
if (root) new Playground(root).begin();
