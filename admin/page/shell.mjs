// What stays around the views: name, navigation, theme, the state of the broker and of the connection to it.

import { connection } from "./api.mjs";
import { attempt } from "./dialog.mjs";
import { h, icon, replace, said, visible } from "./dom.mjs";
import { duration } from "./format.mjs";
import { refresh, sampler } from "./sampler.mjs";
import { logout, may, session } from "./session.mjs";
import { badge } from "./states.mjs";

const THEMES = ["system", "light", "dark"];
const THEME_KEY = "strowger-theme";

/** The views that have a place in the navigation. */
const PLACES = [
  ["overview", "Overview", "viewer"],
  ["clients", "Clients", "viewer"],
  ["topics", "Topics", "viewer"],
  ["subscriptions", "Subscriptions", "viewer"],
  ["rules", "Rules", "viewer"],
  ["listeners", "Listeners", "viewer"],
  ["console", "Console", "operator"],
  ["events", "Events and log", "viewer"],
  ["bans", "Bans", "viewer"],
  ["settings", "Settings", "admin"],
  ["operations", "Operations", "admin"],
];

function theme() {
  const kept = localStorage.getItem(THEME_KEY);
  return THEMES.includes(kept) ? kept : "system";
}

/** Light, dark, or as the system has it; before anything is drawn. */
export function applyTheme() {
  document.documentElement.dataset.theme = theme();
}

export function themeButton() {
  const button = h("button", { type: "button", class: "quiet" });
  const show = () => {
    replace(button, icon(theme()), h("span", { class: "unseen" }, `Theme: ${theme()}. Change`));
    button.title = `Theme: ${theme()}`;
  };
  button.addEventListener("click", () => {
    localStorage.setItem(THEME_KEY, THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
    applyTheme();
    show();
  });
  show();
  return button;
}

/** The frame of the page. Answers with its node, the outlet for views, and `at(place)`. */
export function shell() {
  const links = new Map();
  const items = PLACES.filter(([, , role]) => may(role)).map(([place, label]) => {
    const link = h("a", { href: `#/${place}` }, icon(place), label);
    links.set(place, link);
    return h("li", {}, link);
  });
  const nav = h("nav", { id: "places", class: "places", "aria-label": "Places" }, h("ul", {}, items));
  const menu = h("button", { type: "button", class: "quiet menu", "aria-expanded": "false", "aria-controls": "places" }, icon("menu"), h("span", { class: "unseen" }, "Menu"));
  const open = (isOpen) => {
    menu.setAttribute("aria-expanded", String(isOpen));
    nav.classList.toggle("open", isOpen);
  };
  menu.addEventListener("click", () => open(menu.getAttribute("aria-expanded") !== "true"));
  const broker = h("div", { class: "broker" });
  const who = h("span", { class: "who" }, said(session.name ?? ""), h("span", { class: "muted" }, session.role));
  const leave = h("button", { type: "button", class: "quiet text", on: { click: () => attempt(logout) } }, "Log out");
  const brand = h("a", { class: "brand", href: "#/overview" }, h("img", { src: "page/icon.svg", alt: "", width: 26, height: 26 }), "Strowger");
  const main = h("main", { id: "main", tabindex: "-1" });
  const skip = h("a", { class: "skip", href: "#main", on: { click: (event) => (event.preventDefault(), main.focus()) } }, "Skip to content");
  const header = h("header", { class: "top" }, menu, brand, broker, h("div", { class: "self" }, themeButton(), who, leave));
  const node = h("div", { class: "shell" }, skip, header, nav, h("div", { class: "center" }, banner(), main));
  const show = () => replace(broker, summary(sampler.latest));
  node.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && nav.classList.contains("open")) (open(false), menu.focus());
  });
  sampler.addEventListener("sample", show);
  show();
  const at = (place) => {
    open(false);
    for (const [name, link] of links) link.toggleAttribute("aria-current", name === place);
    links.get(place)?.setAttribute("aria-current", "page");
  };
  return { node, outlet: main, at, stop: () => sampler.removeEventListener("sample", show) };
}

function summary(overview) {
  if (!overview) return [];
  const [text, kind] = overview.draining ? ["draining", "warn"] : overview.ready === false ? ["not ready", "bad"] : ["ready", "good"];
  const title = `${visible(overview.version)}, up ${duration(overview.uptime_secs)}`;
  return [badge(text, kind), h("span", { class: "node muted", title }, said(overview.node ?? ""), ` ${overview.version ?? ""}`)];
}

/** Says that the broker cannot be reached, for as long as that is so. */
function banner() {
  const box = h("div", { class: "banner", role: "alert" });
  const show = () => {
    const again = h("button", { type: "button", on: { click: refresh } }, "Try now");
    replace(box, connection.isLost ? [h("span", { class: "spinner", "aria-hidden": "true" }), h("span", {}, "No connection to the broker. What is shown is not of this moment. Trying again\u2026"), again] : []);
    box.classList.toggle("shown", connection.isLost);
  };
  connection.addEventListener("lost", show);
  connection.addEventListener("reached", show);
  show();
  return box;
}
