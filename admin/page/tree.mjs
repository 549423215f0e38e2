// A tree whose branches are fetched when they are opened, used with arrow keys as such trees are.

import { h, replace } from "./dom.mjs";
import { failed, loading } from "./states.mjs";

/**
 * `load(node, cursor)` answers `{ items, next }`, each item with `label` (a node of the page), `hasChildren` and whatever
 * else the caller needs; `choose(item)` is called when one is chosen.
 */
export function tree({ label, load, choose, none }) {
  const root = h("ul", { role: "tree", "aria-label": label, class: "tree" });
  const items = new WeakMap();

  function branch(item, level) {
    const name = h("span", { class: "leaf" }, item.label);
    const twist = h("span", { class: "twist", "aria-hidden": "true" }, item.hasChildren ? "\u25b8" : "");
    const node = h("li", { role: "treeitem", "aria-level": level, "aria-selected": "false", tabindex: "-1" }, h("div", { class: "tree-row" }, twist, name));
    if (item.hasChildren) node.setAttribute("aria-expanded", "false");
    items.set(node, { item, level });
    twist.addEventListener("click", (event) => (event.stopPropagation(), toggle(node), focus(node)));
    node.firstChild.addEventListener("click", () => (focus(node), pick(node)));
    return node;
  }

  async function fill(list, item, level, cursor) {
    const wait = h("li", { role: "none" }, loading());
    list.append(wait);
    try {
      const answer = await load(item, cursor);
      wait.remove();
      list.append(...answer.items.map((one) => branch(one, level)));
      if (answer.next) list.append(moreOf(list, item, level, answer.next));
      if (!list.firstChild) list.append(h("li", { role: "none", class: "state" }, level === 1 ? none : "Nothing below."));
      if (!root.querySelector('[tabindex="0"]')) root.querySelector('[role="treeitem"]')?.setAttribute("tabindex", "0");
    } catch (error) {
      replace(wait, failed(error, () => (wait.remove(), fill(list, item, level, cursor))));
    }
  }

  function moreOf(list, item, level, cursor) {
    const node = h("li", { role: "treeitem", "aria-level": level, "aria-selected": "false", tabindex: "-1", class: "more" }, h("div", { class: "tree-row" }, h("span", { class: "twist" }), "More\u2026"));
    const go = async () => {
      const before = node.previousSibling;
      node.remove();
      await fill(list, item, level, cursor);
      if (before?.nextSibling) focus(before.nextSibling);
    };
    items.set(node, { go, level });
    node.firstChild.addEventListener("click", go);
    return node;
  }

  async function toggle(node, want) {
    const isOpen = node.getAttribute("aria-expanded");
    if (isOpen === null || String(want) === isOpen) return;
    const { item, level } = items.get(node);
    if (isOpen === "true") {
      node.setAttribute("aria-expanded", "false");
      node.querySelector(":scope > ul").remove();
    } else {
      node.setAttribute("aria-expanded", "true");
      const list = h("ul", { role: "group" });
      node.append(list);
      await fill(list, item, level + 1);
    }
  }

  function focus(node) {
    root.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
    node.setAttribute("tabindex", "0");
    node.focus();
  }

  function pick(node) {
    const { item, go } = items.get(node);
    if (go) return go();
    for (const one of root.querySelectorAll('[aria-selected="true"]')) one.setAttribute("aria-selected", "false");
    node.setAttribute("aria-selected", "true");
    return choose(item);
  }

  root.addEventListener("keydown", (event) => {
    const node = event.target.closest('[role="treeitem"]');
    if (!node) return;
    const all = [...root.querySelectorAll('[role="treeitem"]')];
    const at = all.indexOf(node);
    const isOpen = node.getAttribute("aria-expanded");
    const parent = node.parentElement.closest('[role="treeitem"]');
    const keys = {
      ArrowDown: () => all[at + 1] && focus(all[at + 1]),
      ArrowUp: () => all[at - 1] && focus(all[at - 1]),
      ArrowRight: () => (isOpen === "true" ? all[at + 1] && focus(all[at + 1]) : toggle(node, true)),
      ArrowLeft: () => (isOpen === "true" ? toggle(node, false) : parent && focus(parent)),
      Home: () => focus(all[0]),
      End: () => focus(all.at(-1)),
      Enter: () => pick(node),
      " ": () => pick(node),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  const reload = () => (replace(root), fill(root, undefined, 1));
  reload();
  return { node: root, reload };
}
