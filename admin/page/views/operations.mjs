// What an admin does to the whole broker: a plan of new settings, reload, drain.

import { del, post } from "../api.mjs";
import { attempt, confirm, notify } from "../dialog.mjs";
import { check, field, h, replace, visible } from "../dom.mjs";
import { count } from "../format.mjs";
import { refresh, sampler } from "../sampler.mjs";
import { badge, card, failed, loading } from "../states.mjs";

export const title = "Operations";
export const role = "admin";

export function show() {
  const state = h("p", { role: "status" });
  const draining = h("div", { class: "actions" });
  const drain = () => {
    const now = sampler.latest;
    replace(state, now?.draining ? [badge("draining", "warn"), ` ${count(now.connections)} clients are left.`] : [badge("in service", "good"), now ? ` ${count(now.connections)} clients are connected.` : null]);
    const button = now?.draining
      ? h("button", { type: "button", on: { click: () => attempt(() => del("/drain"), "Clients are let in again.").then(refresh) } }, "End the drain")
      : h("button", { type: "button", class: "danger", on: { click: begin } }, "Drain\u2026");
    if (draining.firstChild?.textContent !== button.textContent) replace(draining, button);
  };
  const begin = () =>
    confirm({
      title: "Drain this broker?",
      body: [
        h("p", {}, "It takes no more connections and sends its clients away. Their sessions stay, and it goes on running."),
        field("Clients in a second; empty: all at once", h("input", { name: "pace", type: "number", min: 1, max: 4_294_967_295, value: 100 })),
        field("Where clients of MQTT 5.0 are to go, host:port", h("input", { name: "to", maxlength: 1024 })),
        check("They are to stay there", { name: "stay" }).node,
      ],
      action: "Drain",
      act: ({ elements: { pace, to, stay } }) => post("/drain", { clients_per_sec: pace.value ? Number(pace.value) : undefined, server_reference: to.value || undefined, for_good: stay.checked }),
    }).then((isDone) => isDone && (notify("The drain has begun."), refresh()));
  sampler.addEventListener("sample", drain);
  drain();
  const node = h("div", {}, h("div", { class: "heading" }, h("h1", {}, title)),
    h("div", { class: "stack" }, planCard(), h("div", { class: "columns" }, reloadCard(), card("Drain", state, draining))));
  return { node, again() {}, stop: () => sampler.removeEventListener("sample", drain) };
}

function reloadCard() {
  const result = h("div", { role: "status" });
  const reload = async () => {
    const isDone = await confirm({
      title: "Reload?",
      body: h("p", {}, "Settings, certificates, users, rights and rules are read again: all checked first, then applied whole or not at all."),
      action: "Reload",
      isDangerous: false,
      act: async () => {
        const answer = await post("/reload", {});
        replace(result, h("p", { class: "good" }, "Reloaded."), stepsOf(answer));
      },
    });
    if (isDone) notify("Reloaded.");
  };
  return card("Reload", h("p", { class: "muted" }, "As SIGHUP and strowger reload do."), h("div", { class: "actions" }, h("button", { type: "button", on: { click: reload } }, "Reload\u2026")), result);
}

function planCard() {
  const toml = h("textarea", { name: "toml", rows: 8, required: true, spellcheck: "false", placeholder: "[session]\nqueue_messages_max = 1000" });
  const result = h("div", { role: "status", class: "wide" });
  const form = h("form", { class: "form" }, field("New settings, the whole file", toml, { wide: true, hint: "Nothing is changed: this says what a reload with this file would do, and to whom." }), h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Plan")), result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    replace(result, loading("Planning"));
    try {
      replace(result, stepsOf(await post("/plan", { toml: toml.value })) ?? h("p", {}, "Nothing would change."));
    } catch (error) {
      replace(result, failed(error));
    }
  });
  return card("Plan", form);
}

function stepsOf(answer) {
  if (answer.changes.length === 0) return null;
  return h("ol", { class: "steps" }, answer.changes.map((change) => h("li", {}, visible(change))));
}
