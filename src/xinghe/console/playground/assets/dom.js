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

/**
 * Have `work` done before the next picture is drawn, once however often it is asked for; again if
 * it returns that there is more. What takes long is done less often: most time is the page's own.
 */
export function paced(work) {
  let asked = false;
  const ask = () => {
    if (asked) return;
    asked = true;
    // A page that nobody sees draws no pictures.
    if (document.hidden) setTimeout(now, 100);
    else requestAnimationFrame(now);
  };
  const now = () => {
    const before = performance.now();
    const isMore = work();
    const rest = 3 * (performance.now() - before);
    setTimeout(() => {
      const again = missed || isMore;
      asked = missed = false;
      if (again) ask();
    }, rest > 16 ? rest : 0);
  };
  let missed = false;
  return () => {
    if (asked) missed = true;
    else ask();
  };
}
