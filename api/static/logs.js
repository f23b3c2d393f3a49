// The search box for log lines.

import { get } from "./client.js";
import { byId, fill, h, setText, tag } from "./dom.js";

const TONES = { critical: "bad", error: "bad", warning: "warn" };
const PATIENCE = 40000; // files are searched for half a minute at most
const form = byId("logs-form");
let asked = 0;

// The words of a search, as the daemon takes them apart: for marking only.
function marker(text) {
  const terms = [...text.matchAll(/"([^"]*)"?|(\S+)/g)].map(([, quoted, word]) => (quoted ?? word).match(/[\p{L}\p{N}_]+/gu)).filter(Boolean);
  const escaped = terms.map((words) => words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("[^\\p{L}\\p{N}_]+"));
  return escaped.length ? new RegExp(`(?<![\\p{L}\\p{N}])(?:${escaped.join("|")})(?![\\p{L}\\p{N}])`, "giu") : null;
}

function marked(text, expression) {
  if (!expression) return [text];
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(expression)) {
    parts.push(text.slice(from, found.index), h("mark", {}, found[0]));
    from = found.index + found[0].length;
  }
  return [...parts, text.slice(from)];
}

function lineOf(line, expression) {
  const place = [line.host, line.file.split("/").pop() || line.dataset].filter(Boolean).join(" ");
  return h("li", { "data-tone": TONES[line.level] ?? "" },
    h("span", { class: "when", title: line.time }, new Date(line.time).toLocaleString("sv-SE")),
    h("span", {}, line.level ? tag(line.level, TONES[line.level] ?? "") : ""),
    h("code", {}, marked(line.message, expression)),
    h("span", { class: "muted", title: line.file }, place));
}

async function search() {
  const turn = ++asked;
  const { q, level, since } = Object.fromEntries(new FormData(form));
  setText(byId("logs-summary"), "Searching …");
  try {
    const found = await get("/v1/logs", { q, level: level || null, since: (Date.now() / 1000 - Number(since)).toFixed(0), limit: 100 }, PATIENCE);
    if (turn !== asked) return;
    const expression = marker(q);
    const count = `${found.truncated ? "the newest " : ""}${found.lines.length} line${found.lines.length === 1 ? "" : "s"}`;
    const place = found.place === "local" ? `in this node’s files${found.reason ? ` (${found.reason})` : ""}` : "in Elasticsearch";
    setText(byId("logs-summary"), found.lines.length ? `Found ${count} ${place}.` : `Nothing was found ${place}.`);
    fill(byId("logs-lines"), found.lines.toReversed().map((line) => lineOf(line, expression)));
  } catch (error) {
    if (turn !== asked) return;
    setText(byId("logs-summary"), `Not searched: ${error.message}.`);
    fill(byId("logs-lines"));
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});

export function showLogs(searchable) {
  byId("logs").hidden = !searchable;
}
