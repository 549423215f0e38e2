// Who stays outside, and until when.

import { del, get, post } from "../api.mjs";
import { attempt, confirm, notify } from "../dialog.mjs";
import { field, h, replace, said, select } from "../dom.mjs";
import { ago, count, instant } from "../format.mjs";
import { may } from "../session.mjs";
import { badge, card } from "../states.mjs";
import { pagedTable } from "../table.mjs";

export const title = "Bans";

const KINDS = [["client_id", "Client"], ["username", "User"], ["address", "Address or network"]];
const LABELS = { client_id: "Client id", username: "User name", address: "Address or network" };

export function show({ query, note }) {
  const columns = [
    { label: "Whom", cell: (one) => said(one.value) },
    { label: "Kind", cell: (one) => badge(LABELS[one.kind] ?? one.kind) },
    { label: "Until", cell: (one) => (one.until_at ? h("time", { datetime: one.until_at, title: one.until_at }, `${instant(one.until_at)} (${ago(one.until_at)})`) : "for good") },
    { label: "By", cell: (one) => (one.origin === "file" ? "auth.bans_file" : said(one.by ?? "\u2013")) },
    { label: "Why", cell: (one) => said(one.reason ?? "\u2013") },
  ];
  if (may("operator")) columns.push({ label: "", class: "number", cell: (one) => lift(one, () => table.refresh()) });
  const table = pagedTable({
    caption: title,
    columns,
    query,
    onQuery: note,
    load: (asked, signal) => get("/bans", asked, signal),
    none: { title: "Nobody is banned" },
    refreshSecs: 15,
  });
  const form = may("operator") ? card("Ban somebody", formOf(() => table.refresh())) : null;
  const node = h("div", {}, h("div", { class: "heading" }, h("h1", {}, title)), h("div", { class: "stack" }, form, table.node));
  return { node, stop: table.stop, again: table.refresh };
}

function lift(one, done) {
  if (one.origin === "file") return h("span", { class: "muted" }, "lifted in the file");
  const click = () =>
    confirm({
      title: ["Lift the ban of ", said(one.value), "?"],
      body: h("p", {}, "It may come in again at once."),
      action: "Lift",
      isDangerous: false,
      act: () => del(`/bans/${encodeURIComponent(one.id)}`),
    }).then((isDone) => isDone && (notify("The ban was lifted."), done()));
  return h("button", { type: "button", class: "small", "aria-label": `Lift the ban of ${one.value}`, on: { click } }, "Lift");
}

function formOf(done) {
  const kind = select(KINDS, { name: "kind" });
  const value = h("input", { name: "value", required: true, maxlength: 1024 });
  const reason = h("input", { name: "reason", maxlength: 200 });
  const secs = select([["3600", "an hour"], ["86400", "a day"], ["604800", "a week"], ["", "ever"]], { name: "secs" });
  const valueField = field("Client id", value);
  kind.addEventListener("change", () => {
    replace(valueField.querySelector("label"), LABELS[kind.value]);
    value.placeholder = kind.value === "address" ? "203.0.113.0/24" : "";
  });
  const form = h("form", { class: "form" }, field("Kind", kind), valueField, field("For", secs), field("Why", reason), h("button", { type: "submit", class: "danger" }, "Ban"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const ban = { kind: kind.value, value: value.value, secs: secs.value ? Number(secs.value) : undefined, reason: reason.value || undefined };
    const answer = await attempt(() => post("/bans", ban), ({ disconnected }) => `The ban is in force; ${count(disconnected)} were disconnected.`);
    if (answer) (form.reset(), kind.dispatchEvent(new Event("change")), done());
  });
  return form;
}
