// What a part of the page shows while it has nothing: it waits, there is none, or something went wrong.

import { h } from "./dom.mjs";

export const loading = (what = "Loading") => h("div", { class: "state", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), `${what}\u2026`);

export const empty = (title, hint) => h("div", { class: "state empty" }, h("strong", {}, title), hint ? h("p", {}, hint) : null);

export function failed(error, again) {
  const retry = again ? h("button", { type: "button", on: { click: again } }, "Try again") : null;
  return h("div", { class: "state failed", role: "alert" }, h("strong", {}, headingOf(error)), h("p", {}, error.message), retry);
}

function headingOf(error) {
  if (error.status === 403) return "Your role does not allow this";
  if (error.status === 404) return "There is nothing here";
  if (error.status === 0) return "No connection";
  return "That did not work";
}

/** A word in a colour, which the word alone would say too. */
export const badge = (text, kind = "plain") => h("span", { class: `badge ${kind}` }, text);

export const stateBadge = (state) => badge(state ?? "unknown", state === "connected" ? "good" : "plain");

/** A list of names and values. */
export function facts(pairs) {
  const shown = pairs.filter((pair) => pair && pair[1] !== undefined);
  return h("dl", { class: "facts" }, shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value ?? "\u2013"))));
}

/** A part of the page with a heading of its own. */
export function card(title, ...children) {
  return h("section", { class: "card" }, title ? h("h2", {}, title) : null, children);
}
