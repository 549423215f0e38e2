// Retained messages: by the levels of their topics, or by a filter; looked at, and deleted after a dry run.

import { del, get } from "../api.mjs";
import { confirm, notify } from "../dialog.mjs";
import { field, h, replace, said } from "../dom.mjs";
import { ago, bytes, count, instant, payloadOf } from "../format.mjs";
import { payloadView } from "../payload.mjs";
import { may } from "../session.mjs";
import { card, empty, facts, failed, loading } from "../states.mjs";
import { tree } from "../tree.mjs";

export const title = "Topics";

const LIMIT = 100;

export function show({ query, note }) {
  const value = h("div", { "aria-live": "polite" }, empty("No topic chosen", "Choose one to see its retained message."));
  const browse = h("div", {});
  let levels;
  const look = (topic) => showMessage(value, topic, () => levels.reload());
  const filter = h("input", { type: "search", name: "filter", value: query.filter ?? "", placeholder: "plant/+/state", maxlength: 65_535, spellcheck: "false" });
  const form = h("form", { class: "filters", role: "search" }, field("Topic filter", filter), h("div", { class: "field end" }, h("button", { type: "submit" }, "Search")), may("operator") ? h("div", { class: "field end" }, h("button", { type: "button", class: "danger", on: { click: () => remove(filter.value || "#", list) } }, "Delete what matches\u2026")) : null);

  function list() {
    note(filter.value ? { filter: filter.value } : {});
    if (filter.value) {
      levels = { reload: list };
      return found(browse, filter.value, look);
    }
    levels = tree({ label: "Topics with retained messages", load: loadLevel, choose: (item) => (item.has_message ? look(item.topic) : replace(value, below(item, list))), none: "No message is retained." });
    return replace(browse, levels.node);
  }
  form.addEventListener("submit", (event) => (event.preventDefault(), list()));
  list();
  const node = h("div", {}, h("div", { class: "heading" }, h("h1", {}, title)), form, h("div", { class: "split" }, card("Retained", browse), card("Message", value)));
  return { node, again() {} };
}

async function loadLevel(item, cursor) {
  const answer = await get("/retained/tree", { under: item?.topic, limit: LIMIT, cursor });
  const items = answer.items.map((one) => ({
    ...one,
    hasChildren: one.messages_below > 0,
    label: [said(one.level === "" ? "(empty)" : one.level), one.messages_below > 0 ? h("span", { class: "muted" }, ` ${count(one.messages_below)}`) : null, one.has_message ? h("span", { class: "dot", title: "has a message" }, h("span", { class: "unseen" }, "has a message")) : null],
  }));
  return { items, next: answer.next };
}

async function found(box, filter, look, cursor) {
  const list = cursor ? box.querySelector("ul") : h("ul", { class: "plain-list" });
  if (!cursor) replace(box, loading());
  try {
    const answer = await get("/retained", { filter, limit: LIMIT, cursor });
    if (!cursor) replace(box, answer.items.length ? list : empty("No retained message matches"));
    box.querySelector(".more-row")?.remove();
    for (const one of answer.items) {
      const open = h("button", { type: "button", class: "row-button", on: { click: () => look(one.topic) } }, said(one.topic), h("span", { class: "muted" }, bytes(one.payload_bytes)));
      list.append(h("li", {}, open));
    }
    if (answer.next) box.append(h("div", { class: "more-row" }, h("button", { type: "button", on: { click: () => found(box, filter, look, answer.next) } }, "More")));
  } catch (error) {
    replace(box, failed(error, () => found(box, filter, look)));
  }
}

function below(item, done) {
  const act = may("operator") ? h("div", { class: "actions" }, h("button", { type: "button", class: "danger", on: { click: () => remove(`${item.topic}/#`, done) } }, "Delete all below\u2026")) : null;
  return [h("p", {}, said(item.topic)), h("p", { class: "muted" }, `${count(item.messages_below)} retained messages are below; this level has none of its own.`), act];
}

async function showMessage(box, topic, done) {
  replace(box, loading());
  try {
    const one = await get("/retained/message", { topic });
    const properties = propertiesOf(one.properties);
    const drop = may("operator") ? h("div", { class: "actions" }, h("button", { type: "button", class: "danger", on: { click: () => remove(topic, () => (done(), replace(box, empty("Deleted"))), true) } }, "Delete\u2026")) : null;
    replace(box, facts([
      ["Topic", said(one.topic ?? topic)],
      ["QoS", one.qos],
      ["From", one.client_id ? said(one.client_id) : undefined],
      ["Published", one.published_at ? `${instant(one.published_at)} (${ago(one.published_at)})` : undefined],
      ["Expires", one.expires_at ? ago(one.expires_at) : undefined],
      ...properties,
    ]), payloadView(payloadOf(one)), drop);
  } catch (error) {
    replace(box, failed(error, () => showMessage(box, topic, done)));
  }
}

function propertiesOf(properties) {
  return Object.entries(properties ?? {})
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => [name.replaceAll("_", " "), said(typeof value === "object" ? JSON.stringify(value) : value)]);
}

/** Asks how many a deletion would meet, says so, and deletes when that is confirmed. */
async function remove(filter, done, isOne = false) {
  let dry;
  try {
    dry = await del("/retained", { filter, dry_run: true });
  } catch (error) {
    notify(error.message, { isError: true });
    return;
  }
  if (!dry.matched) {
    notify("No retained message matches; nothing was deleted.");
    return;
  }
  let answer;
  const isDone = await confirm({
    title: isOne ? "Delete this retained message?" : `Delete ${count(dry.matched)} retained messages?`,
    body: [h("p", {}, said(filter)), h("p", {}, `The dry run found ${count(dry.matched)}${dry.complete ? "" : " and there are more"}. Clients that subscribe later get none of them; there is no way back.`)],
    action: dry.matched === 1 ? "Delete" : `Delete ${count(dry.matched)}`,
    act: async () => {
      answer = await del("/retained", { filter, dry_run: false });
    },
  });
  if (!isDone) return;
  notify(`${count(answer.deleted)} deleted.${answer.complete ? "" : " There are more: delete again."}`);
  done();
}
