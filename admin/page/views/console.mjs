// Publishing and subscribing by hand, as the user admin:NAME of the listener admin.

import { attempt, notify } from "../dialog.mjs";
import { check, field, h, replace, said, select } from "../dom.mjs";
import { feed } from "../feed.mjs";
import { instant } from "../format.mjs";
import { reasonOf } from "../packets.mjs";
import { payloadView } from "../payload.mjs";
import { session } from "../session.mjs";
import { badge, card } from "../states.mjs";
import { Terminal } from "../terminal.mjs";

export const title = "Console";
export const role = "operator";

const QOS = [["0", "0"], ["1", "1"], ["2", "2"]];
const newId = () => `console-${[...crypto.getRandomValues(new Uint8Array(4))].map((b) => b.toString(16).padStart(2, "0")).join("")}`;

export function show() {
  let terminal;
  const subscribed = new Map();
  const state = h("span", { role: "status" }, badge("not connected"));
  const messages = feed({ label: "Messages", write: rowOf, none: "Nothing has come. Connect, and subscribe to a filter." });
  const list = h("ul", { class: "chips", "aria-label": "Subscriptions of this console" });
  const connecting = connectForm(open);
  const subscribing = subscribeForm(subscribe);
  const publishing = publishForm((message) => terminal.publish(message));
  const needing = [...subscribing.elements, ...publishing.elements];
  const live = (isOpen) => {
    for (const control of needing) control.disabled = !isOpen;
    for (const control of [connecting.elements.client_id, connecting.elements.clean]) control.disabled = isOpen;
    replace(connecting.elements.open, isOpen ? "Disconnect" : "Connect");
    connecting.elements.open.className = isOpen ? "" : "primary";
  };

  async function open(clientId, cleanStart) {
    if (terminal) return terminal.close();
    const mine = (terminal = new Terminal());
    replace(state, badge("connecting", "warn"));
    connecting.elements.open.disabled = true;
    mine.addEventListener("message", (event) => messages.add({ ...event.detail, at: new Date().toISOString() }));
    mine.addEventListener("closed", (event) => gone(mine, event.detail));
    try {
      const answer = await mine.open(clientId, cleanStart);
      replace(state, badge("connected", "good"), answer.sessionPresent ? " with its session" : "");
      live(true);
    } catch (error) {
      mine.close();
      notify(error.message, { isError: true });
    }
    connecting.elements.open.disabled = false;
    return undefined;
  }

  function gone(which, why) {
    if (which !== terminal) return;
    terminal = undefined;
    subscribed.clear();
    listSubscriptions();
    replace(state, badge("not connected", "bad"), h("span", { class: "muted" }, ` ${why}`));
    live(false);
  }

  async function subscribe(options) {
    const answer = await terminal.subscribe(options);
    const [code] = answer.reasons;
    if (code >= 0x80) throw new Error(`The broker refused the subscription: ${reasonOf(code, answer.properties)}.`);
    subscribed.set(options.filter, code);
    listSubscriptions();
  }

  function listSubscriptions() {
    const chip = ([filter, qos]) => {
      const click = () => attempt(async () => {
        await terminal.unsubscribe(filter);
        subscribed.delete(filter);
        listSubscriptions();
      });
      return h("li", {}, said(filter), ` QoS ${qos} `, h("button", { type: "button", class: "quiet small", "aria-label": `Unsubscribe from ${filter}`, on: { click } }, "\u00d7"));
    };
    replace(list, [...subscribed].map(chip));
  }

  live(false);
  const lead = h("p", { class: "lead" }, "MQTT 5.0 to this broker, as the user ", said(`admin:${session.name}`), " of the listener ", said("admin"), ", with the rights that the book gives to them.");
  const node = h("div", {}, h("div", { class: "heading" }, h("h1", {}, title), state), lead,
    h("div", { class: "stack" }, card(null, connecting), h("div", { class: "columns" }, card("Subscribe", subscribing, list), card("Publish", publishing)), card("Messages", messages.node)));
  return { node, again() {}, stop: () => terminal?.close() };
}

function connectForm(open) {
  const id = h("input", { name: "client_id", value: newId(), required: true, maxlength: 256, spellcheck: "false" });
  const clean = check("Clean start", { name: "clean", checked: true });
  const form = h("form", { class: "form" }, field("Client id", id), clean.node, h("button", { type: "submit", name: "open", class: "primary" }, "Connect"));
  form.addEventListener("submit", (event) => (event.preventDefault(), open(id.value, clean.box.checked)));
  return form;
}

function subscribeForm(act) {
  const filter = h("input", { name: "filter", required: true, maxlength: 65_535, value: "#", spellcheck: "false" });
  const qos = select(QOS, { name: "qos" }, "1");
  const own = check("Not my own", { name: "own" });
  const form = h("form", { class: "form" }, field("Topic filter", filter, { wide: true }), field("QoS", qos), own.node, h("button", { type: "submit" }, "Subscribe"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => act({ filter: filter.value, qos: Number(qos.value), noLocal: own.box.checked, retainAsPublished: true }));
  });
  return form;
}

function publishForm(act) {
  const topic = h("input", { name: "topic", required: true, maxlength: 65_535, spellcheck: "false" });
  const payload = h("textarea", { name: "payload", spellcheck: "false" });
  const qos = select(QOS, { name: "qos" }, "0");
  const retain = check("Retain", { name: "retain" });
  const contentType = h("input", { name: "content_type", placeholder: "application/json", maxlength: 256 });
  const response = h("input", { name: "response_topic", maxlength: 65_535 });
  const correlation = h("input", { name: "correlation", maxlength: 1024 });
  const expiry = h("input", { name: "expiry", type: "number", min: 1, max: 4_294_967_295 });
  const user = h("textarea", { name: "user", rows: 2, placeholder: "name=value" });
  const more = h("details", { class: "wide" }, h("summary", {}, "Properties"), h("div", { class: "form" },
    field("Content type", contentType), field("Response topic", response), field("Correlation data", correlation),
    field("Expires after, seconds", expiry), field("User properties, one in a line", user, { wide: true })));
  const button = h("button", { type: "submit", class: "primary" }, "Publish");
  const form = h("form", { class: "form" }, field("Topic", topic, { wide: true }), field("Payload", payload, { wide: true }), field("QoS", qos), retain.node, button, more);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const properties = {
      content_type: contentType.value,
      response_topic: response.value,
      correlation_data: correlation.value ? new TextEncoder().encode(correlation.value) : undefined,
      message_expiry: expiry.value ? Number(expiry.value) : undefined,
      user: user.value.split("\n").filter((line) => line.trim()).map((line) => line.split(/=(.*)/s).slice(0, 2).concat("").slice(0, 2)),
    };
    const message = { topic: topic.value, payload: new TextEncoder().encode(payload.value), qos: Number(qos.value), retain: retain.box.checked, properties };
    attempt(async () => {
      const answer = await act(message);
      if (answer.reason >= 0x80) throw new Error(`The broker refused the message: ${reasonOf(answer.reason, answer.properties)}.`);
      return answer;
    }, (answer) => (message.qos === 0 ? "Sent." : `Acknowledged: ${reasonOf(answer.reason, answer.properties)}.`));
  });
  return form;
}

function rowOf(message) {
  const { subscription_id: _, ...rest } = message.properties;
  const words = Object.entries(rest).map(([name, value]) => `${name.replaceAll("_", " ")}: ${plain(value)}`);
  const head = h("div", { class: "feed-row" }, h("time", { class: "muted", datetime: message.at }, instant(message.at)), said(message.topic),
    badge(`QoS ${message.qos}`), message.retain ? badge("retained", "accent") : null, message.dup ? badge("again", "warn") : null);
  return h("li", {}, head, words.length ? h("p", { class: "muted" }, said(words.join(", "))) : null, payloadView(message.payload));
}

function plain(value) {
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (Array.isArray(value)) return value.map(([name, text]) => `${name}=${text}`).join(" ");
  return value;
}
