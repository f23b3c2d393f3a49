// Asks the daemon at its own pace and hands the answers to the sections.

import { dark, forget } from "./charts.js";
import { get, latestIndex } from "./client.js";
import { byId, setText } from "./dom.js";
import { draw, updateTargets } from "./forecast.js";
import { age, ago } from "./format.js";
import { drawInference } from "./inference.js";
import { showLogs } from "./logs.js";
import { showAnomalies, showScore } from "./record.js";
import { showAlerts, showCore, showGpus, showHealth, showHost, showTargets } from "./sections.js";

const NEWEST = '{__name__=~"forewarn_.*|process_.*",__name__!~".*_bucket"}';
const SLOW = 60000;
const page = { interval: 5000, metrics: null, targets: [], heard: 0, newest: 0, skew: 0, drawnAt: 0, failed: "" };

async function fast() {
  const [status, latest, alerts, targets] = await Promise.all([
    get("/v1/status"), get("/v1/latest", { match: NEWEST }), get("/v1/alerts"), get("/v1/targets"),
  ]);
  page.metrics ??= (await get("/v1/metrics")).metrics;
  const index = latestIndex(latest);
  const changed = madeOf(targets.targets) !== madeOf(page.targets);
  Object.assign(page, { targets: targets.targets, heard: Date.now(), newest: index.newest, skew: index.time - Date.now(), failed: "" });
  page.interval = Math.max(2000, status.interval_seconds * 1000);
  showStatus(status);
  showAlerts(alerts.alerts, index.time);
  showGpus(index, page.targets);
  showHost(index);
  showTargets(page.targets, index.time);
  showCore(page.metrics, index);
  showHealth(index, status);
  updateTargets(page.targets);
  if (changed || Date.now() - page.drawnAt > SLOW) await charts();
}

const madeOf = (targets) => targets.map((row) => `${row.target} ${Object.values(row.statistics).map((one) => one.made)}`).join("\n");

async function charts() {
  page.drawnAt = Date.now();
  await Promise.all([draw(), drawInference(Date.now() + page.skew), record()]);
}

async function record() {
  const [anomalies, score] = await Promise.all([get("/v1/anomalies"), get("/v1/scorecard")]);
  showAnomalies(anomalies.anomalies, Date.parse(anomalies.time));
  showScore(score);
}

function showStatus(status) {
  setText(byId("hostname"), status.hostname);
  document.title = `${status.state.level === "quiet" ? "" : "• "}${status.hostname} – Forewarn`;
  byId("simulated").hidden = !status.simulated;
  showLogs(status.log_search);
  byId("state").dataset.level = status.state.level;
  setText(byId("sentence"), `${status.state.sentence}.`);
  setText(byId("version"), ["Forewarn", status.version, status.uptime_seconds === undefined ? "" : `· up ${age(status.uptime_seconds * 1000)}`].join(" "));
}

// Says how old what is shown is: the daemon silent, or the daemon answering without new samples.
function freshness() {
  const now = Date.now();
  const silent = page.failed !== "";
  const old = page.newest ? now + page.skew - page.newest : 0;
  const stale = !silent && page.newest > 0 && old > Math.max(15000, 4 * page.interval);
  const live = byId("live");
  live.dataset.tone = silent || stale ? "bad" : page.heard ? "ok" : "wait";
  setText(live, silent ? "connection lost" : page.newest ? `newest sample ${ago(old)}` : page.heard ? "no sample yet" : "connecting");
  const notice = byId("notice");
  notice.hidden = !(silent || stale);
  if (silent) setText(notice, `The daemon does not answer${page.heard ? `; what is shown was true at ${new Date(page.heard).toLocaleTimeString("en-GB")}` : ""}. Trying again.`);
  else if (stale) setText(notice, "No new sample arrives; what is shown is old. The section “Forewarn itself” says which collector fails.");
}

async function beat() {
  if (!document.hidden) {
    try {
      await fast();
    } catch (error) {
      page.failed = error.message || "failed";
    }
    freshness();
    document.querySelector("main").classList.remove("waiting");
  }
  setTimeout(beat, page.failed ? Math.min(page.interval, 5000) : page.interval);
}

dark.addEventListener("change", () => {
  forget();
  charts().catch((error) => { page.failed = error.message; });
});
setInterval(freshness, 1000);
beat();
