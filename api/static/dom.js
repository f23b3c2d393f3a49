// Building elements without markup in strings: what comes from the daemon is only ever text.

export const byId = (id) => document.getElementById(id);

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Replaces an element's children, and keeps the keyboard's place where the focused element comes back with its id.
export function fill(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  element.replaceChildren(...children.flat(2));
  if (focused) byId(focused)?.focus({ preventScroll: true });
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// columns: [title, class]; rows: cells that are text or elements; the first cell of a row is its header.
export function table(columns, rows, caption = null) {
  const head = columns.map(([title, kind]) => h("th", { scope: "col", class: kind }, title));
  const body = rows.map((cells) =>
    h("tr", {}, cells.map((cell, index) =>
      index === 0
        ? h("th", { scope: "row" }, cell)
        : h("td", { class: columns[index][1], "data-label": columns[index][0] }, h("div", {}, cell)))));
  return h("table", {}, caption && h("caption", {}, caption), h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
}

export function meter(share, text, label, { warn = 0.85, bad = 0.95 } = {}) {
  const bounded = Math.min(1, Math.max(0, share || 0));
  const tone = share >= bad ? "bad" : share >= warn ? "warn" : "";
  const bar = h("span", { class: "fill" });
  bar.style.width = `${bounded * 100}%`;
  return h("div", { class: "meter", "data-tone": tone, "data-text": text.length > 8 ? "long" : "short" },
    h("div", { class: "track", role: "meter", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100",
      "aria-valuenow": String(Math.round(bounded * 100)), "aria-valuetext": text }, bar),
    h("span", { class: "text" }, text));
}

export const tag = (text, tone = "") => h("span", { class: "tag", "data-tone": tone }, text);

export const tile = (name, value, note = "", tone = "") =>
  h("div", { "data-tone": tone }, h("dt", {}, name), h("dd", {}, value, note && h("small", {}, note)));

export const empty = (text) => h("p", { class: "empty" }, text);
