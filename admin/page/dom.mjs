// Elements. Text that comes from outside becomes a text node and nothing else: there is no other way in here.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "open", "readOnly", "required", "htmlFor"]);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (PROPERTIES.has(name)) {
      node[name] = value;
    } else if (value !== false) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** An element of HTML: `h("p", { class: "note", on: { click } }, "text", child)`. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Puts these children in place of those that are there. */
export function replace(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

let serial = 0;
/** An id that nothing else on the page has. */
export const fresh = (stem) => `${stem}-${(serial += 1)}`;

/** A labelled control of a form. */
export function field(label, control, { hint, wide } = {}) {
  control.id ||= fresh("field");
  const about = hint ? h("small", { id: `${control.id}-hint` }, hint) : null;
  if (about) control.setAttribute("aria-describedby", about.id);
  return h("div", { class: wide ? "field wide" : "field" }, h("label", { htmlFor: control.id }, label), control, about);
}

/** A checkbox with its label. */
export function check(label, attributes = {}) {
  const box = h("input", { type: "checkbox", id: fresh("check"), ...attributes });
  return { box, node: h("label", { class: "check", htmlFor: box.id }, box, label) };
}

/** A list to choose from; options are texts, or pairs of value and text. */
export function select(options, attributes = {}, chosen = undefined) {
  const choice = options.map((option) => {
    const [value, text] = Array.isArray(option) ? option : [option, option];
    return h("option", { value, selected: value === chosen }, text);
  });
  return h("select", attributes, choice);
}

/** Text that a device may have chosen: its own direction, and nothing invisible. */
export function said(text, attributes = {}) {
  return h("bdi", { class: "said", ...attributes }, visible(text));
}

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** The same text with what would not be seen, or would turn the rest around, written out. */
export function visible(text) {
  return String(text ?? "").replace(UNSEEN, (c) => `\u27e8U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);
}

const ICONS = {
  overview: "M3 13h4l3-8 4 14 3-6h4",
  clients: "M4 6h16v9H4zM9 19h6M12 15v4",
  topics: "M5 4v14h6M5 10h6M14 8h6v4h-6zM14 16h6v4h-6z",
  subscriptions: "M4 5h16M4 12h10M4 19h6M17 12v8M13 16h8",
  rules: "M5 4h14v16H5zM9 9h6M9 13h6M9 17h3",
  listeners: "M4 12h10M10 8l4 4-4 4M14 4h6v16h-6",
  console: "M4 5h16v14H4zM8 10l3 2.5-3 2.5M13 15h4",
  events: "M5 12a7 7 0 0 1 14 0M8.5 12a3.5 3.5 0 0 1 7 0M12 12v8",
  bans: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM6 6l12 12",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5",
  operations: "M5 6h14M5 12h14M5 18h14M8 4v4M16 10v4M11 16v4",
  menu: "M4 7h16M4 12h16M4 17h16",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2",
  dark: "M19 14.5A8 8 0 0 1 9.5 5a8 8 0 1 0 9.5 9.5z",
  system: "M4 5h16v11H4zM9 20h6",
};

/** A drawing beside a text that says the same. */
export function icon(name) {
  const path = s("path", { d: ICONS[name] ?? ICONS.overview });
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, path);
}
