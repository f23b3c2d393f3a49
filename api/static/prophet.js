// Prophet's forecast in the parts that it is made of: what users know, drawn while somebody looks at it.

import { smallChart } from "./charts.js";
import { byId, setText } from "./dom.js";
import { quantity, weekTime } from "./format.js";

const PARTS = ["trend", "weekly", "daily"];
const MOST_CHANGES = 3;

export function showProphet(row, forecast) {
  const details = byId("prophet-details");
  details.hidden = !forecast?.prophet;
  if (details.hidden || !details.open) return;
  const { prophet } = forecast;
  const start = Date.parse(forecast.start);
  const times = prophet.mean.map((_value, index) => (start + index * forecast.step_seconds * 1000) / 1000);
  for (const part of PARTS) {
    const values = prophet[part];
    const [low, high] = [Math.min(...values), Math.max(...values)].map((value) => quantity(value, row.unit));
    byId(`prophet-${part}`).setAttribute("aria-label", `Prophet’s ${part} part of ${row.title}: ${low} to ${high} in the next three days`);
    smallChart(byId(`prophet-${part}`), { data: [times, values], unit: row.unit, lines: [{ colour: "prophet" }], days: true });
  }
  const [low, high] = [Math.min(...prophet.mean), Math.max(...prophet.mean)].map((value) => quantity(value, row.unit));
  setText(byId("prophet-summary"), `The parts add up to Prophet’s forecast: ${low} to ${high} in the next three days.`);
  setText(byId("prophet-changepoints"), changes(row, prophet.changepoints));
}

function changes(row, changepoints) {
  const largest = [...changepoints].sort((left, right) => Math.abs(right.slope_change_a_day) - Math.abs(left.slope_change_a_day)).slice(0, MOST_CHANGES);
  if (largest.length === 0) return "The slope of the trend never changed.";
  const told = largest
    .sort((left, right) => Date.parse(left.time) - Date.parse(right.time))
    .map((one) => `${weekDay(Date.parse(one.time))} by ${one.slope_change_a_day > 0 ? "+" : "−"}${quantity(Math.abs(one.slope_change_a_day), row.unit)} a day`);
  return `Changepoints, the largest of ${changepoints.length}: ${told.join("; ")}.`;
}

const weekDay = (moment) => `${new Date(moment).toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${weekTime(moment).split(" ").at(-1)}`;
