// What happens at this moment: events of clients and broker, and the log.

import { del, get, put, stream } from "../api.mjs";
import { attempt } from "../dialog.mjs";
import { field, h, replace, said, select, visible } from "../dom.mjs";
import { feed } from "../feed.mjs";
import { ago, instant } from "../format.mjs";
import { tabs } from "../payload.mjs";
import { may } from "../session.mjs";
import { badge, card, failed } from "../states.mjs";
import { entryRow, parsed } from "../timeline.mjs";
import { clientLink } from "./clients.mjs";

export const title = "Events and log";

const EVENTS = [
  "connected", "refused", "disconnected", "subscribed", "unsubscribed", "session_created", "session_ended", "denied", "dropped",
  "limit", "listener", "reload", "drain", "memory", "store",
];
const LEVELS = ["error", "warn", "info", "debug", "trace"];
const KINDS = { error: "bad", warn: "warn", info: "accent" };

export function show({ query, note }) {
  const outlet = h("div", { role: "tabpanel", "aria-label": title });
  let open;
  const choose = (make) => {
    open?.stop();
    open = make();
    replace(outlet, open.node);
  };
  const bar = tabs("Events or log", ["Events", "Log"], (index) => choose(() => (index === 0 ? events(query, note) : log())));
  return { node: h("div", {}, h("div", { class: "heading" }, h("h1", {}, title)), bar, outlet), again() {}, stop: () => open?.stop() };
}

function events(query, note) {
  let under = new AbortController();
  const list = feed({ label: "Events", write: eventRow, none: "Nothing has happened since this page was opened." });
  const kind = select([["", "All"], ...EVENTS.map((one) => [one, one.replaceAll("_", " ")])], { name: "kind" }, query.kind);
  const client = h("input", { type: "search", name: "client_id", value: query.client_id ?? "", maxlength: 1024 });
  const form = h("form", { class: "filters", role: "search" }, field("Client", client), field("Kind", kind), h("div", { class: "field end" }, h("button", { type: "submit" }, "Apply")));
  const follow = () => {
    const asked = { kind: kind.value || undefined, client_id: client.value.trim() || undefined };
    stream("/events", { query: asked, signal: under.signal, onEvent: (event) => list.add({ kind: event.name, ...parsed(event.data) }), onState: (state, why) => list.say(state === "open" ? "Live" : why) });
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    under.abort();
    under = new AbortController();
    list.clear();
    note(Object.fromEntries([["kind", kind.value], ["client_id", client.value]].filter(([, value]) => value)));
    follow();
  });
  follow();
  return { node: h("div", {}, form, card(null, list.node)), stop: () => under.abort() };
}

function eventRow(event) {
  const { client_id: id } = event;
  const row = entryRow(event);
  if (id !== undefined && id !== null) row.insertBefore(clientLink(id), row.querySelector(".entry-text"));
  row.querySelector(".arrow").remove();
  return row;
}

function log() {
  const under = new AbortController();
  const list = feed({ label: "Log", write: recordRow, none: "Nothing was logged." });
  const admin = may("admin") ? levels() : undefined;
  begin();

  async function begin() {
    try {
      const recent = await get("/log/recent", undefined, under.signal);
      for (const record of recent.items ?? recent.records ?? recent) list.add(record);
    } catch (error) {
      if (!under.signal.aborted) list.say(error.message);
    }
    stream("/log/stream", { signal: under.signal, onEvent: (event) => list.add(parsed(event.data)), onState: (state, why) => list.say(state === "open" ? "Live" : why) });
  }
  return { node: h("div", { class: "stack" }, admin, card(null, list.node)), stop: () => under.abort() };
}

function recordRow(record) {
  const level = String(record.level ?? "").toLowerCase();
  const fields = record.fields && typeof record.fields === "object" ? record.fields : {};
  const message = record.message ?? fields.message ?? record.text ?? "";
  const words = Object.entries({ ...fields, ...(typeof record.fields === "string" ? { "": record.fields } : {}) }).filter(([name]) => name !== "message");
  return h("li", { class: "entry" },
    h("time", { class: "muted", datetime: record.at ?? "" }, instant(record.at)),
    badge(level || "\u2013", KINDS[level]),
    h("span", { class: "entry-text" }, visible(message), " ", h("span", { class: "muted" }, said(words.map(([name, value]) => (name ? `${name}=${typeof value === "object" ? JSON.stringify(value) : value}` : value)).join(" ")))),
    h("span", { class: "muted" }, visible(record.target ?? "")));
}

/** The level of the log at run time, and of single clients and topics. */
function levels() {
  const box = h("div", {});
  const level = select(LEVELS, { name: "level" });
  const of = select([["client_id", "client"], ["topic", "topic filter"]], { name: "of" });
  const whom = h("input", { name: "whom", required: true, maxlength: 1024 });
  const single = select(LEVELS, { name: "single" }, "debug");
  const secs = select([["600", "10 minutes"], ["3600", "an hour"], ["86400", "a day"]], { name: "secs" });
  let known = { overrides: [] };

  async function look() {
    try {
      known = await get("/log");
      if (LEVELS.includes(known.level)) level.value = known.level;
      replace(box, (known.overrides ?? []).length ? h("ul", { class: "chips", "aria-label": "Levels of single clients and topics" }, known.overrides.map(chip)) : null);
    } catch (error) {
      replace(box, failed(error, look));
    }
  }
  // What is in force is sent back with the time that it has left.
  const kept = ({ client_id, topic, level, expires_at }) => ({ client_id, topic, level, for_secs: Math.max(1, Math.ceil((Date.parse(expires_at) - Date.now()) / 1000)) });
  const chip = (one) => {
    const drop = () => change({ level: known.level, overrides: known.overrides.filter((other) => other !== one).map(kept) }, "The level was taken back.");
    return h("li", {}, said(one.client_id ?? one.topic), ` ${one.level}${one.expires_at ? `, ends ${ago(one.expires_at)}` : ""} `, h("button", { type: "button", class: "quiet small", "aria-label": `Take back the level of ${one.client_id ?? one.topic}`, on: { click: drop } }, "\u00d7"));
  };
  const change = async (body, text) => {
    await attempt(() => put("/log", body), text);
    look();
  };
  const all = h("form", { class: "form" }, field("Level of the log", level), h("div", { class: "actions" }, h("button", { type: "submit" }, "Set"), h("button", { type: "button", on: { click: async () => (await attempt(() => del("/log"), "The log is as the settings have it."), look()) } }, "As in the settings")));
  all.addEventListener("submit", (event) => (event.preventDefault(), change({ level: level.value, overrides: (known.overrides ?? []).map(kept) }, "The level was set.")));
  const one = h("form", { class: "form" }, field("For a single", of), field("Name", whom), field("Level", single), field("For", secs), h("button", { type: "submit" }, "Add"));
  one.addEventListener("submit", (event) => {
    event.preventDefault();
    const override = { [of.value]: whom.value, level: single.value, for_secs: Number(secs.value) };
    change({ level: known.level, overrides: [...(known.overrides ?? []).map(kept), override] }, "The level was set.");
    whom.value = "";
  });
  look();
  return card("Level", h("div", { class: "stack" }, all, one, box));
}
