// A list that grows at its top and is bounded: messages, events, records of the log.

import { h, replace } from "./dom.mjs";
import { count } from "./format.mjs";

/** `write(entry)` makes a row. Answers with the node, `add(entry)`, `say(state)` and `clear()`. */
export function feed({ label, write, none, max = 500 }) {
  let isPaused = false;
  let held = [];
  let seen = 0;
  const list = h("ol", { class: "feed", "aria-label": label, tabindex: "0" });
  const nothing = h("p", { class: "state empty" }, none);
  const status = h("span", { class: "muted", role: "status" });
  const hold = h("button", { type: "button", class: "small", "aria-pressed": "false" }, "Pause");
  const wipe = h("button", { type: "button", class: "small", on: { click: clear } }, "Clear");
  const bar = h("div", { class: "feed-head" }, status, hold, wipe);
  let pending = [];
  let due = false;

  hold.addEventListener("click", () => {
    isPaused = !isPaused;
    hold.setAttribute("aria-pressed", String(isPaused));
    replace(hold, isPaused ? "Go on" : "Pause");
    if (!isPaused) {
      pending = held.concat(pending);
      held = [];
      schedule();
    }
    tell();
  });

  let state = "";
  function tell() {
    const more = isPaused && held.length ? `, ${count(held.length)} held back` : "";
    const text = `${state}${seen ? `${state ? ", " : ""}${count(seen)} so far` : ""}${more}`;
    if (status.textContent !== text) replace(status, text);
  }

  function clear() {
    list.replaceChildren();
    pending = [];
    held = [];
    seen = 0;
    nothing.hidden = false;
    tell();
  }

  function schedule() {
    if (due) return;
    due = true;
    setTimeout(flush, 100);
  }

  function flush() {
    due = false;
    const rows = pending.slice(-max).reverse().map(write);
    pending = [];
    if (rows.length === 0) return;
    nothing.hidden = true;
    list.prepend(...rows);
    while (list.children.length > max) list.lastChild.remove();
    tell();
  }

  return {
    node: h("div", { class: "feed-box" }, bar, nothing, list),
    clear,
    say(text) {
      state = text;
      tell();
    },
    add(entry) {
      seen += 1;
      const into = isPaused ? held : pending;
      into.push(entry);
      if (into.length > max) into.shift();
      if (isPaused) tell();
      else schedule();
    },
  };
}
