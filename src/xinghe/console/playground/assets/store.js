// The conversation, kept in this browser (IndexedDB) and nowhere else: each member has his own.

const KEY = "conversation";

/** Where a member's conversation is kept. Each method throws where the browser keeps nothing. */
export class Store {
  constructor(member) {
    this.name = `xinghe-playground-${member}`;
  }

  async read() {
    return (await this.#do("readonly", (table) => table.get(KEY))) ?? { rounds: [] };
  }

  async write(conversation) {
    await this.#do("readwrite", (table) => table.put(conversation, KEY));
  }

  async clear() {
    await this.#do("readwrite", (table) => table.clear());
  }

  async #do(mode, work) {
    this.opened ??= open(this.name);
    const transaction = (await this.opened).transaction("kept", mode);
    const request = work(transaction.objectStore("kept"));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }
}

function open(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 2);
    request.onupgradeneeded = () => {
      const { result } = request;
      if (result.objectStoreNames.contains("kept")) result.deleteObjectStore("kept");
      result.createObjectStore("kept");
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
