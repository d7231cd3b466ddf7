// An answer, as the events of its stream add to it.

import { Refusal } from "./stream.js";

const MOST_CALLS = 128;

/** A new answer of a model: plain data, which the browser can keep. `json`: its text is JSON. */
export function newAnswer(model, json = false) {
  return {
    model, json, text: "", thought: "", calls: [], answered: false, sources: [], finish: "",
    requestId: "", ignored: "", usage: null, firstMs: null, lastMs: null, state: "waiting", problem: null,
  };
}

/** Add what an event says. Returns whether it said anything. */
export function add(answer, event, since) {
  let said = Boolean(event.search_results?.length || event.usage);
  for (const { delta = {}, finish_reason: finish } of event.choices ?? []) {
    const text = (delta.content ?? "") + (delta.refusal ?? "");
    const thought = delta.reasoning_content ?? "";
    const made = Boolean(text || thought || delta.tool_calls?.length);
    if (made) {
      answer.lastMs = performance.now() - since;
      answer.firstMs ??= answer.lastMs;
      answer.state = "answering";
    }
    if (made || finish) said = true;
    answer.text += text;
    answer.thought += thought;
    for (const part of delta.tool_calls ?? []) addCall(answer.calls, part);
    if (finish) answer.finish = finish;
  }
  if (event.search_results?.length) answer.sources = event.search_results;
  if (event.usage) answer.usage = event.usage;
  return said;
}

/** A call comes in parts: its name first, then pieces of its arguments. */
function addCall(calls, { index, id = "", function: part = {} }) {
  let call = calls.find((each) => each.index === index);
  if (!call) {
    if (calls.length >= MOST_CALLS) return;
    call = { index, id: "", name: "", arguments: "", result: "" };
    calls.push(call);
  }
  call.id ||= id;
  call.name += part.name ?? "";
  call.arguments += part.arguments ?? "";
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
