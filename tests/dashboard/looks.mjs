// What can be said of the look of a page without looking at it: each function answers with a list of what is wrong.

const textOf = (node) => `<${node.tagName.toLowerCase()}> ${node.textContent.trim().slice(0, 40)}`;
const isShown = (node) => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });

const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
const brush = canvas.getContext("2d", { willReadFrequently: true });

/** Any colour of CSS as red, green, blue (0 to 255) and alpha (0 to 1). */
function colour(text) {
  brush.clearRect(0, 0, 1, 1);
  brush.fillStyle = text;
  brush.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}

const over = ([r, g, b, a], under) => [r, g, b].map((value, at) => value * a + under[at] * (1 - a));

function background(node) {
  const layers = [];
  for (let at = node; at; at = at.parentElement) {
    const layer = colour(getComputedStyle(at).backgroundColor);
    layers.push(layer);
    if (layer[3] === 1) break;
  }
  return layers.reduceRight((under, layer) => over(layer, under), [255, 255, 255]);
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function ratio(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Text that is too like what is behind it: WCAG 2.2, 1.4.3. */
function contrast() {
  const wrong = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !isShown(node) || node.closest(":disabled, .unseen, option, svg")) continue;
    const style = getComputedStyle(node);
    const under = background(node);
    const found = ratio(over(colour(style.color), under), under);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (found < (isLarge ? 3 : 4.5)) wrong.add(`${textOf(node)}: contrast ${found.toFixed(2)}`);
  }
  for (const node of document.querySelectorAll("input:not([type=checkbox]), select, textarea")) {
    if (!isShown(node) || node.disabled) continue;
    const found = ratio(colour(getComputedStyle(node).borderTopColor).slice(0, 3), background(node.parentElement));
    if (found < 3) wrong.add(`${node.name}: its border has contrast ${found.toFixed(2)}`);
  }
  return [...wrong];
}

function nameOf(node) {
  const by = node.getAttribute("aria-labelledby");
  const labels = [...(node.labels ?? [])].map((label) => label.textContent).join(" ");
  const pictures = [...node.querySelectorAll("img")].map((img) => img.alt).join(" ");
  return (node.getAttribute("aria-label") ?? (by ? document.getElementById(by)?.textContent : "")) || labels || node.textContent.trim() || pictures || node.title;
}

/** Names, landmarks and references that somebody who does not see the page goes by. */
function structure() {
  const wrong = [];
  const all = (selector) => [...document.querySelectorAll(selector)].filter(isShown);
  for (const node of all("input, select, textarea, button, a, dialog, [role=tree], [role=tablist], nav, ol[tabindex], svg[role=img]")) {
    if (!nameOf(node)?.trim()) wrong.push(`${textOf(node)} has no name: ${node.outerHTML.slice(0, 120)}`);
  }
  for (const node of all("input:not([type=checkbox]), select, textarea")) {
    if (!node.labels?.length && !node.hasAttribute("aria-label")) wrong.push(`${node.name} has no label`);
  }
  for (const img of all("img")) if (!img.hasAttribute("alt")) wrong.push("a picture has no alternative");
  if (all("h1").length !== 1) wrong.push(`${all("h1").length} headings of level 1`);
  if (all("main").length !== 1) wrong.push(`${all("main").length} main landmarks`);
  for (const table of all("table")) if (!table.caption) wrong.push("a table has no caption");
  if (all("[tabindex]").some((node) => node.tabIndex > 0)) wrong.push("a positive tabindex");
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of ids.filter((one, at) => ids.indexOf(one) !== at)) wrong.push(`the id ${id} is there twice`);
  for (const attribute of ["aria-controls", "aria-describedby", "aria-labelledby", "for"]) {
    for (const node of document.querySelectorAll(`[${attribute}]`)) {
      const id = node.getAttribute(attribute);
      if (!document.getElementById(id)) wrong.push(`${attribute} names ${id}, which is not there`);
    }
  }
  if (!document.documentElement.lang) wrong.push("the page has no language");
  if (!document.title) wrong.push("the page has no title");
  return wrong;
}

/** What reaches beyond the right edge of the window. */
function overflow() {
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide <= 0) return [];
  const edge = document.documentElement.clientWidth;
  const guilty = [...document.querySelectorAll("main *")].filter((node) => isShown(node) && node.getBoundingClientRect().right > edge + 1);
  return [`the page is ${wide} px too wide: ${guilty.slice(0, 3).map(textOf).join("; ")}`];
}

/** On a phone: targets that a finger does not meet (WCAG 2.2, 2.5.8). */
function targets() {
  return [...document.querySelectorAll("button, input, select, nav a")]
    .filter((node) => isShown(node) && !node.closest(".unseen, thead") && node.type !== "checkbox")
    .map((node) => [node, node.getBoundingClientRect()])
    .filter(([, box]) => box.width < 24 || box.height < 24)
    .map(([node, box]) => `${textOf(node)} is ${Math.round(box.width)} x ${Math.round(box.height)}`);
}

/** Whether the element that has the focus shows it. */
function focus() {
  const node = document.activeElement;
  const style = getComputedStyle(node);
  const row = node.getAttribute("role") === "treeitem" ? getComputedStyle(node.firstElementChild) : style;
  const shows = [style, row].some((one) => one.outlineStyle !== "none" && parseFloat(one.outlineWidth) >= 2);
  return { who: textOf(node), where: node.closest("main") ? "main" : "frame", shows: shows || node === document.body || node.tagName === "MAIN" || node.tagName === "H1" };
}

window.looks = { contrast, structure, overflow, targets, focus };
