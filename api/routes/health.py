"""GET /metrics, /healthz and /v1/status."""

from typing import Any

from fastapi import APIRouter, Response

from api.answers import Json
from api.models import Health, Status
from api.services import Services
from api.state import AlertCount, node_state
from api.targets import capacity_targets
from collector.series import Matcher
from forewarn.base.clock import parse_time, rfc3339

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ROUND = Matcher("__name__", "=", "forewarn_collector_success")
GPU = Matcher("__name__", "=", "forewarn_gpu_memory_total_bytes")


def probe_router(services: Services) -> APIRouter:
    """What a scraper and a supervisor ask for; the second socket serves these alone."""
    router = APIRouter(tags=["health"])

    @router.get("/metrics", response_class=Response, responses={200: {"content": {METRICS_MEDIA_TYPE: {}}}})
    async def metrics() -> Response:
        """All current samples in Prometheus' text format, as the last round rendered them."""
        return Response(services.metrics(), headers={"Content-Type": METRICS_MEDIA_TYPE})

    @router.get("/healthz", response_model=Health, responses={503: {"model": Health}})
    async def healthz() -> Response:
        """Whether the collector's rounds go on: 503 where the last one is over a minute (or three rounds) old."""
        now_ms = services.clock.now_ms()
        rounds = services.store.latest(ROUND, max_age_ms=services.fresh_ms, now_ms=now_ms)
        last_ms = max((found.time_ms for found in rounds), default=None)
        body = {
            "status": "ok" if rounds else "no round of the collector lately",
            "time": rfc3339(now_ms),
            "last_round": None if last_ms is None else rfc3339(last_ms),
        }
        return Json(body, status_code=200 if rounds else 503)

    return router


def status_router(services: Services) -> APIRouter:
    """The daemon's account of itself."""
    router = APIRouter(prefix="/v1", tags=["health"])

    @router.get("/status", response_model=Status)
    async def status() -> Response:
        """How the node and the daemon stand: the state in one sentence, collectors, children, store, receivers."""
        now_ms = services.clock.now_ms()
        gpus = services.store.latest(GPU, max_age_ms=services.fresh_ms, now_ms=now_ms)
        forecasts = services.book.latest()
        alerts = services.alerts()
        firing = [alert for alert in alerts if alert.state == "firing"]
        counted = AlertCount(
            firing=len(firing),
            pending=sum(alert.state == "pending" for alert in alerts),
            critical=any(alert.severity == "critical" for alert in firing),
        )
        account = services.status()
        paused = (account.get("gpus") or {}).get("paused_until")
        until_ms = None if paused is None else parse_time(paused)
        state = node_state(len(gpus), capacity_targets(forecasts), counted, now_ms, until_ms)
        body: dict[str, Any] = {
            **account,
            "hostname": services.hostname,
            "time": rfc3339(now_ms),
            "interval_seconds": services.interval_seconds,
            "simulated": services.simulated,
            "log_search": services.log_search is not None and services.log_search.ready,
            "state": {"level": state.level, "sentence": state.sentence},
        }
        return Json(body)

    return router
