// Pictures that go along with a question: chosen, dropped or pasted, and shown before they are sent.

import { element, visible } from "./dom.js";
import { word } from "./words.js";

const KINDS = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/bmp", [0x42, 0x4d]],
];
/** A picture is what its first bytes are, whatever its name says. */

/** The pictures within `root`, each `{name, url}`; `root` says how many and how large. */
export class Pictures {
  constructor(root) {
    this.root = root;
    this.list = [];
    this.most = Number(root.dataset.most);
    this.mostBytes = Number(root.dataset.bytes);
    this.shown = root.querySelector("ul");
    this.told = root.querySelector(".told");
    this.button = root.querySelector("button");
    this.able = true;
    this.before = 0; // pictures of earlier questions
    const chosen = root.querySelector("input");
    this.button.addEventListener("click", () => chosen.click());
    chosen.addEventListener("change", async () => {
      await this.add([...chosen.files]);
      chosen.value = "";
    });
    document.addEventListener("dragover", (event) => {
      if (hasFiles(event.dataTransfer)) event.preventDefault();
    });
    document.addEventListener("drop", (event) => {
      if (!hasFiles(event.dataTransfer)) return;
      event.preventDefault();
      this.add([...event.dataTransfer.files]);
    });
    document.addEventListener("paste", (event) => {
      // What is copied from a table or a page may be text, with a picture of it.
      const { files, types } = event.clipboardData ?? {};
      if (!files?.length || types.includes("text/plain")) return;
      event.preventDefault();
      this.add([...files]);
    });
  }

  /** Take pictures where all of the chosen models do. */
  follow(able) {
    this.able = able.includes("images");
    this.button.disabled = !this.able;
    this.#say("");
  }

  /** Add files; those that are none, or too large, or too many, are told. */
  async add(files) {
    if (!this.able) {
      this.#say(word("no-pictures"));
      return;
    }
    const told = [];
    for (const file of files) {
      if (this.before + this.list.length >= this.most) {
        told.push(word("many-pictures", { count: this.most }));
        break;
      }
      const fault = await this.#take(file);
      if (fault) told.push(`${visible(file.name).slice(0, 80)}: ${fault}`);
    }
    this.#say(told.join("\n"));
  }

  /** Show these in place of those that are there. */
  set(list) {
    this.list = [];
    this.shown.replaceChildren();
    for (const each of list) this.#show(each);
    this.#say("");
  }

  async #take(file) {
    if (file.size > this.mostBytes) return word("large-picture", { size: this.mostBytes / 2 ** 20 });
    const kind = await kindOf(file);
    if (!kind) return word("no-picture");
    const name = file.name.slice(0, 200).toWellFormed();
    const picture = { name, url: await read(new Blob([file], { type: kind })) };
    const image = new Image();
    image.src = picture.url;
    try {
      await image.decode();
    } catch {
      return word("no-picture");
    }
    this.#show(picture);
    return "";
  }

  #show(picture) {
    const name = visible(picture.name);
    const remove = element("button", {
      type: "button", className: "quiet", "aria-label": word("remove", { name }),
    }, "×");
    const shown = element("li", {},
      element("img", { src: picture.url, alt: name }), element("bdi", { title: name }, name), remove);
    remove.addEventListener("click", () => {
      this.list.splice(this.list.indexOf(picture), 1);
      shown.remove();
      this.button.focus();
    });
    this.list.push(picture);
    this.shown.append(shown);
  }

  #say(text) {
    this.told.textContent = text;
  }
}

/** Pictures of a question that was asked. */
export function thumbnails(pictures) {
  if (!pictures.length) return null;
  return element("div", { className: "thumbnails" }, ...pictures.map(({ name, url }) =>
    element("img", { src: url, alt: visible(name), title: visible(name) })));
}

function hasFiles(transfer) {
  return transfer?.types.includes("Files");
}

async function kindOf(file) {
  const bytes = new Uint8Array(await file.slice(0, 8).arrayBuffer());
  return KINDS.find(([, first]) => first.every((each, at) => bytes[at] === each))?.[0];
}

function read(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
