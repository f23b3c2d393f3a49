// The forecast chart: seven days that were, three that come, for the chosen target; Prophet's beside ours.

import { clear, forecastChart, limitFits } from "./charts.js";
import { get } from "./client.js";
import { byId, empty, fill, h, setText, table, tile } from "./dom.js";
import { duration, percent, quantity, weekTime } from "./format.js";
import { showProphet } from "./prophet.js";

const HISTORY_HOURS = 168;
const HINT = "Point at the chart to read an hour.";
let chosen = null;
let targets = [];
let shown = 0;

export function chosenStatistic(row) {
  return row.lead;
}

export function choose(target) {
  chosen = target;
  byId("target").value = target;
  return draw();
}

export function updateTargets(rows) {
  targets = rows;
  const picker = byId("target");
  const names = rows.map((row) => row.target);
  if (!names.includes(chosen)) chosen = names[0] ?? null;
  if (names.join("\n") !== [...picker.options].map((option) => option.value).join("\n")) {
    fill(picker, rows.length ? rows.map((row) => h("option", { value: row.target }, row.title)) : h("option", {}, "none yet"));
    picker.disabled = rows.length === 0;
  }
  if (chosen) picker.value = chosen;
}

byId("target").addEventListener("change", (event) => choose(event.target.value));
byId("prophet-toggle").addEventListener("change", () => draw());
byId("prophet-details").addEventListener("toggle", () => draw());

export async function draw() {
  const row = targets.find((one) => one.target === chosen);
  const chart = byId("forecast-chart");
  if (!row) {
    clear(chart, empty("The chart appears with the first capacity target."));
    return;
  }
  const turn = (shown += 1);
  const statistic = chosenStatistic(row);
  const [history, answer] = await Promise.all([
    get("/v1/history", { target: row.target, hours: HISTORY_HOURS }),
    get("/v1/forecasts", { target: row.target }),
  ]);
  if (turn !== shown) return;
  show(row, statistic, history, answer.forecasts.find((one) => one.statistic === statistic));
}

function show(row, statistic, history, forecast) {
  const now = Date.parse(history.time);
  const rows = hours(history, statistic, forecast);
  setText(byId("forecast-summary"), summary(row, forecast));
  showChances(row, forecast, now);
  showProphet(row, forecast);
  const chart = byId("forecast-chart");
  const drawable = rows.length > 1;
  byId("forecast-legend").hidden = !drawable;
  byId("forecast-details").hidden = forecast?.status !== "ok";
  setText(byId("forecast-readout"), HINT);
  if (!drawable) {
    setText(byId("forecast-readout"), "");
    clear(chart, empty(rows.length ? "The chart appears when two hours are recorded." : "Nothing was recorded in the last week."));
    return;
  }
  const column = (name) => rows.map((one) => one[name] ?? null);
  const withProphet = byId("prophet-toggle").checked && Boolean(forecast?.prophet);
  byId("prophet-toggle").closest("li").hidden = !forecast?.prophet;
  const withDemand = Boolean(forecast?.demand?.length);
  byId("forecast-legend").querySelector(".demand").closest("li").hidden = !withDemand;
  const reach = reached(forecast);
  byId("forecast-legend").querySelector(".reach").closest("li").hidden = reach.early === null;
  const values = rows.flatMap((one) => [one.recorded, one["p97.5"], one.mean]).filter((value) => value !== undefined && value !== null);
  const showLimit = limitFits(row.limit, values);
  byId("forecast-legend").lastElementChild.hidden = !showLimit;
  const data = [
    rows.map((one) => one.time / 1000), column("recorded"), column("mean"), column("p90"), column("p10"),
    column("p97.5"), column("p2.5"), rows.map(() => row.limit), column("prophet"), column("demand"),
  ];
  chart.setAttribute("aria-label", `${row.title}: ${byId("forecast-summary").textContent}`);
  forecastChart(chart, {
    data, unit: row.unit, limit: row.limit, showLimit, showProphet: withProphet, showDemand: withDemand, now, reach,
    onHover: (index) => setText(byId("forecast-readout"), index === null ? HINT : readout(rows[index], row.unit)),
  });
  writeTable(rows.filter((one) => one.mean !== undefined), row.unit);
}

// One row an hour: what was recorded, and what the forecast says of the hours from its own moment on.
function hours(history, statistic, forecast) {
  const recorded = statistic === "mean" ? history.mean : history[statistic];
  const rows = new Map(history.times.map((time, index) => [Date.parse(time), { time: Date.parse(time), recorded: recorded[index] }]));
  if (forecast?.status === "ok") {
    const start = Date.parse(forecast.start);
    forecast.points.mean.forEach((_value, index) => {
      const time = start + index * forecast.step_seconds * 1000;
      const row = rows.get(time) ?? { time };
      for (const [name, values] of Object.entries(forecast.points)) row[name] = values[index];
      if (forecast.prophet) row.prophet = forecast.prophet.mean[index];
      if (forecast.demand?.length) row.demand = forecast.demand[index];
      rows.set(time, row);
    });
  }
  return [...rows.values()].sort((left, right) => left.time - right.time);
}

// When the limit is reached with 10, 50 and 90 %, in milliseconds.
function reached(forecast) {
  const at = (hour) => (hour === null || hour === undefined ? null : Date.parse(forecast.start) + hour * forecast.step_seconds * 1000);
  const chance = forecast?.chance;
  return { early: at(chance?.t10), middle: at(chance?.t50), late: at(chance?.t90) };
}

function summary(row, forecast) {
  const current = row.current === null ? "" : `Now ${quantity(row.current, row.unit)}; `;
  const limit = row.limit === null ? "" : `, limit ${quantity(row.limit, row.unit)}`;
  if (!forecast || forecast.status !== "ok") return `${current}${current ? "no" : "No"} forecast: ${forecast?.reason || "none was made yet"}${limit}.`;
  const values = forecast.points.mean;
  const worst = row.below ? Math.min(...values) : Math.max(...values);
  const at = Date.parse(forecast.start) + values.indexOf(worst) * forecast.step_seconds * 1000;
  const kind = { mean: "hourly mean", max: "hourly peak", min: "hourly low" }[forecast.statistic];
  const peak = `${current ? kind : kind[0].toUpperCase() + kind.slice(1)} expected at ${quantity(worst, row.unit)} on ${weekTime(at)}${limit}`;
  if (row.limit === null) return `${current}${peak}; no limit is set.`;
  if (!forecast.chance) return `${current}${peak}; ${forecast.breach_reason || "nothing is known of when it is reached"}.`;
  return `${current}${peak}; a chance of ${percent(forecast.chance.p72)} to reach it within 3 days.`;
}

const tone = (share) => (share >= 0.6 ? "bad" : share >= 0.3 ? "warn" : "");

function showChances(row, forecast, now) {
  const list = byId("forecast-chances");
  const chance = forecast?.chance;
  list.hidden = !chance;
  if (!chance) return;
  const { early, middle, late } = reached(forecast);
  const when = (moment) => (moment === null ? "beyond 3 days" : weekTime(moment));
  const history = forecast.history_hours < 48 ? `${Math.round(forecast.history_hours)} h` : `${Math.round(forecast.history_hours / 24)} days`;
  fill(list,
    ...[["24 h", chance.p24], ["48 h", chance.p48], ["72 h", chance.p72]].map(([span, share]) => tile(`Within ${span}`, percent(share), "", tone(share))),
    tile("As likely as not by", when(middle), middle !== null && middle > now ? `in ${duration(middle - now)}` : ""),
    tile("One chance in ten by", when(early), `nine in ten: ${late === null ? "later" : weekTime(late)}`),
    tile("In the last 72 h", chance.crossed_lately ? "reached" : "not reached", `known for ${history}`));
}

function readout(row, unit) {
  const parts = [weekTime(row.time)];
  if (row.recorded !== undefined && row.recorded !== null) parts.push(`recorded ${quantity(row.recorded, unit)}`);
  if (row.mean !== undefined) {
    parts.push(`expected ${quantity(row.mean, unit)}`);
    parts.push(`80 %: ${quantity(row.p10, unit)} to ${quantity(row.p90, unit)}`);
    parts.push(`95 %: ${quantity(row["p2.5"], unit)} to ${quantity(row["p97.5"], unit)}`);
    if (row.demand !== undefined) parts.push(`demand ${quantity(row.demand, unit)}`);
    if (row.prophet !== undefined) parts.push(`Prophet ${quantity(row.prophet, unit)}`);
  }
  return parts.join(" · ");
}

function writeTable(rows, unit) {
  const columns = [["Hour", ""], ["Expected", "number"], ["80 % of outcomes", "number"], ["95 % of outcomes", "number"], ["Prophet", "number"]];
  const cells = rows.map((row) => [
    weekTime(row.time), quantity(row.mean, unit),
    `${quantity(row.p10, unit)} – ${quantity(row.p90, unit)}`, `${quantity(row["p2.5"], unit)} – ${quantity(row["p97.5"], unit)}`,
    row.prophet === undefined ? "–" : quantity(row.prophet, unit),
  ]);
  byId("forecast-table").replaceChildren(...table(columns, cells).childNodes);
}
