// Tables whose rows the broker filters, sorts and cuts into pages; what is asked for stands in the address.

import { fresh, h, replace } from "./dom.mjs";
import { count } from "./format.mjs";
import { empty, failed, loading } from "./states.mjs";

const LIMIT = 50;
/** The broker cuts no page behind its hundred thousandth item: filters lead there. */
const PAGES_MAX = 100_000 / LIMIT;

/** A table of rows that are there already. Columns are `{ label, cell(row), class, sort }`. */
export function tableOf(caption, columns, rows, { sort, onSort } = {}) {
  const head = columns.map((column) => headOf(column, sort, onSort));
  const body = rows.map((row) =>
    h("tr", { role: "row" }, columns.map((column, index) => {
      const attributes = { class: column.class, "data-label": column.label, role: index === 0 ? "rowheader" : "cell" };
      return h(index === 0 ? "th" : "td", index === 0 ? { ...attributes, scope: "row" } : attributes, column.cell(row));
    })),
  );
  return h("table", { role: "table" },
    h("caption", { class: "unseen" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
    h("tbody", { role: "rowgroup" }, body),
  );
}

function headOf(column, sort, onSort) {
  const attributes = { scope: "col", role: "columnheader", class: column.class };
  if (!column.sort || !onSort) return h("th", attributes, h("span", {}, column.label));
  const isUp = sort === column.sort;
  const isDown = sort === `-${column.sort}`;
  attributes["aria-sort"] = isUp ? "ascending" : isDown ? "descending" : "none";
  const next = isDown || (!isUp && !column.descendsFirst) ? column.sort : `-${column.sort}`;
  const mark = h("span", { class: "mark", "aria-hidden": "true" }, isUp ? "\u25b2" : isDown ? "\u25bc" : "\u25b4\u25be");
  return h("th", attributes, h("button", { type: "button", class: "sort", on: { click: () => onSort(next, column) } }, column.label, mark));
}

/**
 * A list that the broker cuts into pages.
 *
 * `load(query, signal)` answers `{ items, total }`. `filters` are controls with a name, whose values become part of the
 * query. `query` and `onQuery` tie it to the address. Answers with the node, `refresh()` and `stop()`.
 */
export function pagedTable({ caption, columns, filters = [], query, onQuery, load, none, refreshSecs = 0 }) {
  let asked = { ...query };
  let under;
  let timer;
  const total = h("p", { class: "total", role: "status" });
  const outlet = h("div", { class: "table-box", tabindex: "-1", id: fresh("rows") });
  const pager = h("nav", { class: "pager", "aria-label": `Pages of ${caption.toLowerCase()}` });
  const bar = h("form", { class: "filters", role: "search", "aria-label": `Filter ${caption.toLowerCase()}`, on: { submit: (event) => event.preventDefault() } }, filters.map((one) => one.node));
  const node = h("div", { class: "listing" }, filters.length ? bar : null, total, outlet, pager);

  function ask(changes) {
    asked = Object.fromEntries(Object.entries({ ...asked, ...changes }).filter(([, value]) => value !== undefined && value !== ""));
    onQuery?.(asked);
    return fetchRows(true);
  }

  async function fetchRows(isAsked) {
    clearTimeout(timer);
    under?.abort();
    const mine = (under = new AbortController());
    if (!outlet.firstChild) replace(outlet, loading());
    outlet.setAttribute("aria-busy", "true");
    try {
      const answer = await load({ limit: LIMIT, ...asked }, mine.signal);
      if (!mine.signal.aborted) show(answer, isAsked);
    } catch (error) {
      if (mine.signal.aborted) return;
      replace(outlet, failed(error, () => fetchRows(true)));
      replace(pager);
    }
    outlet.removeAttribute("aria-busy");
    if (refreshSecs) timer = setTimeout(again, refreshSecs * 1000);
  }

  /** Rows that somebody is in are left as they are. */
  function again() {
    if (document.hidden || outlet.contains(document.activeElement)) timer = setTimeout(again, 1000);
    else fetchRows(false);
  }

  function show({ items, total: all }, isAsked) {
    const page = Number(asked.page ?? 1);
    const from = (page - 1) * LIMIT;
    const text = all === 0 ? "None" : `${count(from + 1)}\u2013${count(from + items.length)} of ${count(all)}`;
    if (isAsked || total.textContent !== text) replace(total, text);
    const focused = outlet.contains(document.activeElement) ? document.activeElement.textContent : undefined;
    const rows = tableOf(caption, columns, items, { sort: asked.sort, onSort: (sort) => ask({ sort, page: undefined }) });
    replace(outlet, items.length ? rows : empty(none?.title ?? "None", none?.hint));
    if (focused) [...outlet.querySelectorAll("button.sort")].find((b) => b.firstChild.data === focused.replace(/[\u25b2\u25bc\u25b4\u25be]+$/, ""))?.focus();
    replace(pager, pagesOf(page, Math.min(PAGES_MAX, Math.ceil(all / LIMIT)), (to) => ask({ page: to === 1 ? undefined : to })));
  }

  for (const { control, name } of filters) {
    if (asked[name] !== undefined) control.value = asked[name];
    let wait;
    const change = () => ask({ [name]: control.value.trim() === "" ? undefined : control.value.trim(), page: undefined });
    const isText = control.tagName === "INPUT";
    control.addEventListener(isText ? "input" : "change", () => (clearTimeout(wait), (wait = setTimeout(change, isText ? 250 : 0))));
  }
  fetchRows(true);
  return { node, refresh: () => fetchRows(false), stop: () => (clearTimeout(timer), under?.abort()) };
}

function pagesOf(page, pages, go) {
  if (pages <= 1) return [];
  const button = (text, to, label) => h("button", { type: "button", disabled: to < 1 || to > pages || to === page, "aria-label": label, on: { click: () => go(to) } }, text);
  return [
    button("\u00ab", 1, "First page"),
    button("\u2039", page - 1, "Previous page"),
    h("span", {}, `Page ${count(page)} of ${count(pages)}`),
    button("\u203a", page + 1, "Next page"),
    button("\u00bb", pages, "Last page"),
  ];
}

/** A filter of a list: a control with a name and a label that is seen. */
export function filter(name, label, control) {
  control.id = fresh("filter");
  control.name = name;
  return { name, control, node: h("div", { class: "field" }, h("label", { htmlFor: control.id }, label), control) };
}
