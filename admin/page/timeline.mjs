// What happened to a client, from the flight recorder, and what happens to it at this moment.

import { get, stream, urlOf } from "./api.mjs";
import { h, replace, said, visible } from "./dom.mjs";
import { feed } from "./feed.mjs";
import { count, hexOf, instant, payloadOf } from "./format.mjs";
import { card, empty, failed, loading } from "./states.mjs";

const DIRECTIONS = { in: ["\u2192", "from the client"], out: ["\u2190", "to the client"] };

/** What a row says after its text. */
function rest(entry) {
  const words = [];
  if (entry.times > 1) words.push(`${entry.times} times`);
  if (entry.by) words.push(`by ${entry.by}`);
  if (entry.reason_code !== undefined && entry.reason_code !== null) words.push(`0x${entry.reason_code.toString(16).padStart(2, "0").toUpperCase()}`);
  if (entry.missed) words.push(`${entry.missed} were missed: this page did not keep up`);
  if (entry.address) words.push(`from ${entry.address}`);
  return words.length ? h("span", { class: "muted" }, said(` ${words.join(", ")}`)) : null;
}

/** The bytes that are kept of a packet, written out when they are asked for. */
function bytesOf(entry) {
  if (!entry.raw_base64) return null;
  const box = h("details", { class: "bytes" }, h("summary", {}, `${count(entry.size_bytes)} B${entry.cut ? ", cut" : ""}`));
  box.addEventListener("toggle", () => {
    if (box.open && !box.querySelector("pre")) box.append(h("pre", { class: "payload", tabindex: "0", "aria-label": "Bytes" }, hexOf(payloadOf({ payload_base64: entry.raw_base64 }))));
  });
  return box;
}

/** One entry: time, direction, packet or decision, the rest in words. */
export function entryRow(entry) {
  const [arrow, direction] = DIRECTIONS[entry.direction] ?? ["\u2022", "decision"];
  return h("li", { class: entry.direction ? "entry" : "entry decision" },
    h("time", { class: "muted", datetime: entry.at ?? "", title: entry.at ?? "" }, withMillis(entry.at)),
    h("span", { class: "arrow", title: direction }, arrow, h("span", { class: "unseen" }, direction)),
    h("strong", {}, visible(entry.packet ?? (entry.kind ?? "").replaceAll("_", " "))),
    h("span", { class: "entry-text" }, said(entry.text ?? ""), rest(entry)),
    bytesOf(entry));
}

function withMillis(at) {
  const millis = /\.(\d{3})/.exec(at ?? "")?.[1];
  return millis ? `${instant(at)}.${millis}` : instant(at);
}

/** The recorder of one client, with a live trace on demand. */
export function recorder(path) {
  const box = h("div", {}, loading());
  const live = feed({ label: "Live trace", write: entryRow, none: "Waiting for the next packet." });
  live.node.hidden = true;
  const reload = h("button", { type: "button", class: "small", on: { click: look } }, "Read again");
  const save = h("a", { class: "button small", href: urlOf(`${path}/recorder`, { format: "pcapng" }), download: "recorder.pcapng" }, "pcapng for Wireshark");
  const toggle = h("button", { type: "button", class: "small", "aria-pressed": "false", on: { click: trace } }, "Trace live");
  let under;

  async function look() {
    replace(box, loading());
    try {
      const answer = await get(`${path}/recorder`);
      const entries = answer.items;
      replace(box, h("p", { class: "verdict" }, visible(answer.verdict)), entries.length ? h("ol", { class: "timeline", tabindex: "0", "aria-label": "Recorded packets and decisions" }, entries.map(entryRow)) : empty("Nothing is recorded"));
    } catch (error) {
      replace(box, error.status === 404 ? empty("Nothing is recorded of this client", error.message) : failed(error, look));
    }
  }

  function trace() {
    const isOn = Boolean(under);
    under?.abort();
    under = isOn ? undefined : new AbortController();
    toggle.setAttribute("aria-pressed", String(!isOn));
    replace(toggle, isOn ? "Trace live" : "End trace");
    live.node.hidden = isOn;
    if (isOn) return;
    live.clear();
    stream(`${path}/trace`, { signal: under.signal, onEvent: (event) => live.add({ kind: event.name, ...parsed(event.data) }), onState: (state, why) => live.say(state === "open" ? "Live" : why) });
  }

  look();
  const node = card(null, h("div", { class: "card-head" }, h("h2", {}, "Flight recorder"), h("div", { class: "card-actions" }, reload, save, toggle)), live.node, box);
  return { node, stop: () => under?.abort() };
}

/** An event's data: an object, or a text as it is. */
export function parsed(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : { text: String(value) };
  } catch {
    return { text };
  }
}
