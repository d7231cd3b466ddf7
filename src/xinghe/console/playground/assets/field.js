// A field for JSON, which says at once what is wrong with it: by itself, and as the service says.

import { checkRequest } from "./check.js";
import { readJson } from "./json.js";
import { Refusal } from "./stream.js";
import { word } from "./words.js";

const PAUSE = 400;
/** Milliseconds without a key before the service is asked. */
const MOST = 4_000_000;
/** Characters. */
const SIGN_IN = "sign_in_needed";

/**
 * The field `root`, with a line `told` below it. `faultOf` says what of a value needs no service to
 * be told; `check` gives the bodies to ask the service about, and `onFine` what to say where all
 * would be taken.
 */
export class JsonField {
  constructor(root, { mark, faultOf, check, onFine, onChange }) {
    this.root = root;
    this.told = document.getElementById(`${root.id}-told`);
    this.example = document.getElementById(`${root.id}-example`);
    this.mark = mark;
    this.faultOf = faultOf;
    this.check = check;
    this.onFine = onFine;
    this.onChange = onChange;
    this.value = undefined;
    this.fault = "";
    this.asking = null;
    root.addEventListener("input", () => this.read());
    this.example.addEventListener("click", () => {
      root.value = this.example.dataset.example;
      root.dispatchEvent(new Event("change", { bubbles: true }));
      this.read();
      root.focus();
    });
  }

  /** Read what stands in the field; the service is asked a moment later. */
  read() {
    const text = this.root.value;
    const given = text.length > MOST ? { fault: word("too-large") }
      : text.trim() ? readJson(text, word) : { value: undefined, fault: "" };
    this.value = given.fault ? undefined : given.value;
    this.fault = given.fault || (this.value === undefined ? "" : this.faultOf(this.value));
    this.onChange?.(this.value);
    this.recheck();
  }

  /** Ask the service anew: what else it depends on has changed. */
  recheck() {
    clearTimeout(this.timer);
    this.asking?.abort();
    if (this.root.disabled || this.fault || this.value === undefined) {
      this.#say(this.root.disabled ? "" : this.fault, Boolean(this.fault));
      return;
    }
    this.#say(word("checking"));
    this.timer = setTimeout(() => this.#ask(), PAUSE);
  }

  /** Whether it may be sent as it stands; if not, it is shown. */
  isFine() {
    if (!this.fault || this.root.disabled) return true;
    for (let each = this.root.closest("details"); each; each = each.parentElement.closest("details")) {
      each.open = true;
    }
    this.root.focus();
    return false;
  }

  async #ask() {
    const asking = new AbortController();
    this.asking = asking;
    try {
      for (const body of this.check(this.value)) {
        await checkRequest(body, { mark: this.mark, signal: asking.signal });
      }
      this.#say(this.onFine(this.value));
    } catch (fault) {
      if (asking.signal.aborted) return;
      if (fault instanceof Refusal && fault.code !== SIGN_IN) this.#say(refusal(fault), true);
      else this.#say(`${word("unchecked")} ${fault.message}`);
    }
  }

  #say(text, isWrong = false) {
    this.told.textContent = text;
    this.told.classList.toggle("bad", isWrong);
    this.root.setAttribute("aria-invalid", isWrong ? "true" : "false");
    if (!isWrong) this.root.removeAttribute("aria-invalid");
  }
}

/** Keyword and place first, where the service names them; then its own words. */
function refusal({ message }) {
  const [, keyword, place] = /: '([^']{1,60})' at '([^']{1,300})'/.exec(message) ?? [];
  const where = keyword ? word("refused-at", { keyword, place }) : word("refused");
  return `${where}\n${message}`;
}
