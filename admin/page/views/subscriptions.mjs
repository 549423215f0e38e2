// Who is subscribed to what.

import { del, get } from "../api.mjs";
import { confirm, notify } from "../dialog.mjs";
import { h, said } from "../dom.mjs";
import { may } from "../session.mjs";
import { badge } from "../states.mjs";
import { filter, pagedTable } from "../table.mjs";
import { clientLink } from "./clients.mjs";

export const title = "Subscriptions";

/** Columns of subscriptions: of all clients, or `ofClient`. */
export function subscriptionColumns({ ofClient = false, onRemoved }) {
  const columns = [
    { label: "Filter", sort: "filter", cell: (one) => said(one.filter) },
    { label: "Client", sort: "client_id", cell: (one) => clientLink(one.client_id) },
    { label: "Shared by", cell: (one) => (one.share ? said(one.share) : "\u2013") },
    { label: "QoS", class: "number", cell: (one) => one.qos },
    { label: "Options", cell: (one) => optionsOf(one) },
    { label: "Identifier", class: "number", cell: (one) => one.subscription_id ?? "\u2013" },
  ];
  if (may("operator")) columns.push({ label: "", class: "number", cell: (one) => removal(one, onRemoved) });
  return ofClient ? columns.filter(({ label }) => label !== "Client") : columns;
}

function optionsOf(one) {
  const options = [one.no_local && "no local", one.retain_as_published && "retain as published"].filter(Boolean);
  return options.length ? options.map((text) => badge(text)) : "\u2013";
}

function removal(one, onRemoved) {
  const filterText = one.share ? `$share/${one.share}/${one.filter}` : one.filter;
  const click = () =>
    confirm({
      title: "Remove this subscription?",
      body: h("p", {}, said(one.client_id), " is subscribed to ", said(filterText), ". It is not told, and gets no more of these messages."),
      action: "Remove",
      act: () => del(`/clients/${encodeURIComponent(one.client_id)}/subscriptions`, { filter: filterText }),
    }).then((isDone) => {
      if (!isDone) return;
      notify("The subscription was removed.");
      onRemoved();
    });
  return h("button", { type: "button", class: "small danger", "aria-label": `Remove ${filterText}`, on: { click } }, "Remove");
}

export function show({ query, note }) {
  const table = pagedTable({
    caption: title,
    columns: subscriptionColumns({ onRemoved: () => table.refresh() }),
    filters: [
      filter("search", "Search", h("input", { type: "search", placeholder: "Part of a filter", maxlength: 256 })),
      filter("topic", "Would get topic", h("input", { type: "search", placeholder: "plant/7/state", maxlength: 1024 })),
      filter("client_id", "Client", h("input", { type: "search", maxlength: 256 })),
    ],
    query,
    onQuery: note,
    load: (asked, signal) => get("/subscriptions", asked, signal),
    none: { title: "No subscription matches" },
    refreshSecs: 10,
  });
  return { node: h("div", {}, h("div", { class: "heading" }, h("h1", {}, title)), table.node), stop: table.stop, again: table.refresh };
}
