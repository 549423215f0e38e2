// The page's beginning: finds out who is there, and shows the view that the address names.

import { connection } from "./api.mjs";
import { h, replace } from "./dom.mjs";
import { may, resume, session } from "./session.mjs";
import { applyTheme, shell } from "./shell.mjs";
import { failed, loading } from "./states.mjs";
import "./sampler.mjs";
import * as overview from "./views/overview.mjs";
import * as clients from "./views/clients.mjs";
import * as client from "./views/client.mjs";
import * as topics from "./views/topics.mjs";
import * as subscriptions from "./views/subscriptions.mjs";
import * as rules from "./views/rules.mjs";
import * as listeners from "./views/listeners.mjs";
import * as terminal from "./views/console.mjs";
import * as events from "./views/events.mjs";
import * as bans from "./views/bans.mjs";
import * as settings from "./views/settings.mjs";
import * as operations from "./views/operations.mjs";
import { login } from "./views/login.mjs";

const VIEWS = { overview, clients, client, topics, subscriptions, rules, listeners, console: terminal, events, bans, settings, operations };
/** Where a view without a place in the navigation belongs. */
const HOME = { client: "clients" };

let frame;
let shown;

/** The address: `#/view/parameter?query`. */
function address() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/");
  return { name: name || "overview", parameter: plain(rest.join("/")), query: Object.fromEntries(new URLSearchParams(search)) };
}

/** What a part of the address says; somebody may have typed it. */
function plain(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Writes the query into the address without a step back to it. */
function note(query) {
  const { name, parameter } = address();
  const search = new URLSearchParams(query).toString();
  history.replaceState(null, "", `#/${name}${parameter ? `/${encodeURIComponent(parameter)}` : ""}${search ? `?${search}` : ""}`);
}

function quit() {
  shown?.stop?.();
  shown = undefined;
}

function show() {
  quit();
  if (!session.role) return showLogin();
  const { name, parameter, query } = address();
  if (!frame) {
    frame = shell();
    replace(document.body, frame.node);
  }
  frame.at(HOME[name] ?? name);
  try {
    const view = VIEWS[name] ?? VIEWS.overview;
    const title = parameter ? `${view.title} ${parameter}` : view.title;
    document.title = `${title} \u2013 Strowger`;
    shown = view.role && !may(view.role) ? refusal(view.role) : view.show({ parameter, query, note });
    replace(frame.outlet, shown.node);
    const heading = frame.outlet.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  } catch (error) {
    replace(frame.outlet, failed(error, show));
  }
}

function refusal(role) {
  return { node: h("div", {}, h("h1", {}, "Not for you"), failed({ status: 403, message: `This needs the role ${role}; you are ${session.role}.` })) };
}

function showLogin() {
  frame?.stop();
  frame = undefined;
  document.title = "Log in \u2013 Strowger";
  replace(document.body, login());
}

/** The broker answers again, perhaps another process that knows nobody. A view that says how goes on, others begin anew. */
async function recover() {
  const { role } = session;
  try {
    await resume();
  } catch {
    return;
  }
  if (session.role !== role) return;
  if (shown?.again) shown.again();
  else show();
}

/** Asks who is there until the broker answers. */
async function begin() {
  replace(document.body, h("main", { class: "alone" }, loading("Connecting")));
  try {
    await resume();
  } catch (error) {
    replace(document.body, h("main", { class: "alone" }, failed(error, begin)));
    return;
  }
  session.addEventListener("change", show);
  window.addEventListener("hashchange", show);
  connection.addEventListener("reached", recover);
  show();
}

applyTheme();
begin();
