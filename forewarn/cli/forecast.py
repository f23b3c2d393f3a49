"""forewarn forecast."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, progress, say

if TYPE_CHECKING:
    from forecast.earlier import Past
    from forecast.results import Forecast
    from forecast.scorecard import Scorecard
    from forewarn.config import Config
    from forewarn.datadir import DataDir

_SERVER = "A server only: "


class Source(StrEnum):
    """Where the series are."""

    STORE = "store"
    PROMETHEUS = "prometheus"


class Kind(StrEnum):
    """How a capacity is used up."""

    GAUGE = "gauge"
    FILL = "fill"
    ALLOCATION = "allocation"
    SATURATED = "saturated"


def forecast(
    *,
    config: ConfigOption = None,
    data_dir_: DataDirOption = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Forecast as if it were this time (RFC 3339).", metavar="TIME")
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="How good the daemon's forecasts were whose 72 hours are over.")
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option(help="Capacities at length: pictures, Prophet's parts, the score so far.", metavar="SELECTOR"),
    ] = None,
    source: Annotated[
        Source, typer.Option(help="This node's store, or a server: Prometheus, VictoriaMetrics, Mimir, Thanos.")
    ] = Source.STORE,
    url: Annotated[str | None, typer.Option(help=_SERVER + "its address, such as http://prometheus:9090.")] = None,
    match: Annotated[
        list[str] | None,
        typer.Option(
            help=_SERVER + "series to forecast [default: [[target]], and what every node's Forewarn knows].",
            metavar="SELECTOR",
        ),
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help=_SERVER + "how they are used up [default: gauge].")] = None,
    limit: Annotated[float | None, typer.Option(help=_SERVER + "where their capacity ends.", metavar="N")] = None,
    limit_query: Annotated[
        str | None,
        typer.Option(help=_SERVER + "PromQL whose values are the limits, joined by labels.", metavar="PROMQL"),
    ] = None,
    below: Annotated[
        bool, typer.Option("--below", help=_SERVER + "it runs out at the lower end (bytes free, not used).")
    ] = False,
    rate: Annotated[
        bool | None,
        typer.Option("--rate/--no-rate", help=_SERVER + "they are running totals [default: by their names]."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(help=_SERVER + "do it again and again, such as 1h; takes --write-to.", metavar="DURATION"),
    ] = None,
    write_to: Annotated[
        str | None,
        typer.Option(
            help=_SERVER + "write the forecasts as series: an address, or the name of a [[remote_write]].",
            metavar="URL|NAME",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help=_SERVER + "processes to spread it over [default: one a core].", min=1)
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help=_SERVER + "Dask scheduler to spread it over.", metavar="tcp://HOST:8786")
    ] = None,
    bearer_token_file: Annotated[Path | None, typer.Option(help=_SERVER + "file with a token to send.")] = None,
    basic_auth_file: Annotated[Path | None, typer.Option(help=_SERVER + "file with user:password.")] = None,
    header: Annotated[
        list[str] | None, typer.Option(help=_SERVER + "a header to send, such as 'X-Scope-OrgID: llm'.")
    ] = None,
    ca_file: Annotated[Path | None, typer.Option(help=_SERVER + "certificates that vouch for it.")] = None,
    timeout: Annotated[str | None, typer.Option(help=_SERVER + "how long one answer may take [default: 60s].")] = None,
    json: JsonOption = False,
) -> None:
    """Forecast every capacity target 72 h ahead: how probably it reaches its limit within 24, 48 and 72 h, and when."""
    if explain is not None and (score or source is Source.PROMETHEUS):
        from forewarn.base.errors import UsageError

        raise UsageError("--explain is about forecasts of this node", hint="leave --score and --source out")
    wanted = {
        "url": url,
        "match": match,
        "kind": None if kind is None else kind.value,
        "limit": limit,
        "limit-query": limit_query,
        "below": below or None,
        "rate": rate,
        "every": every,
        "write-to": write_to,
        "workers": workers,
        "dask": dask,
        "bearer-token-file": bearer_token_file,
        "basic-auth-file": basic_auth_file,
        "header": header,
        "ca-file": ca_file,
        "timeout": timeout,
    }
    if source is Source.PROMETHEUS:
        from forewarn.cli.forecast_fleet import forecast_server

        forecast_server(wanted, load(config), None if as_of is None else moment_at(as_of), score=score, json=json)
        return
    given = next((name for name, value in wanted.items() if value is not None), None)
    if given is not None:
        from forewarn.base.errors import UsageError

        raise UsageError(f"--{given} is for a server", hint="--source prometheus --url URL forecasts its series")
    if score:
        from forewarn.cli.scorecard import show_scorecard

        show_scorecard(data_dir(data_dir_).state, load(config), as_of, json=json)
        return
    from forewarn.base.clock import SystemClock

    settings = load(config)
    moment = moment_at(as_of) if as_of is not None else SystemClock().now_ms()
    data = data_dir(data_dir_)
    made = _made(data, settings, moment, explain)
    if json:
        print_json([each.to_dict() for each in made])
    elif explain is not None and made:
        from forewarn.cli.forecast_explain import print_explained

        print_explained(made, _card(data, settings, moment))
    else:
        from forewarn.cli.forecast_table import print_forecasts

        print_forecasts(made, moment)


def moment_at(text: str) -> int:
    """Milliseconds of a time.

    Raises:
        UsageError: it is none.
    """
    from forewarn.base.clock import parse_time, rfc3339
    from forewarn.base.errors import UsageError

    try:
        moment = parse_time(text)
        rfc3339(moment)
    except (ValueError, OverflowError):  # the latter where no calendar has such a year
        raise UsageError(f"{text!r} is no time", hint="write it like 2026-01-31T12:00:00Z") from None
    return moment


def _made(data: "DataDir", settings: "Config", moment: int, explain: str | None) -> "list[Forecast]":
    """Forecasts of all targets, or of those that a selector names."""
    from collector.store import StoreReader
    from forecast.run import forecast_targets
    from forecast.targets import find_targets
    from forewarn.base.errors import UsageError
    from forewarn.cli.reading import matchers_of

    matchers = () if explain is None else matchers_of(explain)
    reader = StoreReader(data.metrics)
    try:
        known = find_targets(reader, settings.target, moment)
        found = [one for one in known if all(matcher.matches(one.key) for matcher in matchers)]
        if known and not found:
            raise UsageError(f"no capacity target is {explain}", hint="'forewarn forecast' lists them")
        with progress("forecasting") as bar:
            earlier = _earlier(data.state, moment)
            return list(forecast_targets(reader, settings.forecast, found, moment, bar, earlier=earlier))
    finally:
        reader.close()


def _card(data: "DataDir", settings: "Config", moment: int) -> "Scorecard":
    """How good earlier forecasts were; an empty one where no daemon of this version has run here."""
    from forecast.scorecard import Scorecard
    from forewarn.base.errors import StoreError
    from forewarn.cli.scorecard import read_scorecard

    try:
        return read_scorecard(data.state, settings, moment) if data.state.exists() else Scorecard()
    except StoreError as error:
        say(f"note: {error.message}")
        return Scorecard()


def _earlier(state: Path, moment: int) -> "Past":
    """Stored forecasts for the bands to learn from; none where no daemon of this version has run here."""
    import sqlite3

    from forecast.earlier import read_earlier

    if not state.exists():
        return {}
    try:
        return read_earlier(state, moment)
    except sqlite3.OperationalError as error:
        say(f"note: the bands do not learn from stored forecasts: {error}; start 'forewarn run' once")
        return {}
