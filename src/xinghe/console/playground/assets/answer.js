// An answer, as the events of its stream add to it.

import { Refusal } from "./stream.js";

/** A new answer of a model: plain data, which the browser can keep. */
export function newAnswer(model) {
  return {
    role: "assistant", model, text: "", thought: "", sources: [], finish: "", requestId: "",
    usage: null, firstMs: null, state: "waiting", problem: null,
  };
}

/** Add what an event says. Returns whether it said anything. */
export function add(answer, event, since) {
  let said = Boolean(event.search_results?.length || event.usage);
  for (const { delta = {}, finish_reason: finish } of event.choices ?? []) {
    const text = (delta.content ?? "") + (delta.refusal ?? "");
    const thought = delta.reasoning_content ?? "";
    if ((text || thought) && answer.firstMs === null) {
      answer.firstMs = Math.round(performance.now() - since);
      answer.state = "answering";
    }
    if (text || thought || finish) said = true;
    answer.text += text;
    answer.thought += thought;
    if (finish) answer.finish = finish;
  }
  if (event.search_results?.length) answer.sources = event.search_results;
  if (event.usage) answer.usage = event.usage;
  return said;
}

/** Note why an answer ended before its end. */
export function fail(answer, fault) {
  answer.state = fault.name === "AbortError" ? "stopped" : "failed";
  if (answer.state === "stopped") return;
  if (fault instanceof Refusal) {
    const { code, message, requestId, again } = fault;
    answer.problem = { code, message, again };
    answer.requestId = requestId || answer.requestId;
  } else {
    answer.problem = { code: answer.requestId ? "broken" : "unreachable", message: "", again: "" };
  }
}

/** The messages of a conversation as the API takes them: what failed is not told to the model. */
export function asSent(turns) {
  const sent = [];
  for (const turn of turns) {
    if (turn.role === "user") {
      // Of two questions in a row, the first was never answered.
      if (sent.at(-1)?.role === "user") sent.pop();
      sent.push({ role: "user", content: turn.text });
    } else if (turn.text) {
      sent.push({ role: "assistant", content: turn.text });
    }
  }
  return sent;
}
