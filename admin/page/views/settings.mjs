// Each setting: its value, where that comes from, and whether it can change while the broker runs.

import { get } from "../api.mjs";
import { check, field, h, replace, said, visible } from "../dom.mjs";
import { count } from "../format.mjs";
import { badge, empty, failed, loading } from "../states.mjs";
import { tableOf } from "../table.mjs";

export const title = "Settings";
export const role = "admin";

const COLUMNS = [
  { label: "Setting", cell: (one) => h("div", {}, h("code", {}, one.key), h("p", { class: "muted meaning" }, one.meaning)) },
  { label: "Value", cell: (one) => said(one.value) },
  { label: "From", cell: (one) => (isDefault(one) ? h("span", { class: "muted" }, "default") : badge(visible(one.origin), "accent")) },
  { label: "Default", cell: (one) => said(one.default) },
  { label: "Changes", cell: (one) => (one.live ? "with a reload" : badge("with a restart", "warn")) },
];

const isDefault = (one) => one.origin === "" || /^(the )?default/i.test(one.origin);

export function show({ query, note }) {
  const box = h("div", {}, loading());
  const search = h("input", { type: "search", name: "search", value: query.search ?? "", placeholder: "queue, tls, seconds", maxlength: 128 });
  const changed = check("Only what is not the default", { name: "changed", checked: query.changed === "1" });
  const total = h("p", { class: "total", role: "status" });
  let all = [];

  function draw() {
    note(Object.fromEntries([["search", search.value], ["changed", changed.box.checked ? "1" : ""]].filter(([, value]) => value)));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = all.filter((one) => {
      const hay = `${one.section}.${one.key} ${one.meaning} ${one.value}`.toLowerCase();
      return words.every((word) => hay.includes(word)) && !(changed.box.checked && isDefault(one));
    });
    replace(total, `${count(shown.length)} of ${count(all.length)} settings`);
    const sections = Map.groupBy ? Map.groupBy(shown, (one) => one.section) : grouped(shown);
    replace(box, shown.length ? [...sections].map(([name, rows]) => h("section", { class: "settings" }, h("h2", {}, name ? `[${name}]` : "In no section"), h("div", { class: "table-box" }, tableOf(`Settings of ${name}`, COLUMNS, rows)))) : empty("No setting matches"));
  }

  async function look() {
    try {
      const answer = await get("/settings");
      all = answer.items;
      draw();
    } catch (error) {
      replace(box, failed(error, look));
    }
  }
  search.addEventListener("input", draw);
  changed.box.addEventListener("change", draw);
  look();
  const bar = h("form", { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } }, field("Search", search), h("div", { class: "field end" }, changed.node));
  return { node: h("div", {}, h("div", { class: "heading" }, h("h1", {}, title)), bar, total, box), again: look };
}

function grouped(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.section, [...(groups.get(row.section) ?? []), row]);
  return groups;
}
