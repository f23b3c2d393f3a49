"""The routes on a node with nine days of history."""

import asyncio
import itertools
from datetime import datetime, timedelta

import httpx
import pytest
from pydantic import BaseModel

from api import models
from api.app import create_app
from api.queries import MAX_POINTS, MAX_POINTS_IN_ALL
from api.routes import log_patterns
from collector.catalogue import CATALOGUE
from collector.series import parse_selector
from forewarn.base.clock import HOUR, SystemClock, parse_time, rfc3339
from forewarn.base.errors import StoreError
from tests.support.api_node import ApiNode
from tests.support.hand_clock import HandClock

MEMORY = 'forewarn_gpu_memory_used_bytes{gpu="0"}'
ANSWERS: dict[str, type[BaseModel]] = {
    "/healthz": models.Health,
    "/v1/status": models.Status,
    "/v1/targets": models.TargetsAnswer,
    "/v1/forecasts": models.ForecastsAnswer,
    "/v1/scorecard": models.ScorecardAnswer,
    "/v1/anomalies": models.AnomaliesAnswer,
    "/v1/series": models.SeriesAnswer,
    "/v1/latest?match=forewarn_node_load1": models.LatestAnswer,
    f"/v1/query?match={MEMORY}": models.RangeAnswer,
    "/v1/query?match=forewarn_gpu_energy_joules_total": models.RangeAnswer,
    "/v1/query?match=forewarn_gpu_energy_joules_total&function=rate": models.RangeAnswer,
    "/v1/query?match=forewarn_inference_request_duration_seconds_bucket&function=quantile": models.RangeAnswer,
    "/v1/logs/templates": log_patterns.LogTemplatesAnswer,
    "/v1/logs/anomalies": log_patterns.LogAnomaliesAnswer,
    "/v1/alerts": models.AlertsAnswer,
    "/v1/rules": models.RulesAnswer,
    "/v1/metrics": models.CatalogueAnswer,
}


async def disk_target(api: httpx.AsyncClient) -> str:
    targets = (await api.get("/v1/targets")).json()["targets"]
    return next(row["target"] for row in targets if row["labels"].get("mountpoint") == "/var/lib/models")


@pytest.mark.parametrize(("path", "model"), ANSWERS.items())
async def test_answers_have_the_shape_that_the_description_promises(
    api: httpx.AsyncClient, path: str, model: type[BaseModel]
) -> None:
    answer = await api.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert model.model_validate_json(answer.content)


async def test_every_json_route_is_in_that_list_or_asked_for_below(api: httpx.AsyncClient) -> None:
    description = (await api.get("/openapi.json")).json()
    assert set(description["paths"]) == {*(path.partition("?")[0] for path in ANSWERS), "/metrics", "/v1/history"}
    for path, methods in description["paths"].items():
        assert list(methods) == ["get"], path
        assert len(methods["get"]["description"]) > 20, path


async def test_metrics_are_the_bytes_of_the_last_round(api: httpx.AsyncClient, node: ApiNode) -> None:
    answer = await api.get("/metrics")
    assert answer.content == node.page
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"forewarn_gpu_power_watts{" in answer.content


async def test_the_state_names_the_disk_that_fills(api: httpx.AsyncClient) -> None:
    status = (await api.get("/v1/status")).json()
    assert status["state"]["level"] == "warning"
    assert status["state"]["sentence"].startswith("Filesystem /var/lib/models expected to fall to ")
    assert (status["hostname"], status["simulated"], status["version"]) == ("test-node", True, "0")


async def test_targets_are_led_by_the_first_to_run_out(api: httpx.AsyncClient, node: ApiNode) -> None:
    targets = (await api.get("/v1/targets")).json()["targets"]
    assert len(targets) == len({forecast.target for forecast in node.book.latest()})
    assert targets[0]["title"] == "filesystem /var/lib/models"
    breaches = [row["breach"] for row in targets]
    assert breaches == sorted(breaches, key=lambda text: text or "9")
    expected = datetime.now().astimezone() + timedelta(hours=58)
    assert abs(datetime.fromisoformat(targets[0]["breach"]) - expected) < timedelta(hours=3)
    assert targets[0]["current"] == pytest.approx(0.05 * 3.5e12 + 0.018 * 3.5e12 * 58 / 24, rel=0.01)


async def test_a_forecast_in_full(api: httpx.AsyncClient) -> None:
    target = await disk_target(api)
    forecasts = (await api.get("/v1/forecasts", params={"target": target})).json()["forecasts"]
    assert {one["statistic"] for one in forecasts} == {"mean", "min"}
    for one in forecasts:
        assert one["target"] == target
        assert [len(one["points"][name]) for name in ("mean", "p2.5", "p10", "p90", "p97.5")] == [72] * 5
        assert len(one["chance"]["curve"]) == 72
        assert 50 < one["chance"]["t50"] < 66
        parts = one["prophet"]
        assert parts["mean"][9] == pytest.approx(sum(parts[name][9] for name in ("trend", "weekly", "daily")), rel=1e-4)


async def test_the_history_of_a_target_is_hourly(api: httpx.AsyncClient) -> None:
    target = await disk_target(api)
    history = (await api.get("/v1/history", params={"target": target, "hours": 48})).json()
    assert models.HistoryAnswer.model_validate(history)
    moments = [parse_time(text) for text in history["times"]]
    assert all(later - earlier == HOUR for earlier, later in itertools.pairwise(moments))
    assert len(moments) in {48, 49}
    assert all(
        low <= mean <= high for low, mean, high in zip(history["min"], history["mean"], history["max"], strict=True)
    )
    assert history["mean"] == sorted(history["mean"], reverse=True), "the disk fills"


@pytest.mark.parametrize(
    ("series", "low", "high"),
    [
        (
            'forewarn_inference_request_duration_seconds{model_name="simulated-70b",server="simulated",simulated="true"}',
            1,
            2,
        ),
        ('forewarn_node_network_receive_bytes_total{device="eth0",simulated="true"}', 1e6, 1e8),
    ],
)
async def test_a_histogram_is_its_mean_and_a_counter_its_rate(
    api: httpx.AsyncClient, series: str, low: float, high: float
) -> None:
    history = (await api.get("/v1/history", params={"target": series, "hours": 24})).json()
    assert len(history["mean"]) >= 23
    assert all(low < value < high for value in history["mean"][:-1])


async def test_series_are_described(api: httpx.AsyncClient, node: ApiNode) -> None:
    everything = (await api.get("/v1/series")).json()
    assert len(everything["series"]) == len(node.store.series())
    assert not everything["truncated"]
    some = (await api.get("/v1/series", params={"match": [MEMORY, "forewarn_gpu_energy_joules_total"]})).json()[
        "series"
    ]
    assert [(one["name"], one["type"], one["unit"]) for one in some] == [
        ("forewarn_gpu_energy_joules_total", "counter", "joules"),
        ("forewarn_gpu_energy_joules_total", "counter", "joules"),
        ("forewarn_gpu_memory_used_bytes", "gauge", "bytes"),
    ]
    assert some[2]["help"] == CATALOGUE["forewarn_gpu_memory_used_bytes"].help


async def test_latest_values_are_young_and_match_any_selector(api: httpx.AsyncClient) -> None:
    match = ["forewarn_node_load1", 'forewarn_gpu_up{gpu=~"0|3"}', "forewarn_node_load1"]
    answer = (await api.get("/v1/latest", params={"match": match})).json()
    assert [one["series"].partition("{")[0] for one in answer["values"]] == [
        "forewarn_gpu_up",
        "forewarn_gpu_up",
        "forewarn_node_load1",
    ]
    now = parse_time(answer["time"])
    assert all(0 <= now - parse_time(one["time"]) < 60_000 for one in answer["values"])


async def test_a_range_in_windows(api: httpx.AsyncClient, node: ApiNode) -> None:
    end = SystemClock().now_ms() // HOUR * HOUR
    span = {"start": rfc3339(end - 6 * HOUR), "end": rfc3339(end), "step": 1800}
    answer = (await api.get("/v1/query", params={"match": MEMORY, **span})).json()
    [series] = answer["series"]
    assert series["times"] == [rfc3339(end - 6 * HOUR + step * HOUR // 2) for step in range(12)]
    [stored] = node.store.series(*parse_selector(MEMORY))
    rollup = node.store.rollup(stored.id, end - 6 * HOUR, end, HOUR // 2)
    assert series["min"] == rollup.min.tolist()
    assert series["max"] == rollup.max.tolist()
    assert series["mean"] == pytest.approx(rollup.mean.tolist())
    assert "increase" not in series


async def test_counters_have_their_increase(api: httpx.AsyncClient) -> None:
    answer = (await api.get("/v1/query", params={"match": 'forewarn_gpu_energy_joules_total{gpu="0"}'})).json()
    [series] = answer["series"]
    assert series["counter"]
    assert set(series) >= {"last", "increase", "times"}
    assert "mean" not in series
    assert all(value is None or value >= 0 for value in series["increase"])


async def test_rates_and_quantiles(api: httpx.AsyncClient) -> None:
    end = SystemClock().now_ms() // HOUR * HOUR
    span = {"start": rfc3339(end - 6 * HOUR), "end": rfc3339(end), "step": 3600}
    energy = {"match": 'forewarn_gpu_energy_joules_total{gpu="0"}', **span}
    [grown] = (await api.get("/v1/query", params={**energy, "function": "increase"})).json()["series"]
    [rate] = (await api.get("/v1/query", params={**energy, "function": "rate"})).json()["series"]
    assert len(rate["rate"]) == 6
    assert rate["rate"] == pytest.approx([each / 3600 for each in grown["increase"]])
    family = "forewarn_inference_request_duration_seconds"
    buckets = {"match": f"{family}_bucket", **span, "function": "quantile", "q": 0.9}
    [latency] = (await api.get("/v1/query", params=buckets)).json()["series"]
    assert latency["name"] == family
    assert "le" not in latency["labels"]
    assert all(2.5 < each <= 5 for each in latency["quantile"])
    assert (await api.get("/v1/query", params={"match": MEMORY, "function": "rate"})).json()["series"] == []
    assert (await api.get("/v1/query", params={"match": MEMORY, "function": "sum"})).status_code == 422
    assert (await api.get("/v1/query", params={**buckets, "q": 2})).status_code == 422


async def test_seconds_since_the_epoch_are_times_too(api: httpx.AsyncClient) -> None:
    now = SystemClock().now_ms() // 1000
    answer = (await api.get("/v1/query", params={"match": MEMORY, "start": now - 7200, "end": now, "step": 600})).json()
    assert answer["start"] == rfc3339((now - 7200) * 1000)
    assert len(answer["series"][0]["times"]) >= 12


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/query?match={", 400, "match: '{' is no series"),
        ("/v1/query", 422, "match: Field required"),
        ('/v1/query?match=a{b=~"("}', 400, "no regular expression"),
        ("/v1/query?match=up&start=yesterday", 400, "start: 'yesterday' is no time"),
        ("/v1/query?match=up&end=1e99", 400, "end: '1e99' is no time"),
        ("/v1/query?match=up&start=2026-01-02&end=2026-01-01", 400, "start is not before end"),
        ("/v1/query?match=up&step=0.5", 400, "step is shorter than a second"),
        ("/v1/query?match=up&step=nan", 422, "step"),
        ("/v1/query?match=up&step=1e300", 422, "step"),
        ("/v1/query?match=up&step=1e20", 422, "step"),
        (
            '/v1/query?match={__name__=~"forewarn_[in].*_[a-s].*"}&step=1&start=0&end=10990',
            400,
            f"more than {MAX_POINTS_IN_ALL} points in",
        ),
        ("/v1/query?match=up&step=1&start=2026-01-01&end=2026-01-02", 400, f"more than {MAX_POINTS} points"),
        ("/v1/latest?match=up&max_age=-1", 422, "max_age"),
        ("/v1/forecasts?target=nothing", 404, "no forecast of nothing"),
        ("/v1/forecasts?target={}", 400, "target:"),
        ("/v1/history?target=nothing", 404, "no series nothing"),
        ("/v1/history?target=up&hours=0", 422, "hours"),
        ("/v1/nothing", 404, "Not Found"),
        ("/v1/status/", 404, "Not Found"),
    ],
)
async def test_every_refusal_has_the_one_shape(api: httpx.AsyncClient, path: str, status: int, message: str) -> None:
    answer = await api.get(path)
    assert answer.status_code == status
    error = models_error(answer)
    assert message in error["message"]
    assert error["hint"]


@pytest.mark.parametrize(
    "expression",
    [
        "([a-z_]+)+1",
        "([a-z_]*){9}1",
        r"(\w|_)*1",
        "[a-z_]?" * 40 + "1",
        "(a|.)" * 40 + "1",
        ".*.*.*.*1",
        "[]a-z_]+" * 4,
        "a|" * 300,
    ],
)
async def test_an_expression_that_would_hold_all_threads_is_refused(api: httpx.AsyncClient, expression: str) -> None:
    answer = await api.get(
        "/v1/series", params={"match": f'{{__name__=~"{expression.replace(chr(92), chr(92) * 2)}"}}'}
    )
    assert answer.status_code == 400
    assert "too costly" in models_error(answer)["message"]


@pytest.mark.parametrize(
    "expression", ["forewarn_.*|process_.*", "forewarn_gpu_(memory|power)_.*", "(?:a|b)?.+", r"[*+?({]{2}\\(\\*.*"]
)
async def test_other_expressions_are_answered(api: httpx.AsyncClient, expression: str) -> None:
    answer = await api.get("/v1/series", params={"match": f'{{__name__=~"{expression}"}}'})
    assert answer.status_code == 200, answer.text


def models_error(answer: httpx.Response) -> dict[str, str]:
    body = answer.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"message", "hint"}
    return dict(body["error"])


async def test_a_store_that_cannot_be_read_is_503(api: httpx.AsyncClient, node: ApiNode) -> None:
    class Unreadable:
        def __getattr__(self, name: str) -> object:
            raise StoreError("metrics.db cannot be read", hint="look at the disk")

    services = node.services.__class__(**{**vars(node.services), "store": Unreadable()})
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/v1/series")
    assert answer.status_code == 503
    assert models_error(answer) == {"message": "metrics.db cannot be read", "hint": "look at the disk"}


async def test_health_ends_when_the_rounds_do(node: ApiNode) -> None:
    await asyncio.sleep(0.002)
    await node.round()
    later = HandClock(SystemClock().now_ms() + 61_000)
    services = node.services.__class__(**{**vars(node.services), "clock": later})
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["last_round"] is None


async def test_alerts_and_rules_are_the_engines(api: httpx.AsyncClient, node: ApiNode) -> None:
    alerts = (await api.get("/v1/alerts")).json()["alerts"]
    assert {alert["labels"]["alertname"] for alert in alerts} >= {"FilesystemWillFill"}
    assert [alert["fingerprint"] for alert in alerts] == [alert.fingerprint for alert in node.engine.alerts()]
    rules = (await api.get("/v1/rules")).json()["rules"]
    assert len(rules) == len(node.engine.rules()) > 3


async def test_the_catalogue_names_twelve_core_metrics(api: httpx.AsyncClient) -> None:
    metrics = (await api.get("/v1/metrics")).json()["metrics"]
    assert [metric["name"] for metric in metrics] == list(CATALOGUE)
    assert {metric["core"] for metric in metrics} - {None} == set(range(1, 13))
