// One client: its session, what it is subscribed to, what waits for it, what happened to it, and what can be done.

import { del, get, post } from "../api.mjs";
import { confirm, notify } from "../dialog.mjs";
import { field, h, replace, said, select, visible } from "../dom.mjs";
import { ago, bytes, count, duration, instant } from "../format.mjs";
import { may } from "../session.mjs";
import { badge, card, empty, facts, failed, loading, stateBadge } from "../states.mjs";
import { recorder } from "../timeline.mjs";
import { subscriptionColumns } from "./subscriptions.mjs";
import { pagedTable } from "../table.mjs";

export const title = "Client";

const REFRESH_MS = 5000;

export function show({ parameter: id }) {
  const path = `/clients/${encodeURIComponent(id)}`;
  const state = h("span", {});
  const actions = h("div", { class: "actions" });
  const body = h("div", {}, loading());
  const under = new AbortController();
  let timer;
  const subscriptions = pagedTable({
    caption: "Subscriptions",
    columns: subscriptionColumns({ ofClient: true, onRemoved: () => subscriptions.refresh() }),
    load: (asked, signal) => get(`${path}/subscriptions`, asked, signal),
    none: { title: "No subscriptions" },
    refreshSecs: 10,
  });
  const story = may("operator") ? recorder(path, id) : undefined;
  const rest = h("div", { class: "stack" }, card("Subscriptions", subscriptions.node), story?.node);

  async function look() {
    clearTimeout(timer);
    try {
      const client = await get(path, undefined, under.signal);
      replace(state, stateBadge(client.state));
      replace(actions, may("operator") ? buttonsOf(client, path, look) : null);
      replace(body, h("div", { class: "stack" }, partsOf(client), rest));
    } catch (error) {
      if (under.signal.aborted) return;
      replace(actions);
      if (error.status === 404) {
        replace(state, badge("no session"));
        replace(body, h("div", { class: "stack" }, empty("No session", "This client has none: it never came, or its session has ended."), story?.node));
      } else if (error.status !== 0 || !rest.isConnected) replace(body, failed(error, look));
    }
    if (!under.signal.aborted) timer = setTimeout(look, REFRESH_MS);
  }
  look();
  const back = h("p", {}, h("a", { href: "#/clients" }, "\u2190 All clients"));
  const node = h("div", {}, back, h("div", { class: "heading" }, h("h1", {}, said(id)), state, actions), body);
  const stop = () => (clearTimeout(timer), under.abort(), subscriptions.stop(), story?.stop());
  return { node, stop, again: look };
}

function partsOf(client) {
  const will = client.will;
  const queue = client.queue ?? {};
  return [
    card("Session", facts([
      ["User", client.username ? said(client.username) : h("span", { class: "muted" }, "anonymous")],
      ["Groups", client.groups?.length ? said(client.groups.join(", ")) : "\u2013"],
      ["Listener", said(client.listener ?? "\u2013")],
      ["Address", said(client.address ?? "\u2013")],
      ["MQTT", client.version],
      ["Connected", client.state === "connected" ? `${instant(client.connected_at)} (${ago(client.connected_at)})` : undefined],
      ["Left", client.state === "connected" ? undefined : `${instant(client.left_at)} (${ago(client.left_at)})`],
      ["Session ends", client.expires_at ? ago(client.expires_at) : undefined],
      ["Session expiry", expiryOf(client.expiry_secs)],
      ["Keep alive", client.keep_alive_secs === 0 ? "off" : duration(client.keep_alive_secs)],
      ["Clean start", yesNo(client.clean_start)],
      ["Outlives a restart", yesNo(client.persisted)],
      ["Packets in", count(client.packets_in)],
      ["Packets out", count(client.packets_out)],
      ["Held until", client.held_until ? ago(client.held_until) : undefined],
      ["Line", count(client.line)],
    ])),
    h("div", { class: "columns" },
      card("Queue", facts([
        ["Waiting", count(queue.messages ?? client.queued)],
        ["Size", bytes(queue.bytes ?? client.queued_bytes)],
        ["Oldest", queue.oldest_age_secs === undefined || queue.oldest_age_secs === null ? "\u2013" : `${duration(queue.oldest_age_secs)} old`],
        ["In flight", count(client.inflight)],
        ["Not written yet", client.unwritten_bytes === undefined ? undefined : bytes(client.unwritten_bytes)],
        ["Awaiting PUBREL", client.awaiting_pubrel === undefined ? undefined : count(client.awaiting_pubrel)],
      ])),
      card("Will", will
        ? facts([["Topic", said(will.topic)], ["QoS", will.qos], ["Retain", yesNo(will.retain)], ["Delay", duration(will.delay_secs ?? 0)]])
        : h("p", { class: "muted" }, "It has left none."))),
  ];
}

const yesNo = (value) => (value === undefined || value === null ? undefined : value ? "yes" : "no");

function expiryOf(secs) {
  if (secs === undefined || secs === null) return "never";
  return secs === 0 ? "with the connection" : secs >= 4_294_967_295 ? "never" : duration(secs);
}

function buttonsOf(client, path, look) {
  const button = (label, act) => h("button", { type: "button", class: "danger", on: { click: act } }, label);
  const named = () => said(client.client_id);
  const done = (text) => (notify(text), look());
  const disconnect = () =>
    confirm({
      title: ["Disconnect ", named(), "?"],
      body: [h("p", {}, "The connection is closed. The session stays, and most clients connect again."), field("Reason, for the client and the log", h("input", { name: "reason", maxlength: 256 }))],
      action: "Disconnect",
      act: (form) => del(`${path}/connection`, undefined, form.elements.reason.value ? { reason: form.elements.reason.value } : undefined),
    }).then((isDone) => isDone && done("The client was disconnected."));
  const end = () =>
    confirm({
      title: ["End the session of ", named(), "?"],
      body: h("p", {}, `Its ${count(client.subscriptions)} subscriptions and ${count(client.queued)} queued messages are gone for good; so is the connection.`),
      action: "End session",
      act: () => del(path),
    }).then((isDone) => isDone && done("The session was ended."));
  return [
    client.state === "connected" ? button("Disconnect", disconnect) : null,
    button("End session", end),
    button("Ban\u2026", () => ban(client, done)),
  ];
}

function ban(client, done) {
  const kinds = [["client_id", `Client ${visible(client.client_id)}`]];
  if (client.username) kinds.push(["username", `User ${visible(client.username)}`]);
  const address = client.address?.replace(/^\[(.*)\](:\d+)?$|^([^:]*):\d+$/, "$1$3");
  if (address && /^[\d.a-f:]+$/i.test(address)) kinds.push(["address", `Address ${address}`]);
  const values = { client_id: client.client_id, username: client.username, address };
  confirm({
    title: "Ban",
    body: [
      field("Whom", select(kinds, { name: "kind" })),
      field("For", select([["3600", "an hour"], ["86400", "a day"], ["604800", "a week"], ["", "ever"]], { name: "secs" })),
      field("Why, for whoever reads the list", h("input", { name: "reason", maxlength: 200 })),
      h("p", { class: "muted" }, "Whoever it names and is connected is disconnected."),
    ],
    action: "Ban",
    act: async (form) => {
      const { kind, secs, reason } = form.elements;
      await post("/bans", { kind: kind.value, value: values[kind.value], secs: secs.value ? Number(secs.value) : undefined, reason: reason.value || undefined });
    },
  }).then((isDone) => isDone && done("The ban is in force."));
}
