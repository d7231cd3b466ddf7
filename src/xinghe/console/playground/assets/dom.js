// Elements, made without a line of HTML: whatever a text says, it is text.

/** An element; `more` are its properties, or attributes where they hold a hyphen or are `role`. */
export function element(name, more = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(more)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((each) => each !== null && each !== ""));
  return made;
}

/** Characters that turn the order of those behind them. */
const TURNING = /[\u202A-\u202E\u2066-\u2069]/g;

/** A text of which no part can hide what stands behind it: what turns it is named. */
export function visible(text) {
  return text.replace(TURNING, (each) => `[U+${each.charCodeAt(0).toString(16).toUpperCase()}]`);
}

/**
 * Have `work` done at once, and then at most once for each picture that is drawn, however often it
 * is asked for; again if it returns that there is more. What takes long is done less often: most of
 * the time is the page's own.
 */
export function paced(work) {
  let resting = false;
  let missed = false;
  const now = () => {
    const before = performance.now();
    missed = work();
    resting = true;
    const rest = 3 * (performance.now() - before);
    // A page that nobody sees draws no pictures.
    if (document.hidden) setTimeout(end, Math.max(rest, 100));
    else if (rest > 16) setTimeout(end, rest);
    else requestAnimationFrame(end);
  };
  const end = () => {
    resting = false;
    if (missed) now();
  };
  return () => {
    if (resting) missed = true;
    else now();
  };
}
