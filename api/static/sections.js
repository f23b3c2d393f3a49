// The sections that show newest values: alerts, GPUs, host, targets, core metrics, the daemon's own health.

import { byId, empty, fill, h, meter, table, tag } from "./dom.js";
import { age, ago, duration, part, percent, quantity, weekTime } from "./format.js";
import { choose, chosenStatistic } from "./forecast.js";

const TONES = { critical: "bad", warning: "warn", info: "" };
const IDLE_REASONS = new Set(["idle", "application_clocks", "display_clocks"]); // by choice, not for lack of power or cooling

export function showAlerts(alerts, now) {
  const rank = { firing: 0, pending: 1, resolved: 2 };
  const open = alerts.filter((alert) => alert.state !== "resolved").sort((left, right) => rank[left.state] - rank[right.state]);
  fill(byId("alerts"), open.length ? open.map((alert) => alertCard(alert, now)) : empty("No alert is pending or firing."));
}

function alertCard(alert, now) {
  const tone = TONES[alert.labels.severity] ?? "";
  const { summary, description, runbook_url: runbook } = alert.annotations;
  const link = /^https?:\/\//.test(runbook ?? "") && h("a", { id: `runbook-${alert.fingerprint}`, href: runbook, rel: "noreferrer" }, "Runbook");
  return h("article", { class: "alert", "data-tone": alert.state === "firing" ? tone : "" },
    h("header", {}, tag(alert.state, alert.state === "firing" ? tone : ""), h("strong", {}, alert.labels.alertname),
      h("span", { class: "muted" }, `${alert.labels.severity}, since ${age(now - Date.parse(alert.activeAt))}`), link),
    summary && h("p", {}, summary),
    description && h("p", { class: "muted" }, description));
}

function gpuOrder(left, right) {
  return Number(left) - Number(right) || left.localeCompare(right);
}

export function showGpus(latest, targets) {
  const known = ["forewarn_gpu_up", "forewarn_gpu_memory_total_bytes", "forewarn_gpu_utilization_ratio"].flatMap((name) => latest.values(name));
  const gpus = [...new Set(known.map((one) => one.labels.gpu))].sort(gpuOrder);
  if (gpus.length === 0) {
    fill(byId("gpus"), empty("NVML shows no GPU on this node."));
    return;
  }
  const columns = [["GPU", ""], ["Utilization", "wide"], ["Memory", "wide"], ["Temperature", "number"], ["Power", "number"], ["Clocks held down", ""], ["Expected breach", ""]];
  fill(byId("gpus"), table(columns, gpus.map((gpu) => gpuRow(gpu, latest, targets))));
}

function gpuRow(gpu, latest, targets) {
  const value = (name, labels = {}) => latest.value(`forewarn_gpu_${name}`, { gpu, ...labels });
  const info = latest.values("forewarn_gpu_info").find((one) => one.labels.gpu === gpu);
  const name = h("span", {}, `GPU ${gpu} `, info && h("small", {}, info.labels.name));
  if (value("up") === 0) return [name, tag("does not answer", "bad"), "–", "–", "–", "–", "–"];
  const [used, total, busy] = [value("memory_used_bytes"), value("memory_total_bytes"), value("utilization_ratio")];
  const reasons = latest.values("forewarn_gpu_clock_event_active").filter((one) => one.labels.gpu === gpu && one.value === 1 && !IDLE_REASONS.has(one.labels.reason));
  const limit = value("power_limit_watts");
  return [
    name,
    busy === undefined ? "–" : meter(busy, quantity(busy, "ratio"), `GPU ${gpu} utilization`, { warn: 2, bad: 2 }),
    used === undefined ? "–" : meter(used / total, part(used, total, "bytes"), `GPU ${gpu} memory`),
    quantity(value("temperature_celsius", { sensor: "core" }) ?? value("temperature_celsius"), "celsius"),
    h("span", {}, quantity(value("power_watts"), "watts"), limit !== undefined && h("small", {}, ` of ${quantity(limit, "watts")}`)),
    reasons.length ? h("div", { class: "tags" }, reasons.map((one) => tag(one.labels.reason.replaceAll("_", " "), /thermal|slowdown|brake/.test(one.labels.reason) ? "bad" : "warn"))) : h("span", { class: "muted" }, "no"),
    breachOf(targets.filter((row) => row.labels.gpu === gpu), latest.time),
  ];
}

function breachOf(rows, now) {
  const first = rows.find((row) => row.breach);
  if (first) {
    const moment = Date.parse(first.breach);
    const what = first.title.replace(/^GPU \S+ /, "");
    return h("span", { title: weekTime(moment) }, tag(moment <= now ? `${what} now` : `${what} in ${duration(moment - now)}`, urgency(moment, now)));
  }
  const forecast = rows.some((row) => Object.values(row.statistics).some((one) => one.status === "ok"));
  return h("span", { class: "muted" }, forecast ? "none in 3 days" : "no forecast yet");
}

const urgency = (moment, now) => (moment - now < 24 * 3600 * 1000 ? "bad" : "warn");

function breachTag(breach, now) {
  const moment = Date.parse(breach);
  return h("span", { title: weekTime(moment) }, tag(moment <= now ? "crossed" : `in ${duration(moment - now)}`, urgency(moment, now)));
}

function likely(share) {
  if (share >= 0.3) return tag(percent(share), share >= 0.6 ? "bad" : "warn");
  return h("span", { class: share < 0.01 ? "muted" : "" }, percent(share));
}

export function showTargets(rows, now) {
  if (rows.length === 0) {
    fill(byId("targets"), empty("Capacity targets appear with the first forecast."));
    return;
  }
  const columns = [["Target", ""], ["Now", "number"], ["Worst hour expected", "number"], ["Limit", "number"], ["In 24 h", "number"], ["In 48 h", "number"], ["In 72 h", "number"], ["As likely as not", ""], ["Forecast", ""]];
  fill(byId("targets"), table(columns, rows.map((row) => targetCells(row, now))));
}

function targetCells(row, now) {
  const told = row.statistics[chosenStatistic(row)];
  const pick = () => {
    choose(row.target);
    byId("forecast-title").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  };
  const model = { prophet: "Prophet", snaive24: "same hour yesterday", fill: "fill rate" }[told.model] ?? told.model;
  return [
    h("button", { class: "link", type: "button", id: `target-${row.target}`, title: row.target, onclick: pick }, row.title),
    quantity(row.current, row.unit),
    quantity(told.worst, row.unit),
    quantity(row.limit, row.unit),
    ...["24h", "48h", "72h"].map((span) => (row.probability ? likely(row.probability[span]) : "–")),
    row.breach ? breachTag(row.breach, now) : h("span", { class: "muted" }, told.status === "ok" ? (row.limit === null ? "no limit set" : "not in 3 days") : "–"),
    h("span", { class: "muted" }, told.status === "ok" ? model : told.reason),
  ];
}

export function showHost(latest) {
  const value = (name) => latest.value(`forewarn_node_${name}`);
  const items = [];
  const cpu = value("cpu_utilization_ratio");
  if (cpu !== undefined) items.push(["CPU", meter(cpu, quantity(cpu, "ratio"), "CPU utilization", { warn: 2, bad: 2 })]);
  const [free, total] = [value("memory_available_bytes"), value("memory_total_bytes")];
  if (free !== undefined && total) items.push(["Memory", meter(1 - free / total, `${part(free, total, "bytes")} free`, "Host memory")]);
  for (const one of latest.values("forewarn_node_filesystem_avail_bytes")) {
    const size = latest.value("forewarn_node_filesystem_size_bytes", { mountpoint: one.labels.mountpoint }) ?? latest.value("forewarn_node_filesystem_total_bytes", { mountpoint: one.labels.mountpoint });
    const text = size ? `${part(one.value, size, "bytes")} free` : `${quantity(one.value, "bytes")} free`;
    items.push([h("code", {}, one.labels.mountpoint), size ? meter(1 - one.value / size, text, `Filesystem ${one.labels.mountpoint}`) : text]);
  }
  const load = ["load1", "load5", "load15"].map(value).filter((one) => one !== undefined);
  if (load.length) items.push(["Load", load.map((one) => one.toFixed(2)).join("  ")]);
  for (const one of latest.values("forewarn_network_latency_seconds")) items.push([h("code", {}, one.labels.target), `answers in ${quantity(one.value, "seconds")}`]);
  fill(byId("host"), items.length ? h("dl", {}, items.map(([name, shown]) => h("div", {}, h("dt", {}, name), h("dd", {}, shown)))) : empty("The host has not been read yet."));
}

export function showCore(metrics, latest) {
  const groups = new Map();
  for (const metric of metrics) if (metric.core !== null) groups.set(metric.core, [...(groups.get(metric.core) ?? []), metric]);
  const rows = [...groups.keys()].sort((left, right) => left - right).map((number) => {
    const shown = groups.get(number).map((metric) => [metric, coreValue(metric, latest)]).filter(([, text]) => text !== null);
    const lines = shown.length ? shown : [[groups.get(number)[0], "not on this node"]];
    return [
      String(number),
      h("div", {}, lines.map(([metric]) => h("code", { title: metric.help }, metric.name))),
      h("div", {}, lines.map(([, text]) => h("div", {}, text))),
    ];
  });
  fill(byId("core"), table([["No.", ""], ["Metric", "names"], ["Now, on all of its series", ""]], rows));
}

function coreValue(metric, latest) {
  if (metric.type === "histogram") {
    const [sum, count] = [latest.value(`${metric.name}_sum`), latest.value(`${metric.name}_count`)];
    return count ? `mean ${quantity(sum / count, metric.unit)} of ${quantity(count, "")} since the start` : null;
  }
  const values = latest.values(metric.name).map((one) => one.value);
  if (values.length === 0) return null;
  if (metric.name.endsWith("_timestamp_seconds")) return weekTime(Math.max(...values) * 1000);
  if (metric.type === "counter") return `${quantity(values.reduce((sum, one) => sum + one, 0), metric.unit)} in all`;
  const [low, high] = [Math.min(...values), Math.max(...values)].map((one) => quantity(one, metric.unit));
  return low === high ? low : `${low} to ${high}`;
}

export function showHealth(latest, status) {
  const collectors = latest.values("forewarn_collector_success").map((one) => {
    const { collector } = one.labels;
    const took = latest.value("forewarn_collector_duration_seconds", { collector });
    const last = latest.value("forewarn_collector_last_success_timestamp_seconds", { collector });
    const detail = one.value === 1 ? (took === undefined ? "" : quantity(took, "seconds")) : last ? `last data ${ago(latest.time - last * 1000)}` : "no data so far";
    return unit(collector, detail, one.value === 1 ? tag("collecting", "ok") : tag("failing", "bad"));
  });
  const children = latest.values("forewarn_child_up").map((one) => {
    const restarts = latest.value("forewarn_child_restarts_total", { child: one.labels.child }) ?? 0;
    const detail = restarts ? `${restarts} restart${restarts === 1 ? "" : "s"}` : "process";
    return unit(one.labels.child, detail, one.value === 1 ? tag("running", "ok") : tag("down", "bad"));
  });
  const memory = latest.value("process_resident_memory_bytes");
  const own = status.uptime_seconds === undefined ? [] : [unit("daemon", memory === undefined ? "" : quantity(memory, "bytes"), tag(`up ${age(status.uptime_seconds * 1000)}`, "ok"))];
  const units = [...own, ...collectors, ...children];
  fill(byId("health"), units.length ? units : empty("No collector has reported yet."));
}

function unit(name, detail, state) {
  return h("div", { class: "unit" }, h("strong", {}, name), h("span", { class: "muted" }, detail), state);
}
