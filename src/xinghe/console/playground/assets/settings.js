// All that is set beside the question, and the request that is made of it.

import { Format } from "./format.js";
import { Parameters } from "./parameters.js";
import { Tools } from "./tools.js";

/** The forms in the column of settings; `models` tells which are chosen, and what they can do. */
export class Settings {
  constructor(root, { mark, models, onChange }) {
    this.models = models;
    const check = (fields) => this.#checks(fields);
    this.parameters = new Parameters(root.querySelector("#parameters"));
    this.tools = new Tools(root.querySelector("#tools-set"), { mark, check, onChange });
    this.format = new Format(root.querySelector("#format-set"), { mark, check, onChange });
    root.querySelector("#parameters").addEventListener("change", () => {
      this.tools.field.recheck();
      this.format.field.recheck();
      onChange();
    });
  }

  /** Offer what the chosen models take. */
  follow() {
    const able = this.models.able;
    this.parameters.follow(this.models.about, this.models.chosen);
    this.tools.follow(able);
    this.format.follow(able);
  }

  /** Whether all may be sent; if not, the field is shown that may not. */
  check() {
    return this.parameters.check() && this.tools.field.isFine() && this.format.isFine();
  }

  /** The body of a request. */
  request(model, messages) {
    const { system } = this.parameters;
    return {
      model,
      messages: system ? [{ role: "system", content: system }, ...messages] : messages,
      stream: true,
      stream_options: { include_usage: true },
      ...this.parameters.valuesFor(this.models.told(model)),
      ...this.tools.values,
      ...this.format.values,
    };
  }

  get kept() {
    return { parameters: this.parameters.kept, tools: this.tools.kept, format: this.format.kept };
  }

  restore({ parameters = {}, tools, format } = {}) {
    this.parameters.restore(parameters);
    this.tools.restore(tools);
    this.format.restore(format);
  }

  /** Requests of a part of the settings, which the service is to look at: one for each model. */
  #checks(fields) {
    return this.models.chosen.map((model) => {
      const { max_completion_tokens: most, stop } = this.parameters.valuesFor(this.models.told(model));
      const messages = [{ role: "user", content: "?" }];
      return { model, messages, max_completion_tokens: most, stop, ...fields };
    });
  }
}
