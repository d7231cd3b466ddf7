// The page: its form, its conversation, and what is set beside it.

import { messagesOf, newRound } from "./conversation.js";
import { Current } from "./current.js";
import { Library, titleOf } from "./library.js";
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
    this.current = new Current(root.dataset.member);
    this.library = new Library($("kept"), this.store, {
      onOpen: (id) => this.open(id),
      onGone: (id) => { if (id === this.current.id) this.#put("", []); },
    });
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
    $("new").addEventListener("click", () => this.renew());
    $("show-kept").addEventListener("click", () =>
      this.library.show(this.current.id).catch(() => say(word("unkept"))));
    $("unedit").addEventListener("click", () => this.edit(null));
    $("show-code").addEventListener("click", () => this.showCode());
    if (matchMedia("(max-width: 64rem)").matches) {
      for (const each of root.querySelectorAll(".settings > details")) each.open = false;
    }
  }

  /** Show the conversation of this tab, or else the latest, as this browser has kept it. */
  async begin() {
    try {
      const id = this.current.id ?? (await this.store.list())[0]?.id ?? "";
      const conversation = id && await this.store.read(id);
      this.#set(conversation || await this.store.readLast());
      if (conversation) this.#put(id, conversation.rounds);
    } catch {
      say(word("unkept"));
    }
  }

  /** Go on with an earlier conversation. */
  async open(id) {
    const conversation = await this.store.read(id).catch(() => null);
    if (!conversation) return;
    await this.#leave();
    this.#set(conversation);
    this.#put(id, conversation.rounds);
    $("question").focus();
  }

  /** Begin another conversation. */
  async renew() {
    await this.#leave();
    this.#put("", []);
    say("");
    $("question").focus();
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
    this.#count();
  }

  /** Tell how many pictures go along with those that are being chosen. */
  #count() {
    const { rounds } = this.talk;
    const before = this.editing ? rounds.slice(0, rounds.indexOf(this.editing)) : rounds;
    this.pictures.before = before.reduce((sum, { pictures }) => sum + pictures.length, 0);
  }

  #follow() {
    this.settings.follow();
    this.pictures.follow(this.models.able);
  }

  #set({ models, settings } = {}) {
    // A link to the page may name a model.
    if (!new URLSearchParams(location.search).has("model")) this.models.choose(models);
    this.settings.restore(settings);
    this.#follow();
  }

  /** What is being said is kept as far as it was. */
  async #leave() {
    if (this.talk.busy) await this.#keep();
  }

  #put(id, rounds) {
    this.current.id = id;
    this.#edits(null);
    this.talk.show(rounds);
    $("nothing").hidden = rounds.length > 0;
  }

  /** An answer has begun, or ended: then that is told once it is kept. */
  async #tell(state) {
    const { busy, rounds } = this.talk;
    this.#count();
    if (state && !busy) await this.#keep();
    if (busy !== this.talk.busy || rounds !== this.talk.rounds) return;
    $("stop").hidden = !busy;
    $("send").disabled = busy;
    say(word(busy ? "answering" : state));
    if (busy) this.#keep();
  }

  /** Keep what is said, and what is set. */
  async #keep() {
    const { rounds } = this.talk;
    const set = { models: this.models.chosen, settings: this.settings.kept };
    if (rounds.length) this.current.id ||= Current.newId();
    const { id } = this.current;
    try {
      await this.store.writeLast(set);
      if (rounds.length) await this.store.write(id, titleOf(rounds), { rounds, ...set });
    } catch (fault) {
      say(word(fault?.name === "QuotaExceededError" ? "full" : "unkept"));
    }
  }
}

function say(text) {
  $("said").textContent = text;
}

const root = $("play");
if (root) new Playground(root).begin();
