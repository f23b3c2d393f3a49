// What was unusual lately, and how good the forecasts have been.

import { byId, empty, fill, h, setText, table, tag, tile } from "./dom.js";
import { age, duration, percent, weekTime } from "./format.js";

const SHOWN_FOR = 24 * 3600 * 1000;
const MOST = 6;

export function showAnomalies(anomalies, now) {
  const lately = anomalies.filter((one) => one.ended === null || now - Date.parse(one.ended) < SHOWN_FOR);
  const shown = [...lately.filter((one) => one.ended === null), ...lately.filter((one) => one.ended !== null)].slice(0, MOST);
  const more = lately.length - shown.length;
  fill(byId("anomalies"), shown.length ? shown.map((one) => card(one, now)) : empty("Nothing unusual was seen lately."),
    more > 0 ? h("p", { class: "muted" }, `and ${more} more in the last day, see `, h("a", { href: "/v1/anomalies", id: "more-anomalies" }, "/v1/anomalies")) : []);
}

function card(one, now) {
  const on = one.ended === null;
  const when = on ? `for ${age(now - Date.parse(one.started))}` : `${weekTime(Date.parse(one.started))}, for ${duration(Date.parse(one.ended) - Date.parse(one.started))}`;
  return h("article", { class: "alert" },
    h("header", {}, tag(on ? "going on" : "over", on ? "warn" : ""), h("strong", {}, one.title),
      h("span", { class: "muted" }, `${one.kind.replaceAll("_", " ")}, ${when}, score ${one.score.toFixed(4)}`)),
    h("p", { class: "muted" }, one.reason));
}

const number = (value, digits = 2) => (value === null ? "–" : value.toFixed(digits));

// How much smaller our error is than another's, from the ratio of the two.
function beside(ratio) {
  if (ratio === null) return "–";
  const share = Math.round(Math.abs(1 - ratio) * 100);
  return share === 0 ? "the same" : `${share} % ${ratio < 1 ? "better" : "worse"}`;
}

export function showScore(answer) {
  const all = answer.overall;
  const none = all.forecasts === 0;
  for (const id of ["score-tiles", "score-details"]) byId(id).hidden = none;
  byId("reliability-details").hidden = answer.reliability.length === 0;
  if (none) {
    setText(byId("score-summary"), "No forecast has been scored yet: each is, once its three days are over.");
    return;
  }
  const warned = all.came_true + all.false_warnings;
  const rule = all.rule_came_true + all.rule_false_warnings;
  setText(byId("score-summary"), `${all.forecasts} forecasts of the last 30 days, each scored once its three days were over.`);
  fill(byId("score-tiles"),
    tile("Than same hour yesterday", beside(all.to_yesterday), `MASE ${number(all.mase)}, theirs ${number(all.mase_yesterday)}`),
    tile("Than Prophet", beside(all.to_prophet), `Prophet’s MASE ${number(all.mase_prophet)}`),
    tile("Inside the 80 % band", percent(all.coverage_80), `inside the 95 % band ${percent(all.coverage_95)}`),
    tile("Warnings that came true", warned ? `${all.came_true} of ${warned}` : "none yet", `plain rule ${all.rule_came_true} of ${rule}`),
    tile("Crossings without one", String(all.missed), `plain rule ${all.rule_missed}`),
    tile("Warned ahead by", all.lead_hours === null ? "–" : `${Math.round(all.lead_hours)} h`, all.lead_error_hours === null ? "" : `off by ${Math.round(all.lead_error_hours)} h`),
    tile("Brier score, 72 h", number(all.brier, 3), `plain rule ${number(all.brier_rule, 3)}`),
    tile("Calibration error", number(all.calibration_error, 3), all.calibration_error === null ? "too few so far" : ""));
  writeTables(answer);
}

function writeTables(answer) {
  const columns = [["Target", ""], ["Of each hour", ""], ["Scored", "number"], ["MASE", "number"], ["To yesterday", "number"], ["To Prophet", "number"], ["In 80 %", "number"], ["Brier", "number"], ["True / false / missed", "number"]];
  const rows = answer.targets.map((one) => [
    one.target, one.statistic, String(one.forecasts), number(one.mase), number(one.to_yesterday), number(one.to_prophet),
    percent(one.coverage_80), number(one.brier, 3), `${one.came_true} / ${one.false_warnings} / ${one.missed}`,
  ]);
  byId("score-table").replaceChildren(...table(columns, rows).childNodes);
  const bins = answer.reliability.map((one) => [`${one.tenth * 10} to ${one.tenth * 10 + 10} %`, percent(one.stated), percent(one.seen), String(one.forecasts)]);
  byId("reliability-table").replaceChildren(...table([["Stated between", ""], ["Stated, mean", "number"], ["Came", "number"], ["Forecasts", "number"]], bins).childNodes);
}
