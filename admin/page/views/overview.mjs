// How the broker fares at this moment and in the last five minutes.

import { chart } from "../chart.mjs";
import { h, replace, visible } from "../dom.mjs";
import { bytes, count, duration, figure } from "../format.mjs";
import { lawOf as lawIn, quantile, read } from "../metrics.mjs";
import { sampler } from "../sampler.mjs";
import { card, facts, loading } from "../states.mjs";

export const title = "Overview";

const perSec = (value) => (value === undefined ? "\u2013" : `${figure(value)}/s`);
const delay = (secs) => (secs === undefined ? "\u2013" : secs < 0.001 ? `${figure(secs * 1e6)} \u00b5s` : secs < 1 ? `${figure(secs * 1000)} ms` : `${figure(secs)} s`);
const bytesPerSec = (value) => (value === undefined ? "\u2013" : `${bytes(value)}/s`);

export function show() {
  const charts = [
    chart("Messages", [{ key: "messagesIn", label: "in" }, { key: "messagesOut", label: "out" }], perSec),
    chart("Bytes", [{ key: "bytesIn", label: "in" }, { key: "bytesOut", label: "out" }], bytesPerSec),
    chart("Connections", [{ key: "connections", label: "connected" }], count),
    chart("Waiting", [{ key: "queued", label: "queued" }, { key: "inflight", label: "in flight" }], count),
    chart("Time to delivery", [{ key: "median", label: "median" }, { key: "slow", label: "99 of 100" }], delay),
    chart("Lost", [{ key: "dropped", label: "dropped or refused" }], perSec),
  ];
  const warnings = h("div", { class: "stack", "aria-live": "polite" });
  const tiles = h("div", { class: "tiles" });
  const law = h("div", {});
  const about = h("div", {});
  const body = h("div", { class: "stack" }, warnings, tiles, h("div", { class: "charts" }, charts.map((one) => one.card)),
    h("div", { class: "columns" }, card("Where messages are", law), card("This broker", about)));
  const wait = loading();
  const node = h("div", {}, h("div", { class: "heading" }, h("h1", {}, title)), wait, body);
  let said = "";
  const delays = delaysOf();

  function draw() {
    const now = sampler.latest;
    body.hidden = !now;
    wait.hidden = Boolean(now);
    if (!now) return;
    const lines = now.warnings ?? [];
    if (said !== lines.join("\n")) replace(warnings, lines.map((line) => h("p", { class: "warning" }, visible(line))));
    said = lines.join("\n");
    replace(tiles, tilesOf(now));
    for (const one of charts) one.draw(sampler.samples);
    replace(law, lawOf(now.law ?? lawIn(delays.families, now)));
    replace(about, aboutOf(now));
  }
  const sample = async () => {
    await delays.look();
    draw();
  };
  sampler.addEventListener("sample", sample);
  draw();
  sample();
  return { node, again() {}, stop: () => (sampler.removeEventListener("sample", sample), delays.stop()) };
}

/** Reads the metrics while the overview is looked at, and notes the delays of what was delivered in between. */
function delaysOf() {
  const under = new AbortController();
  const delays = {
    families: undefined,
    stop: () => under.abort(),
    async look() {
      const sample = sampler.samples.at(-1);
      const families = await read(under.signal);
      if (!families) return;
      const before = delays.families;
      delays.families = families;
      if (!before || !sample) return;
      sample.median = quantile(before, families, 0.5);
      sample.slow = quantile(before, families, 0.99);
    },
  };
  return delays;
}

function tilesOf(now) {
  const tile = (name, value, href, note) => {
    const inside = [h("span", { class: "muted" }, name), h("strong", {}, value), note ? h("small", { class: "muted" }, note) : null];
    return href ? h("a", { class: "tile", href }, inside) : h("div", { class: "tile" }, inside);
  };
  return [
    tile("Connections", count(now.connections), "#/clients?state=connected"),
    tile("Sessions", count(now.sessions), "#/clients?state=all"),
    tile("Subscriptions", count(now.subscriptions), "#/subscriptions"),
    tile("Retained", count(now.retained?.messages), "#/topics", bytes(now.retained?.bytes)),
    tile("Queued", count(now.queued), "#/clients?state=all&sort=-queued"),
    tile("Dropped", count(now.messages?.dropped_total), undefined, `${count(now.messages?.refused_total)} refused`),
  ];
}

const TERMS = [
  ["delivered", "delivered"],
  ["queued", "queued"],
  ["inflight", "in flight"],
  ["expired", "expired"],
  ["dropped", "dropped"],
  ["refused", "refused"],
];

/** What was received or made is the sum of the rest; what is missing would be lost without anybody having said so. */
function lawOf(law) {
  if (!law) return h("p", { class: "muted" }, "The broker does not say.");
  const unaccounted = law.unaccounted ?? 0;
  const rows = TERMS.filter(([key]) => law[key] !== undefined).map(([key, label]) => {
    const share = law.received > 0 ? Math.min(1, law[key] / law.received) : 0;
    const meter = h("span", { class: "meter", "aria-hidden": "true" }, h("span", {}));
    meter.firstChild.style.setProperty("width", `${(share * 100).toFixed(2)}%`);
    return h("tr", {}, h("th", { scope: "row" }, label), h("td", { class: "number" }, count(law[key])), h("td", { class: "bar" }, meter));
  });
  const verdict = unaccounted === 0
    ? h("p", { class: "good" }, "Every message is accounted for.")
    : h("p", { class: "error", role: "alert" }, `${count(unaccounted)} messages are not accounted for.`);
  return h("div", {}, h("table", { class: "law" },
    h("caption", { class: "unseen" }, "Terms of the conservation law"),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "received or made ="), h("td", { class: "number" }, h("strong", {}, count(law.received))), h("td", {}))),
    h("tbody", {}, rows)), verdict);
}

function aboutOf(now) {
  const memory = now.memory ?? {};
  const used = memory.max_bytes ? `${bytes(memory.used_bytes)} of ${bytes(memory.max_bytes)}` : bytes(memory.used_bytes);
  return facts([
    ["Node", h("bdi", {}, visible(now.node ?? "\u2013"))],
    ["Version", now.version],
    ["Up for", duration(now.uptime_secs)],
    ["Lines", count(now.lines)],
    ["Memory", used],
    ["Memory mark", memory.mark],
    ["Received", `${count(now.messages?.received_total)} messages, ${bytes(now.bytes?.received_total)}`],
    ["Sent", `${count(now.messages?.sent_total)} messages, ${bytes(now.bytes?.sent_total)}`],
  ]);
}
