// Conversations, kept in this browser (IndexedDB) and nowhere else: each member has his own.

export const MOST = 100;
/** Conversations; beyond them the oldest go. */
const LAST = "";
/** Under this key stands what was set last. */

/**
 * What a member's conversations are kept in: `about` has what the list shows of each, `kept` all
 * of it. Each method throws where the browser keeps nothing.
 */
export class Store {
  constructor(member) {
    this.name = `xinghe-playground-${member}`;
  }

  /** `{id, title, changed}` of each, the latest first. */
  async list() {
    const found = await this.#do("readonly", ({ about }) => about.getAll());
    return found.sort((one, other) => other.changed - one.changed);
  }

  async read(id) {
    return this.#do("readonly", ({ kept }) => kept.get(id));
  }

  /** Keep a conversation, under its title or the one that it was given. */
  async write(id, title, conversation) {
    await this.#do("readwrite", ({ about, kept }) => {
      kept.put(conversation, id);
      const asking = about.get(id);
      asking.onsuccess = () => {
        const named = asking.result?.named ?? "";
        about.put({ id, title, named, changed: Date.now() });
        prune(about, kept);
      };
    });
  }

  async rename(id, named) {
    await this.#do("readwrite", ({ about }) => {
      const asking = about.get(id);
      asking.onsuccess = () => {
        if (asking.result) about.put({ ...asking.result, named });
      };
    });
  }

  async drop(id) {
    await this.#do("readwrite", ({ about, kept }) => {
      about.delete(id);
      kept.delete(id);
    });
  }

  async clear() {
    await this.#do("readwrite", ({ about, kept }) => {
      about.clear();
      kept.clear();
    });
  }

  /** What was set last, for the next conversation. */
  async readLast() {
    return this.read(LAST);
  }

  async writeLast(set) {
    await this.#do("readwrite", ({ kept }) => kept.put(set, LAST));
  }

  async #do(mode, work) {
    this.opened ??= open(this.name);
    const transaction = (await this.opened).transaction(["about", "kept"], mode);
    const [about, kept] = ["about", "kept"].map((name) => transaction.objectStore(name));
    const request = work({ about, kept });
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request?.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }
}

function prune(about, kept) {
  const asking = about.getAll();
  asking.onsuccess = () => {
    const oldest = asking.result.sort((one, other) => other.changed - one.changed).slice(MOST);
    for (const { id } of oldest) {
      about.delete(id);
      kept.delete(id);
    }
  };
}

function open(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 3);
    request.onupgradeneeded = () => {
      const { result } = request;
      for (const each of [...result.objectStoreNames]) result.deleteObjectStore(each);
      result.createObjectStore("about", { keyPath: "id" });
      result.createObjectStore("kept");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
