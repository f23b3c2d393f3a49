"""The watch: reads the newest windows of every capacity target, judges them, keeps the account of anomalies.

Everything here may block; the daemon calls it on a thread of its own, one call at a time.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from collector.series import Sample, SeriesKey
from forecast.anomalies.detector import HOUR_MS, Detector, Verdict
from forecast.anomalies.events import Anomaly, Standing, Window, follow
from forecast.anomalies.reading import Envelopes, read_windows
from forecast.results import Forecast
from forecast.settings import TargetSettings
from forecast.sources import WINDOW, Reader, Source
from forecast.targets import find_targets
from forewarn.base.clock import DAY, HOUR

log = logging.getLogger(__name__)

LEARN_MS = 7 * DAY
MOST_TARGETS = 500
LATE_MS = 20_000
"""Samples of a window are in the store so long after its end."""
KINDS = ("point", "stretch", "level_shift", "flat_line")


class Watch:
    """Watches the capacity targets of one store. State lies in memory and is learned anew from the store at a start.

    The first window that is judged is the newest one: what goes on is known at once, of what is over nothing is said.

    Args:
        reader: the store.
        rows: the ``[[target]]`` rows.
        going_on: anomalies that had not ended when they were last looked at.
    """

    def __init__(self, reader: Reader, rows: Sequence[TargetSettings], going_on: Sequence[Anomaly]) -> None:
        self._reader = reader
        self._rows = rows
        self._going_on = {each.target: each for each in going_on}
        self._targets: list[tuple[SeriesKey, str]] = []
        self._sources: list[Source] = []
        self._standings: list[Standing] = []
        self._detector = Detector(0)
        self._judged_ms = 0
        self._found_ms: int | None = None
        self._begun: Counter[str] = Counter()
        self._stopped = False

    def stop(self) -> None:
        """Give up what is being read; may be called from any thread."""
        self._stopped = True

    def latest(self) -> list[Standing]:
        """How every watched series stands; those whose anomaly has ended stand without."""
        return [
            replace(each, anomaly=None) if each.anomaly is not None and each.anomaly.ended_ms is not None else each
            for each in self._standings
        ]

    def judge(self, now_ms: int, forecasts: Sequence[Forecast]) -> list[Anomaly]:
        """Judge every window that has ended since the last time; the anomalies that began, changed or ended.

        New targets are looked for once an hour; where the set changed, all is learned anew from the store.
        """
        end_ms = (now_ms - LATE_MS) // WINDOW * WINDOW
        if self._found_ms is None or now_ms - self._found_ms >= HOUR or now_ms < self._found_ms:
            self._find(now_ms, end_ms)
        if self._judged_ms - end_ms > DAY:  # the clock has been set back by more than a correction
            self._learn(end_ms)
        changed: dict[tuple[SeriesKey, int], Anomaly] = {}
        if end_ms <= self._judged_ms or not self._targets or self._stopped:
            return []
        envelopes = Envelopes([key for key, _ in self._targets], forecasts)
        for start_ms in range(max(self._judged_ms, end_ms - DAY), end_ms, DAY // 4):
            stop_ms = min(start_ms + DAY // 4, end_ms)
            for offset, values in enumerate(read_windows(self._reader, self._sources, start_ms, stop_ms)):
                time_ms = start_ms + offset * WINDOW
                envelope = envelopes.at(time_ms + WINDOW // 2)
                verdict = self._detector.step(time_ms, values, WINDOW / HOUR_MS, envelope)
                before = self._standings
                self._standings = follow(
                    self._targets, before, Window(time_ms, time_ms + WINDOW, values, verdict, envelope)
                )
                changed.update(self._changes(before))
        self._judged_ms = end_ms
        return list(changed.values())

    def samples(self) -> list[Sample]:
        """The watch as metrics."""
        begun = [
            Sample(SeriesKey.of("forewarn_anomalies_total", kind=kind), float(self._begun[kind]), counter=True)
            for kind in KINDS
        ]
        scores = [
            Sample(SeriesKey.of("forewarn_anomaly_score", target=str(each.target)), each.score)
            for each in self._standings
            if each.score is not None
        ]
        return begun + scores

    def _changes(self, before: Sequence[Standing]) -> dict[tuple[SeriesKey, int], Anomaly]:
        changed = {}
        for old, new in zip(before, self._standings, strict=True):
            if new.anomaly is None or new.anomaly == old.anomaly:
                continue
            was = old.anomaly
            if was is None or (was.started_ms, was.kind) != (new.anomaly.started_ms, new.anomaly.kind):
                self._begun[new.anomaly.kind] += 1
            changed[new.target, new.anomaly.started_ms] = new.anomaly
        return changed

    def _find(self, now_ms: int, end_ms: int) -> None:
        self._found_ms = now_ms
        found = [each for each in find_targets(self._reader, self._rows, now_ms) if each.statistic == "mean"]
        if len(found) > MOST_TARGETS:
            log.warning("more targets than are watched", extra={"targets": len(found), "watched": MOST_TARGETS})
        found = found[:MOST_TARGETS]
        targets = [(each.key, each.unit) for each in found]
        if targets == self._targets:
            return
        going_on = self._going_on | {each.target: each.anomaly for each in self.latest() if each.anomaly is not None}
        scores = {each.target: each.score for each in self._standings}
        self._targets, self._sources = targets, [each.source for each in found]
        self._standings = [Standing(key, end_ms, scores.get(key), going_on.get(key)) for key, _ in targets]
        self._going_on = {}
        self._learn(self._judged_ms or end_ms - WINDOW)

    def _learn(self, end_ms: int) -> None:
        """A detector that has seen what the store holds; nothing is said of the past."""
        self._detector = Detector(len(self._targets))
        last: Verdict | None = None
        for start_ms in range(end_ms - LEARN_MS, end_ms, DAY):
            if self._stopped:
                return
            for offset, values in enumerate(read_windows(self._reader, self._sources, start_ms, start_ms + DAY)):
                if last is not None or np.isfinite(values).any():
                    last = self._detector.step(start_ms + offset * WINDOW, values, WINDOW / HOUR_MS)
        self._judged_ms = end_ms
