// All clients with a session, however many: the broker searches, sorts and cuts into pages.

import { get } from "../api.mjs";
import { h, said, select } from "../dom.mjs";
import { ago, bytes, count, instant } from "../format.mjs";
import { stateBadge } from "../states.mjs";
import { filter, pagedTable } from "../table.mjs";

export const title = "Clients";

export const clientLink = (id) => h("a", { href: `#/client/${encodeURIComponent(id)}` }, said(id === "" ? "(empty)" : id));

const COLUMNS = [
  { label: "Client", sort: "client_id", cell: (one) => clientLink(one.client_id) },
  { label: "State", cell: (one) => stateBadge(one.state) },
  { label: "User", cell: (one) => (one.username ? said(one.username) : h("span", { class: "muted" }, "anonymous")) },
  { label: "Listener", class: "tight", cell: (one) => said(one.listener ?? "\u2013") },
  { label: "Address", class: "tight", cell: (one) => said(one.address ?? "\u2013") },
  { label: "MQTT", class: "tight", cell: (one) => one.version ?? "\u2013" },
  { label: "Since", sort: "connected_at", descendsFirst: true, class: "tight", cell: (one) => sinceOf(one) },
  { label: "Subscriptions", sort: "subscriptions", descendsFirst: true, class: "number", cell: (one) => count(one.subscriptions) },
  { label: "Queued", sort: "queued", descendsFirst: true, class: "number", cell: (one) => queuedOf(one) },
  { label: "In flight", sort: "inflight", descendsFirst: true, class: "number", cell: (one) => count(one.inflight) },
];

function sinceOf(one) {
  const at = one.state === "connected" ? one.connected_at : one.left_at;
  return h("time", { datetime: at ?? "", title: at ?? "" }, one.state === "connected" ? instant(at) : `left ${ago(at)}`);
}

function queuedOf(one) {
  return h("span", { title: one.queued_bytes ? bytes(one.queued_bytes) : undefined }, count(one.queued));
}

export function show({ query, note }) {
  const filters = [
    filter("search", "Search", h("input", { type: "search", placeholder: "Part of a client id or user name", maxlength: 256 })),
    filter("state", "State", select([["connected", "Connected"], ["away", "Away"], ["all", "All"]], {}, "connected")),
    filter("username", "User", h("input", { type: "search", maxlength: 256 })),
    filter("listener", "Listener", h("input", { type: "search", maxlength: 64 })),
    filter("version", "MQTT", select([["", "Any"], "5.0", "3.1.1", "3.1"])),
  ];
  const table = pagedTable({
    caption: title,
    columns: COLUMNS,
    filters,
    query,
    onQuery: note,
    load: (asked, signal) => get("/clients", { state: "connected", ...asked }, signal),
    none: { title: "No client matches", hint: "Change the search, or look at clients that are away." },
    refreshSecs: 10,
  });
  return { node: h("div", {}, h("div", { class: "heading" }, h("h1", {}, title)), table.node), stop: table.stop, again: table.refresh };
}
