// The conversation on the page: its rounds are shown, and their answers asked for.

import { newAnswer } from "./answer.js";
import { messagesOf } from "./conversation.js";
import { run } from "./run.js";
import { RoundView } from "./view.js";

/**
 * The rounds within `place`. `request` makes the body for a model and its messages; `onState` is
 * told when an answer begins and how one ends, `onEdit` which round's question is to be changed.
 */
export class Talk {
  constructor(place, { mark, request, onState, onEdit }) {
    this.place = place;
    this.mark = mark;
    this.request = request;
    this.onState = onState;
    this.onEdit = onEdit;
    this.rounds = [];
    this.views = new Map();
    this.running = new Set();
    this.follows = true;
    // Whoever scrolls up to read is left where he reads.
    addEventListener("scroll", () => { this.follows = isAtEnd(); }, { passive: true });
  }

  get busy() {
    return this.running.size > 0;
  }

  /** Show other rounds in place of these. */
  show(rounds) {
    this.stop();
    this.running = new Set();
    this.rounds = rounds;
    this.onState("");
    this.views.clear();
    this.place.replaceChildren();
    for (const round of rounds) {
      this.#show(round);
      for (const [side, answers] of round.sides.entries()) {
        for (const answer of answers) {
          // A page that was closed meanwhile has not heard the end.
          if (answer.state === "waiting" || answer.state === "answering") answer.state = "stopped";
          this.#showAnswer(round, side, answer);
        }
      }
    }
  }

  /** Have a new round answered by these models, side by side. */
  async ask(round, models) {
    round.sides = models.map(() => []);
    this.rounds.push(round);
    this.#show(round);
    await Promise.all(models.map((model, side) => this.#answer(round, side, model)));
  }

  stop() {
    for (const each of this.running) each.abort();
  }

  /** Drop a round and all behind it. */
  cut(round) {
    for (const each of this.rounds.splice(this.rounds.indexOf(round))) {
      for (const root of this.views.get(each).roots) root.remove();
      this.views.delete(each);
    }
  }

  /** Have an answer made anew, and drop what came behind it. */
  async retry(round, side, answer, model) {
    this.#cutBehind(round);
    const answers = round.sides[side];
    const dropped = answers.splice(answers.indexOf(answer));
    this.views.get(round).drop(side, dropped.length);
    await this.#answer(round, side, model);
  }

  /** Go on once the calls of an answer have their results. */
  async goOn(round, side, answer) {
    if (this.busy) return;
    this.#cutBehind(round);
    answer.answered = true;
    this.views.get(round).draw(side);
    await this.#answer(round, side, answer.model);
  }

  #cutBehind(round) {
    const next = this.rounds[this.rounds.indexOf(round) + 1];
    if (next) this.cut(next);
  }

  async #answer(round, side, model) {
    const { rounds, running } = this;
    const asked = rounds.slice(0, rounds.indexOf(round) + 1);
    const body = this.request(model, messagesOf(asked, side));
    const answer = newAnswer(model, (body.response_format?.type ?? "text") !== "text");
    round.sides[side].push(answer);
    const view = this.#showAnswer(round, side, answer);
    const stopper = new AbortController();
    running.add(stopper);
    const { mark } = this;
    const changed = () => view.changed();
    const ended = run(answer, body, { mark, signal: stopper.signal, changed });
    this.onState("answering"); // once it is asked: whoever waits does not wait for this
    await ended;
    running.delete(stopper);
    if (rounds === this.rounds) this.onState(answer.calls.length ? "calls" : answer.state);
  }

  #show(round) {
    const view = new RoundView(round, {
      onEdit: () => this.onEdit(round),
      onDrawn: () => { if (this.follows) toEnd(); },
      onRetry: (side, answer) => this.onRetry(round, side, answer),
      onResults: (side, answer) => this.goOn(round, side, answer),
    });
    this.views.set(round, view);
    this.place.append(...view.roots);
    this.follows = true;
    toEnd();
  }

  #showAnswer(round, side, answer) {
    this.follows = true;
    return this.views.get(round).add(side, answer);
  }
}

function isAtEnd() {
  return innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
}

function toEnd() {
  scrollTo(0, document.documentElement.scrollHeight);
}
