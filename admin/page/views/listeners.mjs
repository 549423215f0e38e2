// Where clients come in.

import { get } from "../api.mjs";
import { h, replace, said, visible } from "../dom.mjs";
import { count } from "../format.mjs";
import { empty, failed, loading } from "../states.mjs";
import { tableOf } from "../table.mjs";

export const title = "Listeners";

const COLUMNS = [
  { label: "Name", cell: (one) => h("a", { href: `#/clients?listener=${encodeURIComponent(one.name)}` }, said(one.name)) },
  { label: "Where", cell: (one) => said(one.endpoint) },
  { label: "Transport", cell: (one) => visible(one.transport) },
  { label: "Certificates of clients", cell: (one) => (one.client_certificates ? "asked for" : "\u2013") },
  { label: "Connections", class: "number", cell: (one) => count(one.connections) },
  { label: "At most", class: "number", cell: (one) => count(one.connections_max) },
];

export function show() {
  const box = h("div", { class: "table-box" }, loading());
  const under = new AbortController();
  async function look() {
    try {
      const answer = await get("/listeners", undefined, under.signal);
      replace(box, answer.items.length ? tableOf(title, COLUMNS, answer.items) : empty("No listener"));
    } catch (error) {
      if (!under.signal.aborted) replace(box, failed(error, look));
    }
  }
  look();
  const timer = setInterval(() => document.hidden || box.contains(document.activeElement) || look(), 5000);
  const node = h("div", {}, h("div", { class: "heading" }, h("h1", {}, title)), box);
  return { node, again: look, stop: () => (clearInterval(timer), under.abort()) };
}
