// Latency and queue of the inference servers over the last six hours.

import { clear, smallChart } from "./charts.js";
import { get } from "./client.js";
import { byId, empty, setText, table } from "./dom.js";
import { quantity, weekTime } from "./format.js";
import { grid, quantileColumns, sumColumns } from "./series.js";

const SPAN = 6 * 3600 * 1000;
const STEP = 5 * 60 * 1000;
const LATENCY = "forewarn_inference_request_duration_seconds_bucket";
const QUEUE = "forewarn_inference_requests_waiting";

export async function drawInference(now) {
  const range = { start: new Date(now - SPAN).toISOString(), end: new Date(now).toISOString(), step: STEP / 1000 };
  const [latency, queue] = await Promise.all([get("/v1/query", { match: LATENCY, ...range }), get("/v1/query", { match: QUEUE, ...range })]);
  drawLatency(quantileColumns(latency.series, now - SPAN, now, STEP, [0.5, 0.95]));
  drawQueue(queue.series, now);
}

function last(column) {
  return column.findLast((value) => value !== null) ?? null;
}

function drawLatency(data) {
  const [, median, high] = data;
  if (last(median) === null) {
    clear(byId("latency-chart"), empty("No request was measured."));
    setText(byId("latency-summary"), "No request was measured in the last 6 hours.");
    return;
  }
  const text = `Half of the requests within ${quantity(last(median), "seconds")}, 95 % within ${quantity(last(high), "seconds")} (dashed).`;
  setText(byId("latency-summary"), text);
  byId("latency-chart").setAttribute("aria-label", text);
  smallChart(byId("latency-chart"), { data, unit: "seconds", lines: [{ colour: "recorded" }, { colour: "expected", dash: [6, 3] }] });
  writeTable("latency-table", data, ["Median", "95 %"], "seconds");
}

function drawQueue(series, now) {
  const [times, ...columns] = grid(now - SPAN, now, STEP, series.map((one) => ({ times: one.times, values: one.max })));
  const data = [times, sumColumns(columns, times.length)];
  if (last(data[1]) === null) {
    clear(byId("queue-chart"), empty("No queue was measured."));
    setText(byId("queue-summary"), "No queue was measured in the last 6 hours.");
    return;
  }
  const longest = Math.max(...data[1].filter((value) => value !== null));
  const text = `${quantity(last(data[1]), "")} waiting in the last 5 minutes, ${quantity(longest, "")} at most.`;
  setText(byId("queue-summary"), text);
  byId("queue-chart").setAttribute("aria-label", text);
  smallChart(byId("queue-chart"), { data, unit: "", lines: [{ colour: "expected" }] });
  writeTable("queue-table", data, ["Waiting at most"], "");
}

function writeTable(id, [times, ...columns], titles, unit) {
  const rows = times
    .map((moment, index) => [weekTime(moment * 1000), ...columns.map((column) => quantity(column[index], unit))])
    .filter((_row, index) => columns.some((column) => column[index] !== null))
    .reverse();
  byId(id).replaceChildren(...table([["From", ""], ...titles.map((title) => [title, "number"])], rows).childNodes);
}
