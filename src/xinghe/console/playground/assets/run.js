// One answer, from its request to its end.

import { add, fail } from "./answer.js";
import { ask } from "./stream.js";

/** Have `answer` made by what `body` asks; `changed` is told whenever it has. Never throws. */
export async function run(answer, body, { mark, signal, changed }) {
  const since = performance.now();
  try {
    await ask("chat", body, {
      mark,
      signal,
      onBegun: (id, ignored) => { Object.assign(answer, { requestId: id, ignored }); },
      onEvent: (event) => {
        if (add(answer, event, since)) changed();
      },
    });
    answer.state = "done";
  } catch (fault) {
    fail(answer, fault);
  }
  changed();
}
