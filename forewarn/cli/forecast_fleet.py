"""forewarn forecast --source prometheus."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forewarn.cli.access import access_of, timeout_of
from forewarn.cli.output import print_json_items, progress, say
from forewarn.cli.signals import end_at_once_on_sigterm

if TYPE_CHECKING:
    from collector.remote_write.settings import RemoteWriteSettings
    from forecast.fleet.spread import Spread
    from forecast.fleet.wanted import Wanted
    from forecast.fleet.writing import Writer
    from forecast.results import Forecast
    from forewarn.cli.output import Progress
    from forewarn.config import Config

_OF_MATCH = ("kind", "limit", "limit-query", "below", "rate")
SETTLED_MS = 60_000
"""What is younger may still be under way to the server."""


def forecast_server(
    wanted: Mapping[str, Any], settings: "Config", as_of_ms: int | None, *, score: bool, json: bool
) -> None:
    """Forecast a server's series, once or as a service.

    Raises:
        UsageError: the options do not fit, or the server has no such series.
        PrometheusError: the server does not answer.
        ClusterError: the cluster does not do it.
        WriteError: the receiver does not take the forecasts.
    """
    from forecast.fleet.service import kept
    from forewarn.base.errors import UsageError

    if score:
        raise UsageError("--score is of the daemon's own forecasts: it does not go with --source prometheus")
    _check(wanted, as_of_ms, json=json)
    run = _Run(wanted, settings)
    with ExitStack() as stack:
        writer = run.writer(stack)
        if wanted["every"] is not None and writer is not None:
            end_at_once_on_sigterm()
            _serve(run, writer, settings, wanted["every"])
            return
        moment = as_of_ms if as_of_ms is not None else _now_ms() - SETTLED_MS
        with progress("forecasting") as bar:
            made = run.forecasts(moment, bar)
            held = kept(print_json_items(made, lambda each: each.to_dict()) if json else made)
        if writer is not None:
            say(f"{_write(writer, held)} samples of {len(held)} forecasts written to {wanted['write-to']}")
    if not json:
        from forewarn.cli.forecast_table import print_forecasts

        print_forecasts(held, moment)


def _check(wanted: Mapping[str, Any], as_of_ms: int | None, *, json: bool) -> None:
    from forewarn.base.errors import UsageError

    if not wanted["url"]:
        raise UsageError("--source prometheus takes --url", hint="write it like --url http://prometheus:9090")
    for one, other in (("limit", "limit-query"), ("workers", "dask")):
        if wanted[one] is not None and wanted[other] is not None:
            raise UsageError(f"give either --{one} or --{other}")
    if wanted["limit"] is not None and not math.isfinite(wanted["limit"]):
        raise UsageError(f"--limit {wanted['limit']} is no number", hint="leave it out where the capacity has no end")
    of_match = [name for name in _OF_MATCH if wanted[name] is not None]
    if of_match and not wanted["match"]:
        raise UsageError(f"--{of_match[0]} says something of what --match names", hint="without it, [[target]] does")
    if wanted["every"] is not None and not wanted["write-to"]:
        raise UsageError("--every takes --write-to: somebody should read it")
    if wanted["every"] is not None and json:
        raise UsageError("--every prints nothing: it does not go with --json")
    if wanted["write-to"] and as_of_ms is not None:
        raise UsageError("--write-to writes gauges of now: it does not go with --as-of")


@dataclass(frozen=True, slots=True)
class _Run:
    """What was asked for."""

    wanted: Mapping[str, Any]
    settings: "Config"

    def forecasts(self, as_of_ms: int, bar: "Progress") -> "Iterator[Forecast]":
        """Forecasts of everything, as they come."""
        from collector.history.prometheus import Prometheus
        from forecast.fleet.reading import FleetReader
        from forecast.fleet.run import forecast_fleet

        server = Prometheus(
            self.wanted["url"],
            access_of(self.wanted),
            timeout=timeout_of(self.wanted),
            again="run the command again, it begins anew",
        )
        history_ms = round(self.settings.forecast.history * 1000)
        found = FleetReader(server, self.series(), as_of_ms, history_ms)
        with self.spread() as spread:
            yield from forecast_fleet(found, self.settings.forecast, spread, made_ms=_now_ms(), progress=bar)
        if found.unlimited:
            say(f"note: {found.unlimited} of {found.count} series have none of the limits that their query gives")

    def series(self) -> "list[Wanted]":
        """Those of --match, else those of [[target]] and the catalogue."""
        from forecast.fleet.wanted import Wanted, of_catalogue, of_rows
        from forewarn.cli.reading import matchers_of

        wanted = self.wanted
        if not wanted["match"]:
            return [*of_rows(self.settings.target), *of_catalogue()]
        return [
            Wanted(
                matchers_of(text),
                wanted["kind"],
                wanted["limit"],
                wanted["limit-query"] or "",
                below=bool(wanted["below"]),
                rate=wanted["rate"],
            )
            for text in wanted["match"]
        ]

    def spread(self) -> "Spread":
        """Who does the work."""
        if self.wanted["dask"] is not None:
            from forecast.fleet.cluster import Cluster

            return Cluster(self.wanted["dask"])
        from forecast.fleet.processes import Processes

        return Processes(self.wanted["workers"] or len(os.sched_getaffinity(0)))

    def writer(self, stack: ExitStack) -> "Writer | None":
        """Writes to the receiver; None where there is none."""
        if not self.wanted["write-to"]:
            return None
        from forecast.fleet.writing import Writer

        writer = Writer(receiver_of(self.wanted, self.settings.remote_write))
        stack.callback(writer.close)
        return writer


def receiver_of(wanted: Mapping[str, Any], known: "Sequence[RemoteWriteSettings]") -> "RemoteWriteSettings":
    """What --write-to names: a ``[[remote_write]]`` of the configuration, or an address.

    What the server is shown goes to an address on the same host and port, and to no other.

    Raises:
        UsageError: it names nothing, or what the server is shown cannot be written with.
    """
    from urllib.parse import urlsplit

    from pydantic import ValidationError

    from collector.remote_write.settings import RemoteWriteSettings
    from forewarn.base.errors import UsageError

    asked = wanted["write-to"]
    for settings in known:
        if asked in {settings.name, settings.url}:
            return settings
    same = urlsplit(asked)[:2] == urlsplit(wanted["url"])[:2]
    if same and wanted["basic-auth-file"] is not None:
        raise UsageError(
            "--basic-auth-file is for reading", hint="--write-to takes the name of a [[remote_write]] with username"
        )
    access = access_of(wanted)
    theirs = {
        "bearer_token_file": access.bearer_token_file,
        "ca_file": access.ca_file,
        "headers": dict(access.further),
    }
    try:
        return RemoteWriteSettings.model_validate({"url": asked, **(theirs if same else {})})
    except ValidationError:
        raise UsageError(
            f"--write-to: {asked!r} is neither an address nor the name of a [[remote_write]]",
            hint="write it like http://victoria:8428/api/v1/write",
        ) from None


def _serve(run: _Run, writer: "Writer", settings: "Config", every: str) -> None:
    from forecast.fleet.service import Service, kept
    from forewarn.base.clock import SystemClock
    from forewarn.base.errors import UsageError
    from forewarn.base.logs import configure_logging
    from forewarn.cli.reading import seconds_of

    seconds = seconds_of(every)
    if seconds < 60:
        raise UsageError(f"--every {every} is too often", hint="hours are forecast: 1h is often enough")
    configure_logging(settings.log_level)

    def forecast() -> "list[Forecast]":
        return kept(run.forecasts(_now_ms() - SETTLED_MS, lambda _done, _total: None))

    Service(forecast, lambda made: _write(writer, made), seconds, SystemClock(), settled_ms=SETTLED_MS).run()


def _write(writer: "Writer", made: "Sequence[Forecast]") -> int:
    from forecast.fleet.writing import fleet_samples

    now_ms = _now_ms()
    return writer.write(fleet_samples(made, now_ms), now_ms)


def _now_ms() -> int:
    from forewarn.base.clock import SystemClock

    return SystemClock().now_ms()
