// The book of rules, how often each one spoke, and a box to try what they and the rights would say.

import { get, post } from "../api.mjs";
import { field, h, replace, said, select, visible } from "../dom.mjs";
import { count } from "../format.mjs";
import { badge, card, empty, failed, loading } from "../states.mjs";
import { tableOf } from "../table.mjs";

export const title = "Rules";

const COLUMNS = [
  { label: "Rule", cell: (one) => said(one.name) },
  { label: "Asked", class: "number", cell: (one) => count(one.asked) },
  { label: "Matched", class: "number", cell: (one) => count(one.matched) },
  { label: "Failed", class: "number", cell: (one) => (one.failed ? badge(count(one.failed), "bad") : count(one.failed)) },
];
const TAGS = [
  { label: "Tag", cell: (one) => said(one.name) },
  { label: "Given", class: "number", cell: (one) => count(one.count) },
];

export function show() {
  const book = h("p", { class: "lead" });
  const box = h("div", { class: "table-box" }, loading());
  const tags = h("div", { class: "table-box", hidden: true });
  const under = new AbortController();

  async function look() {
    try {
      const answer = await get("/rules", undefined, under.signal);
      replace(book, answer.book ? ["From ", said(answer.book.file), ", in the order in which they are asked."] : "No file of rules is set (rules.file).");
      replace(tags, answer.tags.length ? tableOf("Tags", TAGS, answer.tags) : null);
      tags.hidden = answer.tags.length === 0;
      replace(box, answer.rules.length ? tableOf(title, COLUMNS, answer.rules) : empty("No rules", "docs/POLICY.md teaches them by ten examples."));
    } catch (error) {
      if (!under.signal.aborted) replace(box, failed(error, look));
    }
  }
  look();
  const timer = setInterval(() => document.hidden || look(), 5000);
  const node = h("div", {}, h("div", { class: "heading" }, h("h1", {}, title)), book, h("div", { class: "stack" }, box, tags, tryBox()));
  return { node, again: look, stop: () => (clearInterval(timer), under.abort()) };
}

function tryBox() {
  const inputs = Object.fromEntries(["client_id", "username", "groups", "listener", "address", "topic"].map((name) => [name, h("input", { name, maxlength: 1024, spellcheck: "false" })]));
  inputs.client_id.required = true;
  const verb = select([["publish", "publish to"], ["subscribe", "subscribe with"], ["connect", "connect"], ["will", "leave a will for"], ["receive", "be sent messages of"]], { name: "verb" });
  const qos = select(["0", "1", "2"], { name: "qos" });
  const payload = h("textarea", { name: "payload", rows: 2, spellcheck: "false" });
  const topicField = field("Topic", inputs.topic);
  const payloadField = field("Payload", payload, { wide: true });
  const qosField = field("QoS", qos);
  const result = h("div", { role: "status", class: "wide" });
  const fit = () => {
    const isConnect = verb.value === "connect";
    topicField.hidden = qosField.hidden = isConnect;
    payloadField.hidden = !["publish", "will"].includes(verb.value);
    inputs.topic.required = !isConnect;
    replace(topicField.querySelector("label"), verb.value === "subscribe" ? "Topic filter" : "Topic");
  };
  verb.addEventListener("change", fit);
  fit();
  const form = h("form", { class: "form" }, field("Client id", inputs.client_id), field("User", inputs.username), field("Groups, with commas", inputs.groups),
    field("Listener", inputs.listener), field("Address", inputs.address, {}), field("Would", verb), topicField, qosField, payloadField,
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Try")), result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    replace(result, loading("Asking"));
    try {
      replace(result, verdictOf(await post("/explain", questionOf(inputs, verb.value, qos.value, payload.value))));
    } catch (error) {
      replace(result, failed(error));
    }
  });
  return card("Try it", h("p", { class: "lead" }, "What would be said to this client, and why. Nothing is sent."), form);
}

function questionOf(inputs, verb, qos, payload) {
  const text = (name) => inputs[name].value.trim() || undefined;
  const question = { client_id: inputs.client_id.value, username: text("username"), listener: text("listener"), address: text("address"), verb };
  if (text("groups")) question.groups = text("groups").split(",").map((one) => one.trim()).filter(Boolean);
  if (verb === "connect") return question;
  question[verb === "subscribe" ? "filter" : "topic"] = inputs.topic.value;
  question.qos = Number(qos);
  if (["publish", "will"].includes(verb) && payload) question.payload = payload;
  return question;
}

function verdictOf(answer) {
  const isGood = answer.verdict === "allowed";
  return h("div", { class: "verdict" },
    h("p", {}, badge(visible(answer.verdict), isGood ? "good" : "bad"), " ", said(answer.reason)),
    answer.steps.length ? h("ol", { class: "steps" }, answer.steps.map((step) => h("li", {}, said(step)))) : null,
    answer.receivers_total === undefined ? null : receiversOf(answer));
}

function receiversOf({ receivers_total: total, receivers = [] }) {
  if (total === 0) return h("p", {}, "Nobody would get it.");
  const more = total > receivers.length ? h("li", {}, `and ${count(total - receivers.length)} more`) : null;
  return [h("p", {}, `${count(total)} subscriptions would get it:`), h("ul", {}, receivers.map((id) => h("li", {}, said(id))), more)];
}
