"""Forecasts beside Prophet, statsforecast, predict_linear and the plain rules, on measured series.

    python -m bench.forecast --data DIR [--quick]

DIR holds nab, msft_cloud, helios, alibaba_gpu, bitbrains and gentd26_requests as ``<set>.csv.gz`` with the columns
series, timestamp, value; sets that are not there are left out. The peers' answers are kept in bench/.cache.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.forecasting import accuracy, breaching, cold, costs, exactness, plots
from bench.forecasting.accuracy import OURS, PROPHET, YESTERDAY, Method, Reading
from bench.forecasting.asking import PYTHON, Said, ask
from bench.forecasting.breaching import Verdict
from bench.forecasting.filling import OURS as OURS_FILL
from bench.forecasting.filling import Fills
from bench.forecasting.goals import Measured, figures
from bench.forecasting.ours import CHANCES, backtest
from bench.forecasting.windows import OPEN_SETS, UNSEEN_SETS, Flags, Floats, Windows, read, windows
from bench.machine import describe
from bench.report import RESULTS, Report, Table, say
from forecast.backtest.hourly import HourlySeries
from forecast.settings import Statistic
from forewarn.base.errors import ForewarnError

STATISTICS: dict[Statistic, str] = {"mean": "means", "max": "maxima"}
PICTURES = {
    "How far the probabilities hold": "forecast-reliability.svg",
    "How far the bands hold": "forecast-coverage.svg",
}


@dataclass(frozen=True)
class Lengths:
    """Origins a series, windows of the costs, series of the whole refresh."""

    origins: int
    batch: int
    refresh: int


WHOLE, QUICK = Lengths(8, 512, 500), Lengths(1, 64, 20)


@dataclass
class Run:
    """One run.

    Attributes:
        data: the folder of the series.
        sets: what was read there.
        work: a folder for what is written.
        peers: of statsforecast; empty where only Prophet is asked.
    """

    report: Report
    data: Path
    sets: dict[str, dict[str, HourlySeries]]
    work: Path
    lengths: Lengths
    peers: Sequence[str]
    measured: dict[str, Measured] = field(default_factory=dict)
    pictured: dict[str, dict[str, tuple[Floats, Flags]]] = field(default_factory=dict)

    def all(self) -> None:
        """Every part, one after another."""
        of = windows(self.sets, self.lengths.origins)
        self.report.raw["split"] = _split(of)
        say(f"{len(of)} windows of {np.unique(of.names).size} series")
        said = self._points(of)
        self._maxima(windows(self.sets, self.lengths.origins, "max"))
        self._fills(of)
        self._cold(of)
        self._exactness(of, said)
        self._costs(of)
        plots.reliability(self.pictured, RESULTS / PICTURES["How far the probabilities hold"])

    def _points(self, of: Windows) -> Said:
        """Hourly means: points, bands and crossings."""
        thresholds = breaching.thresholds(of)
        said = ask([PROPHET.lower(), *self.peers], of.past, "hourly means")
        say("Forewarn: hourly means")
        ours = backtest(self.data, of, self.work, thresholds)
        methods = {OURS: Method(ours.quantiles[..., 2], ours.quantiles)}
        for name, one in said.items():
            methods[PROPHET if name == PROPHET.lower() else name] = _method(one, of)
        reading = Reading(of, methods | accuracy.plain_methods(of))
        self._accuracy(reading)
        self.report.tables.append(accuracy.otherwise(reading, said[PROPHET.lower()].quantiles[..., 2]))
        self._crossings(reading, thresholds, ours.chances, said[PROPHET.lower()], "mean")
        plots.coverage(reading, RESULTS / PICTURES["How far the bands hold"])
        self.report.raw["pictures"] = PICTURES
        self.report.raw["peers"] = {name: {"version": one.version, "failed": one.failed} for name, one in said.items()}
        return said[PROPHET.lower()]

    def _accuracy(self, reading: Reading) -> None:
        of = reading.windows
        every, read_only = np.ones(len(of), dtype=np.bool_), ~of.chosen
        by_set = {source: of.source == source for source in np.unique(of.source).tolist()}
        to_naive = {source: reading.to_better_naive(rows) for source, rows in by_set.items()}
        prophets = max(reading.to_better_naive(rows, PROPHET) for rows in by_set.values())
        cover = {source: reading.covered(1, rows) for source, rows in by_set.items()}
        cover_prophet = min(reading.covered(1, rows, PROPHET) for rows in by_set.values())
        worst, least = max(to_naive, key=to_naive.__getitem__), min(cover, key=cover.__getitem__)
        low, high = reading.interval(every)
        self.measured |= {
            "mase": Measured(reading.ratio(PROPHET, every), f"95 % by series {low:.3f} to {high:.3f}", 1),
            "mase_unseen": Measured(reading.ratio(PROPHET, of.unseen), ", ".join(UNSEEN_SETS), 1),
            "mase_read": Measured(reading.ratio(PROPHET, read_only), f"{read_only.sum()} windows", 1),
            "better_prophet": Measured(reading.better(PROPHET, every), _by_half(reading.better, PROPHET, of)),
            "better_yesterday": Measured(
                reading.better(YESTERDAY, every),
                _by_half(reading.better, YESTERDAY, of),
                reading.better(YESTERDAY, every, PROPHET),
            ),
            "worst_set": Measured(to_naive[worst], worst, prophets),
            "cover_80": Measured(reading.covered(0, every), "", reading.covered(0, every, PROPHET)),
            "cover_95": Measured(reading.covered(1, every), "", reading.covered(1, every, PROPHET)),
            "cover_95_worst": Measured(cover[least], least, cover_prophet),
            "loss": Measured(reading.loss_ratio(every), "", 1),
        }
        self.report.tables.append(accuracy.by_method(reading))
        self.report.tables.append(accuracy.by_part(reading, "Hourly means"))

    def _maxima(self, of: Windows) -> None:
        """Hourly maxima: points, bands and crossings, beside Prophet."""
        thresholds = breaching.thresholds(of)
        said = ask([PROPHET.lower()], of.past, "hourly maxima")[PROPHET.lower()]
        say("Forewarn: hourly maxima")
        ours = backtest(self.data, of, self.work, thresholds, "--value", "max")
        methods = {OURS: Method(ours.quantiles[..., 2], ours.quantiles), PROPHET: _method(said, of)}
        reading = Reading(of, methods | accuracy.plain_methods(of))
        self.report.tables.append(accuracy.by_part(reading, "Hourly maxima"))
        self._crossings(reading, thresholds, ours.chances, said, "max")

    def _crossings(
        self, reading: Reading, thresholds: Floats, chances: Floats, prophet: Said, statistic: Statistic
    ) -> None:
        of = reading.windows
        asked = breaching.questions(of, thresholds)
        ours = Verdict(chances[asked.window, asked.column, CHANCES.index("p72")], 0.5, probability=True)
        maxima = np.stack([one["maxima"] for one in prophet.more])
        others = {name: one for name, one in reading.methods.items() if name != OURS}
        found = {OURS: ours} | breaching.peers(of, asked, others, maxima)
        share = "Prophet: share of its draws that cross"
        mine, theirs = ours.criteria(asked.crossed), found[share].criteria(asked.crossed)
        note = f"{asked.crossed.size} questions, {asked.crossed.mean():.0%} crossed"
        suffix = "" if statistic == "mean" else "_max"
        names = dict(zip(("auc", "brier", "recall", "calibration"), breaching.CRITERIA, strict=False))
        self.measured |= {
            f"{name}{suffix}": Measured(mine[criterion], note, theirs[criterion]) for name, criterion in names.items()
        }
        self.report.tables.append(
            breaching.by_verdict(f"Crossing within 72 h, hourly {STATISTICS[statistic]}: {note}", found, asked.crossed)
        )
        self.report.tables.append(_crossings_by_part(of, asked, ours, STATISTICS[statistic]))
        self.pictured[STATISTICS[statistic]] = {
            OURS: (ours.said, asked.crossed),
            PROPHET: (found[share].said, asked.crossed),
        }

    def _fills(self, of: Windows) -> None:
        fills = Fills(of)
        prophet = ask([PROPHET.lower()], fills.levels, "levels that fill")[PROPHET.lower()]
        say("Forewarn: what fills up")
        found = fills.methods(self.work, prophet)
        mine, theirs = fills.criteria(found[OURS_FILL]), fills.criteria(found["Prophet on the level"])
        names = ("fill_f1", "fill_median", "fill_p90")
        note = f"{fills.full.size} questions of {len(fills.levels)} windows"
        self.measured |= {
            name: Measured(own, note, other) for name, own, other in zip(names, mine, theirs, strict=True)
        }
        self.report.tables.append(fills.by_method(found))

    def _cold(self, of: Windows) -> None:
        old = cold.old_windows(of)
        prophet = {hours: ask([PROPHET.lower()], cold.cut(old, hours), f"{hours} h of history") for hours in (72, 168)}
        say("Forewarn: short histories")
        found = cold.read(old, self.work, {hours: said[PROPHET.lower()] for hours, said in prophet.items()})
        for hours, errors in found.items():
            naive = errors[YESTERDAY]
            other = errors[PROPHET] / naive if PROPHET in errors else None
            self.measured[f"cold_{hours}"] = Measured(errors[OURS] / naive, f"{len(old)} windows", other)
        self.report.tables.append(cold.by_hours(old, found))

    def _exactness(self, of: Windows, stan: Said) -> None:
        found = exactness.compare(of.past, stan)
        below = f"{found.below.size} windows; {found.below.min():.1g} to {np.median(found.below):.2g} (median) lower"
        moved = f"{found.moved.size} windows; it gains {found.gained.max():.1g} at most"
        self.measured |= {
            "below_stan": Measured(found.at_or_below, below),
            "moved": Measured(float(found.moved.max()), moved),
        }
        self.measured["fit"] = Measured(None, "", float(np.median(stan.milliseconds)))

    def _costs(self, of: Windows) -> None:
        some = of.rows(np.linspace(0, len(of) - 1, min(self.lengths.batch, len(of))).astype(int))
        thresholds = np.nanmax(some.past[:, -breaching.WEEK_HOURS :], axis=1)
        cost = costs.batches(some.past, thresholds)
        stan = self.measured["fit"].prophet
        self.measured["fit"] = Measured(cost["fit"], f"{cost['fit_whole']:.2g} ms where no hour is missing", stan)
        self.measured["answer"] = Measured(
            cost["answer"], f"{cost['series']:.0f} windows at a time, one threshold each", stan
        )
        say("Forewarn: the whole refresh")
        for name, series in (("refresh", self.lengths.refresh // 2), ("refresh_both", self.lengths.refresh)):
            with tempfile.TemporaryDirectory(dir=self.work) as folder:
                found = costs.refresh(of, series, Path(folder))
            self.report.raw[name] = found
            note = f"processor time, start and imports included; {found.answered} forecasts, {found.scored} scored"
            self.measured[name] = Measured(found.cpu_seconds, f"{note}; {found.seconds:.1f} s on the clock")
            if name == "refresh":
                self.measured["refresh_mib"] = Measured(found.mib)
                self.measured["refresh_imports"] = Measured(len(found.imported), ", ".join(found.imported))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all, print the tables, write JSON and pictures; 1 where a figure is missed."""
    options = _options(arguments)
    sets = read(options.data, (*OPEN_SETS, *UNSEEN_SETS))
    if not sets:
        raise ForewarnError(
            f"none of the sets lies in {options.data}", hint="docs/forecast-model.md says where they come from"
        )
    peer = "import importlib.metadata as m; print('{0}', m.version('{0}'))"
    commands = {name: [str(PYTHON), "-c", peer.format(name)] for name in ("prophet", "statsforecast")}
    with tempfile.TemporaryDirectory(prefix="forewarn-bench-") as name:
        report = Report("forecast", describe(Path(name), commands), options.quick)
        lengths = QUICK if options.quick else WHOLE
        run = Run(
            report, options.data, sets, Path(name), lengths, [] if options.quick else ("Theta", "MSTL", "AutoETS")
        )
        run.all()
        report.add(*figures(run.measured))
    report.finish(options.results)
    return 1 if report.missed else 0


def _method(said: Said, of: Windows) -> Method:
    """A peer's answers, cut to what is possible; where it failed, same hour yesterday without a band."""
    quantiles = accuracy.bounded(said.quantiles, of)
    failed = np.isnan(quantiles[:, 0, 2])
    quantiles[failed] = np.tile(of.grid.bridged[failed, -24:], (1, 3))[..., None]
    return Method(quantiles[..., 2], quantiles, float(said.milliseconds.mean()))


def _by_half(better: Callable[[str, Flags], float], to: str, of: Windows) -> str:
    return f"for choices {better(to, of.chosen):.0f}, for reading only {better(to, ~of.chosen):.0f}"


def _crossings_by_part(of: Windows, asked: breaching.Questions, ours: Verdict, statistic: str) -> Table:
    rows = []
    for name, part in accuracy.parts(of).items():
        here = part[asked.window]
        criteria = Verdict(ours.said[here], 0.5, probability=True).criteria(asked.crossed[here])
        told = ["" if value is None else f"{value:.3f}" for value in criteria.values()]
        rows.append([name, str(int(here.sum())), f"{asked.crossed[here].mean():.2f}", *told])
    header = ["windows of", "questions", "crossed", *breaching.CRITERIA]
    return Table(f"Forewarn's probability to cross, hourly {statistic}", header, rows)


def _split(of: Windows) -> dict[str, list[str]]:
    halves = {"for choices": of.chosen, "for reading only": ~of.chosen}
    return {name: np.unique(of.names[rows]).tolist() for name, rows in halves.items()}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.forecast", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the series")
    parser.add_argument("--quick", action="store_true", help="one origin a series, of the libraries only Prophet")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
