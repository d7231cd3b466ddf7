// What a page does beyond links and forms. Every page works without it.
(() => {
  "use strict";

  // Times and days are those of where the browser is, from the next page on.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    document.cookie = `xinghe-zone=${zone}; path=/; max-age=31536000; samesite=lax`;
  }

  document.documentElement.classList.add("scripted");

  // <button data-copy="#id">: what stands in the element goes to the clipboard.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.querySelector(button.dataset.copy);
    await navigator.clipboard.writeText((source.value ?? source.textContent).trim());
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = before; }, 1500);
  });

  // <button data-print>: as the browser's own menu does.
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });

  // <form data-confirm="…">: asks once more before it is sent.
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);

  // <form data-now>: nothing is left to be asked.
  document.querySelector("form[data-now]")?.requestSubmit();

  // <p data-broken="…">: what stands there if a stream of pieces ends before it has replaced it.
  document.addEventListener("htmx:sse:close", () => {
    for (const each of document.querySelectorAll("[data-broken]")) {
      each.textContent = each.dataset.broken;
      each.removeAttribute("aria-busy");
      each.removeAttribute("data-broken");
    }
  });

  // <button data-cancel="#form">: what the form waits for is not wanted any more; the element of
  // data-then says data-cancelled.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-cancel]");
    if (!button) return;
    document.querySelector(button.dataset.then).dataset.broken = button.dataset.cancelled;
    document.querySelector(button.dataset.cancel).dispatchEvent(new Event("htmx:abort"));
  });

  // <form data-auto>: a filter that is changed is applied.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form) form.requestSubmit();
  });

  // <input type="checkbox" data-all="name">: ticks all boxes of the name, or none.
  document.addEventListener("change", (event) => {
    const name = event.target.dataset.all;
    if (!name) return;
    for (const box of document.getElementsByName(name)) box.checked = event.target.checked;
  });

  // The tab that was chosen last is the one of all programs, on every page; but for tabs of which
  // each page has its own (data-apart).
  const choose = (title) => {
    for (const label of document.querySelectorAll(".tabs:not([data-apart]) > label")) {
      if (label.textContent === title) label.control.checked = true;
    }
  };
  choose(localStorage.getItem("xinghe-tab"));
  document.addEventListener("change", (event) => {
    if (!event.target.matches(".tabs:not([data-apart]) > input")) return;
    const title = event.target.labels[0].textContent;
    localStorage.setItem("xinghe-tab", title);
    choose(title);
  });
})();
