// A conversation: rounds, each a question and what one model or two have answered. Plain data,
// which the browser can keep.

/** A question, and its pictures `{name, url}`. `sides` has the answers of each model: several in a row where it called tools. */
export function newRound(text, pictures = []) {
  return { text, pictures, sides: [] };
}

/**
 * What a side's model is told of the rounds: what failed is not, nor a question without answer.
 * `urlOf` gives the URL of a picture.
 */
export function messagesOf(rounds, side, urlOf = ({ url }) => url) {
  const sent = [];
  for (const round of rounds) {
    const said = (round.sides[side] ?? round.sides[0] ?? []).flatMap(spoken);
    if (said.length || round === rounds.at(-1)) sent.push(question(round, urlOf), ...said);
  }
  return sent;
}

function question({ text, pictures }, urlOf) {
  const shown = pictures.map((each) => ({ type: "image_url", image_url: { url: urlOf(each) } }));
  return { role: "user", content: shown.length ? [{ type: "text", text }, ...shown] : text };
}

/** An answer as the API takes it back; calls go along with their results, or not at all. */
function spoken({ text, calls, answered }) {
  if (!calls.length || !answered) return text ? [{ role: "assistant", content: text }] : [];
  return [
    {
      role: "assistant",
      content: text || null,
      tool_calls: calls.map(({ id, name, arguments: given }) =>
        ({ id, type: "function", function: { name, arguments: given } })),
    },
    ...calls.map(({ id, result }) => ({ role: "tool", tool_call_id: id, content: result })),
  ];
}
