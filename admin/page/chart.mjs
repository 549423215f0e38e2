// Lines over time, in SVG. The same is said in words for those who do not see them.

import { h, replace, s } from "./dom.mjs";
import { duration, instant } from "./format.mjs";

const WIDTH = 600;
const HEIGHT = 120;
const SPAN_MS_MIN = 30_000;

function ceiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function pathOf(points, x, y) {
  let path = "";
  let isDown = false;
  for (const [at, value] of points) {
    if (value === undefined || value === null) {
      isDown = false;
      continue;
    }
    path += `${isDown ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    isDown = true;
  }
  return path;
}

/**
 * A card with a chart. `series` is a list of `{ key, label }`, the first in the accent; `write` makes a figure of a value.
 * Answers with the card and `draw(samples)`.
 */
export function chart(title, series, write) {
  const lines = series.map((_, index) => s("path", { class: `line line-${index}` }));
  const area = s("path", { class: "area" });
  const cursor = s("line", { class: "cursor", y1: 0, y2: HEIGHT, hidden: true });
  const grid = [0, 0.5, 1].map((part) => s("line", { class: "grid", x1: 0, x2: WIDTH, y1: part * HEIGHT, y2: part * HEIGHT }));
  const box = { class: "plot", viewBox: `0 -2 ${WIDTH} ${HEIGHT + 4}`, preserveAspectRatio: "none", role: "img" };
  const plot = s("svg", box, grid, area, lines, cursor);
  const top = h("span", { class: "axis top", "aria-hidden": "true" });
  const when = h("span", { class: "axis when", "aria-hidden": "true" });
  const values = series.map(({ label }, index) => {
    const value = h("strong", {}, "\u2013");
    const key = series.length > 1 ? h("span", { class: `key key-${index}`, "aria-hidden": "true" }) : null;
    return { value, node: h("div", { class: "reading" }, value, h("span", { class: "muted" }, key, label)) };
  });
  const card = h("section", { class: "card chart" }, h("h2", {}, title), h("div", { class: "readings" }, values.map((v) => v.node)));
  card.append(h("div", { class: "plot-box" }, plot, top, when));
  let kept = [];
  let pointed;

  function draw(samples) {
    kept = samples;
    const end = samples.at(-1)?.at ?? Date.now();
    const span = Math.max(SPAN_MS_MIN, end - (samples[0]?.at ?? end));
    const x = (at) => WIDTH - ((end - at) / span) * WIDTH;
    const highest = Math.max(0, ...samples.flatMap((one) => series.map(({ key }) => one[key] ?? 0)));
    const max = ceiling(highest);
    const y = (value) => HEIGHT - (value / max) * HEIGHT;
    series.forEach(({ key }, index) => lines[index].setAttribute("d", pathOf(samples.map((one) => [one.at, one[key]]), x, y)));
    area.setAttribute("d", areaOf(samples, series[0].key, x, y));
    replace(top, write(max));
    const shown = pointed === undefined ? samples.at(-1) : samples.at(pointed);
    values.forEach(({ value }, index) => replace(value, write(shown?.[series[index].key])));
    replace(when, pointed === undefined ? duration(Math.round(span / 1000)) : instant(new Date(shown.at).toISOString()));
    cursor.toggleAttribute("hidden", pointed === undefined);
    if (pointed !== undefined) for (const end of ["x1", "x2"]) cursor.setAttribute(end, x(shown.at));
    const words = series.map(({ key, label }) => `${label} ${write(samples.at(-1)?.[key])}`).join(", ");
    plot.setAttribute("aria-label", `${title}: ${words}; highest of the last five minutes ${write(highest)}`);
  }

  plot.addEventListener("pointermove", (event) => {
    if (kept.length === 0) return;
    const { left, width } = plot.getBoundingClientRect();
    const span = Math.max(SPAN_MS_MIN, kept.at(-1).at - kept[0].at);
    const at = kept.at(-1).at - (1 - (event.clientX - left) / width) * span;
    const nearest = kept.reduce((best, one, index) => (Math.abs(one.at - at) < Math.abs(kept[best].at - at) ? index : best), 0);
    pointed = nearest;
    draw(kept);
  });
  plot.addEventListener("pointerleave", () => {
    pointed = undefined;
    draw(kept);
  });
  return { card, draw };
}

function areaOf(samples, key, x, y) {
  const points = samples.filter((one) => one[key] !== undefined && one[key] !== null);
  if (points.length < 2) return "";
  const path = pathOf(points.map((one) => [one.at, one[key]]), x, y);
  return `${path}L${x(points.at(-1).at).toFixed(1)} ${HEIGHT}L${x(points[0].at).toFixed(1)} ${HEIGHT}Z`;
}
