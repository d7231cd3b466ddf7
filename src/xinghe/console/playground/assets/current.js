// Which conversation this tab shows: "" is a new one, null whichever is the latest.

/** Kept for as long as the tab is open, where the browser keeps anything. */
export class Current {
  constructor(member) {
    this.key = `xinghe-conversation-${member}`;
    try {
      this.now = sessionStorage.getItem(this.key);
    } catch {
      this.now = null;
    }
  }

  get id() {
    return this.now;
  }

  set id(id) {
    this.now = id;
    try {
      sessionStorage.setItem(this.key, id);
    } catch {
      // The next page begins with the latest.
    }
  }

  /** An id that no other conversation has. */
  static newId() {
    return [...crypto.getRandomValues(new Uint32Array(4))].map((each) => each.toString(36)).join("-");
  }
}
