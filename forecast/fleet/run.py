"""One run over a server's series."""

from collections.abc import Callable, Iterator

from forecast.fleet.job import Job
from forecast.fleet.reading import FleetReader
from forecast.fleet.spread import Spread
from forecast.results import Forecast
from forecast.settings import ForecastSettings

Progress = Callable[[int, int], None]


def forecast_fleet(
    found: FleetReader,
    settings: ForecastSettings,
    spread: Spread,
    *,
    made_ms: int,
    progress: Progress | None = None,
) -> Iterator[Forecast]:
    """Forecasts of everything that was found, in its order, while the rest is still being read.

    Args:
        found: the series.
        settings: history, model and deadline.
        spread: who does the work.
        made_ms: when the run began.
        progress: hears of how many series, of all, the forecasts are there.

    Raises:
        UsageError: a limit's query answers nothing.
        PrometheusError: the server does not answer.
        ClusterError: the cluster is gone.
    """
    asked: list[int] = []

    def jobs() -> Iterator[Job]:
        for part in found.parts():
            asked.append(part.asked)
            yield Job(part, settings, found.as_of_ms, made_ms)

    done = 0
    for place, forecasts in enumerate(spread.done(jobs())):
        yield from forecasts
        done += asked[place]
        if progress is not None:
            progress(done, found.count)
