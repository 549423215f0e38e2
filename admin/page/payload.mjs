// A payload to look at: as text, as JSON, as bytes.

import { fresh, h, replace, visible } from "./dom.mjs";
import { bytes, hexOf, textOf } from "./format.mjs";

const TEXT_MAX = 200_000;

function jsonOf(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return undefined;
  }
}

/** Control characters are written out; line ends and tabs stay. */
function shownText(text) {
  return text.slice(0, TEXT_MAX).split(/([\n\t])/).map((part) => (part === "\n" || part === "\t" ? part : visible(part))).join("");
}

/** A viewer with a tab for each way to read it. */
export function payloadView(data) {
  const text = textOf(data);
  const json = text === undefined || !/^\s*[[{"]/.test(text) ? undefined : jsonOf(text);
  const ways = [];
  if (json !== undefined) ways.push(["JSON", () => shownText(json)]);
  if (text !== undefined) ways.push(["Text", () => shownText(text)]);
  const isBinary = text === undefined || /[\u0000-\u0008\u000e-\u001f]/.test(text);
  ways[isBinary ? "unshift" : "push"](["Hex", () => hexOf(data)]);
  const shown = h("pre", { class: "payload", tabindex: "0", role: "tabpanel", "aria-label": "Payload" });
  const bar = tabs("Payload as", ways.map(([name]) => name), (index) => {
    replace(shown, data.length === 0 ? "(empty)" : ways[index][1]());
  });
  shown.id = fresh("payload");
  for (const tab of bar.querySelectorAll("button")) tab.setAttribute("aria-controls", shown.id);
  return h("div", { class: "payload-box" }, h("div", { class: "payload-head" }, bar, h("span", { class: "muted" }, bytes(data.length))), shown);
}

/** A row of tabs; the first is chosen. */
export function tabs(label, names, choose) {
  const buttons = names.map((name, index) => h("button", { type: "button", role: "tab", on: { click: () => select(index) } }, name));
  const bar = h("div", { class: "tabs", role: "tablist", "aria-label": label }, buttons);
  function select(index) {
    buttons.forEach((button, at) => {
      button.setAttribute("aria-selected", String(at === index));
      button.tabIndex = at === index ? 0 : -1;
    });
    choose(index);
  }
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
    select(next);
    buttons[next].focus();
    event.preventDefault();
  });
  select(0);
  return bar;
}
