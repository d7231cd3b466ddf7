// JSON as people write and read it.

const DEEPEST = 40;
/** Levels that are set in; what is deeper stands no further to the right. */

/** What a text holds: its `value`, or the `fault` that makes it no JSON, in words. */
export function readJson(text, word) {
  try {
    const value = JSON.parse(text);
    JSON.stringify(value); // what is too deep to be sent is told here
    return { value, fault: "" };
  } catch (error) {
    if (!(error instanceof SyntaxError)) return { fault: word("too-deep") };
    const place = /line (\d+) column (\d+)/.exec(error.message);
    return {
      fault: place ? word("no-json-at", { line: place[1], column: place[2] }) : word("no-json"),
    };
  }
}

/** JSON, or the beginning of it, in lines. Nothing but blanks changes: numbers stay as they are. */
export function pretty(text) {
  const lines = [];
  let line = "";
  let depth = 0;
  const newLine = () => {
    lines.push(line);
    line = "  ".repeat(Math.min(depth, DEEPEST));
  };
  for (const [part] of text.matchAll(/"(?:[^"\\]|\\.)*"?|[{[]\s*[}\]]|[{}[\],:]|[^\s"{}[\],:]+/gs)) {
    if (part === "{" || part === "[") {
      line += part;
      depth += 1;
      newLine();
    } else if (part === "}" || part === "]") {
      depth = Math.max(depth - 1, 0);
      newLine();
      line += part;
    } else if (part === ",") {
      line += part;
      newLine();
    } else if (part === ":") {
      line += ": ";
    } else {
      line += /^[{[]/.test(part) ? part.replace(/\s/g, "") : part;
    }
  }
  return [...lines, line].join("\n");
}
