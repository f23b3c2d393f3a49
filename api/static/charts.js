// Charts by uPlot, coloured by the page's own variables. A canvas says nothing to a screen reader: every chart has a
// sentence and a table beside it, which page sections write.

import { axisSteps, quantity, weekTime } from "./format.js";

const uPlot = window.uPlot;
const HOUR = 3600;
const drawn = new Map();

export const dark = window.matchMedia("(prefers-color-scheme: dark)");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = (seconds) => new Date(seconds * 1000).toLocaleDateString("en-GB", { weekday: "short", day: "numeric" });

function timeLabels(chart, splits, _axis, _space, step) {
  let before = "";
  return splits.map((moment) => {
    const today = day(moment);
    const label = step >= 24 * HOUR ? today : today === before ? clock(moment) : `${clock(moment)}\n${today}`;
    before = today;
    return label;
  });
}

// A value without neighbours has no line: it gets a point.
const lonely = (chart, place) => chart.data[place].flatMap((value, index, all) =>
  value !== null && (all[index - 1] ?? null) === null && (all[index + 1] ?? null) === null ? [index] : []);
const points = { show: true, size: 4, filter: lonely };

function axes(unit, timeStep, gap = 40) {
  const days = timeStep >= 24 * HOUR;
  const common = { stroke: colour("muted"), ticks: { show: false }, font: "12px system-ui, sans-serif" };
  return [
    { ...common, grid: { show: false }, values: timeLabels, size: days ? 32 : 48, space: days ? 64 : 72, incrs: [timeStep / 24, timeStep / 12, timeStep / 4, timeStep / 2, timeStep, timeStep * 2, timeStep * 4] },
    { ...common, grid: { stroke: colour("grid"), width: 1 }, size: 76, space: gap, incrs: axisSteps(unit), values: (_chart, splits) => splits.map((value) => quantity(value, unit)) },
  ];
}

// Draws, or redraws with new data where the element has a chart of the same shape.
function draw(element, shape, options, data) {
  const old = drawn.get(element);
  if (old && old.shape === shape && old.data.length === data.length) {
    old.data = data;
    old.chart.setData(data);
    return;
  }
  old?.chart.destroy();
  element.replaceChildren();
  const chart = new uPlot({ width: element.clientWidth, height: element.clientHeight, legend: { show: false }, ...options }, data, element);
  drawn.set(element, { chart, shape, data });
}

export function clear(element, ...children) {
  drawn.get(element)?.chart.destroy();
  drawn.delete(element);
  element.replaceChildren(...children);
}

// What the caller drew has the old colours: it must draw again.
export function forget() {
  for (const [element, { chart }] of drawn) {
    chart.destroy();
    element.replaceChildren();
  }
  drawn.clear();
}

new ResizeObserver(() => {
  for (const [element, { chart }] of drawn) {
    if (element.clientWidth > 0 && element.clientWidth !== chart.width) chart.setSize({ width: element.clientWidth, height: element.clientHeight });
  }
}).observe(document.body);

// A limit far above everything that was or will be would flatten the rest: then the sentence alone speaks of it.
export function limitFits(limit, values) {
  const highest = Math.max(...values.filter((value) => value !== null));
  return limit !== null && limit !== undefined && limit <= Math.max(highest * 4, highest + 1e-9) && limit >= 0;
}

function forecastRange(showLimit, limit, unit) {
  return (_chart, low, high) => {
    const top = showLimit ? Math.max(high, limit) : high;
    if (unit === "ratio" && top <= 1) return [0, 1.04];
    const tight = low > top / 2; // what moves high above zero is shown from near where it moves
    const bottom = tight ? low - (top - low) * 0.35 : Math.min(low, 0);
    return [bottom, top + (top - bottom || 1) * 0.07];
  };
}

function vertical(chart, seconds, style, dash) {
  const x = Math.round(chart.valToPos(seconds, "x", true)) + 0.5;
  const { left, top, width, height } = chart.bbox;
  if (x < left || x > left + width) return;
  const context = chart.ctx;
  context.save();
  context.strokeStyle = style;
  context.lineWidth = devicePixelRatio;
  context.setLineDash(dash.map((part) => part * devicePixelRatio));
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x, top + height);
  context.stroke();
  context.restore();
  return x;
}

function mark(chart, seconds, text, style, dash, row = 0) {
  const x = vertical(chart, seconds, style, dash);
  if (x === undefined) return;
  const context = chart.ctx;
  context.save();
  context.fillStyle = style;
  context.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  const [fromLeft, fromRight] = [x - chart.bbox.left, chart.bbox.left + chart.bbox.width - x].map((room) => room / devicePixelRatio);
  const before = (text === "now" && fromLeft > 40) || fromRight < 90;
  context.textAlign = before ? "right" : "left";
  context.fillText(text, x + (before ? -6 : 6) * devicePixelRatio, chart.bbox.top + (13 + row * 16) * devicePixelRatio);
  context.restore();
}

// On the line of the limit: from one chance in ten to nine, with a knot at one half; open where nine lie beyond.
function reachBar(chart, { early, middle, late }, limit, showLimit) {
  const { left, top, width } = chart.bbox;
  const x = (moment) => Math.min(left + width, Math.max(left, chart.valToPos(moment / 1000, "x", true)));
  const y = showLimit ? chart.valToPos(limit, "y", true) : top + 40 * devicePixelRatio;
  const [from, to] = [x(early), late === null ? left + width : x(late)];
  const context = chart.ctx;
  context.save();
  context.setLineDash([]); // the line of the limit has left its own
  context.strokeStyle = context.fillStyle = colour("reach");
  context.lineWidth = 8 * devicePixelRatio;
  context.beginPath();
  context.moveTo(from, y);
  context.lineTo(Math.max(to, from + 3 * devicePixelRatio), y);
  context.stroke();
  context.lineWidth = 2 * devicePixelRatio;
  context.strokeStyle = context.fillStyle = colour("limit");
  for (const end of late === null ? [from] : [from, to]) {
    context.beginPath();
    context.moveTo(end, y - 7 * devicePixelRatio);
    context.lineTo(end, y + 7 * devicePixelRatio);
    context.stroke();
  }
  if (middle !== null) {
    context.beginPath();
    context.arc(x(middle), y, 5 * devicePixelRatio, 0, 2 * Math.PI);
    context.fill();
  }
  context.restore();
}

// data: [times, recorded, mean, p90, p10, p97.5, p2.5, limit, prophet, demand] in seconds and base units.
// reach: {early, middle, late} in milliseconds, when the limit is reached with 10, 50 and 90 %; null beyond the horizon.
export function forecastChart(element, { data, unit, limit, showLimit, showProphet, showDemand, now, reach, onHover }) {
  const edge = { stroke: "transparent", points: { show: false } };
  const options = {
    scales: { x: { time: true }, y: { range: forecastRange(showLimit, limit, unit) } },
    axes: axes(unit, 24 * HOUR),
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    series: [
      {},
      { stroke: colour("recorded"), width: 1.6, points },
      { stroke: colour("expected"), width: 2, dash: [7, 4], points: { show: false } },
      edge, edge, edge, edge,
      { stroke: colour("limit"), width: 1.6, dash: [2, 4], points: { show: false }, show: showLimit },
      { stroke: colour("prophet"), width: 1.6, points: { show: false }, show: showProphet },
      { stroke: colour("recorded"), width: 1.4, dash: [2, 3], points: { show: false }, show: showDemand },
    ],
    bands: [
      { series: [5, 6], fill: colour("band95") },
      { series: [3, 4], fill: colour("band80") },
    ],
    hooks: {
      draw: [(chart) => {
        mark(chart, now / 1000, "now", colour("muted"), [3, 3]);
        if (reach.early !== null) reachBar(chart, reach, limit, showLimit);
        if (reach.middle > now) mark(chart, reach.middle / 1000, weekTime(reach.middle), colour("limit"), [3, 3], 1);
      }],
      setCursor: [(chart) => onHover(chart.cursor.idx ?? null)],
    },
  };
  draw(element, `${unit}|${limit}|${showLimit}|${showProphet}|${showDemand}|${Object.values(reach)}|${data[0][0]}|${dark.matches}`, options, data);
}

const fromZero = (_chart, _low, high) => [0, (high || 1) * 1.12];
const around = (_chart, low, high) => {
  const room = (high - low) * 0.12 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
};

// lines: [{colour, dash}], data: [times, ...values]; days: whether it spans days, and swings around some level.
export function smallChart(element, { data, unit, lines, days = false }) {
  const options = {
    scales: { x: { time: true }, y: { range: days ? around : fromZero } },
    axes: axes(unit, days ? 24 * HOUR : 2 * HOUR, 24),
    cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false } },
    series: [{}, ...lines.map((line) => ({ stroke: colour(line.colour), width: 1.6, dash: line.dash, points }))],
  };
  draw(element, `${unit}|${lines.length}|${days}|${dark.matches}`, options, data);
}
