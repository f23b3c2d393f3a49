"""The watch over a node's logs: counts lines by template, keeps what they say, and tells what is unusual."""

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from forewarn.base.clock import Clock
from forewarn.base.errors import ForewarnError
from logship.anomalies import wording
from logship.anomalies.dataset import DatasetWatch
from logship.anomalies.events import EventBook, Key, LogAnomaly
from logship.anomalies.glossary import Glossary
from logship.anomalies.news import News, NewsFile
from logship.anomalies.novelty import Novel
from logship.anomalies.rates import Finding
from logship.anomalies.requests import DEFAULT_PATTERN, Request, Requests
from logship.anomalies.sequences import Broken, Ways
from logship.anomalies.series import TemplateSeries, resolved
from logship.anomalies.settings import DATASET, AnomalySettings
from logship.anomalies.state import Learned, learned
from logship.anomalies.tally import First, Tally
from logship.anomalies.usual import TICK_MS
from logship.engine.documents import Int32, Int64
from logship.feed import Lines
from logship.patterns.miner import TAIL, Miner
from logship.stats import RawSample

WRITE_TICKS = 6
SAVE_TICKS = 60
MOST_DATASETS = 50
_NONE = np.zeros(0, np.int64)
_WHAT = {"rate_jump": "more", "rate_drop": "less", "source_silent": "less", "heartbeat_missing": "less"}

log = logging.getLogger(__name__)


class Watch:
    """Sees every chunk of lines, and every ten seconds what these come to.

    Args:
        settings: what to look for.
        directory: where it keeps what it knows.
        clock: the clocks.
        miner: finds the templates.
        lock: the packing lock, under which ``observe`` is called and the miner works.
        datasets: those that are followed; of an earlier process's others nothing is kept.
    """

    def __init__(
        self,
        settings: AnomalySettings,
        directory: Path,
        *,
        clock: Clock,
        miner: Miner,
        lock: threading.Lock,
        datasets: Collection[str] = (),
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._clock = clock
        self._miner = miner
        self._lock = lock
        self._tally = Tally()
        self._series = TemplateSeries(settings.series)
        self._glossary = Glossary()
        pattern = settings.request_pattern.encode() if settings.request_pattern else DEFAULT_PATTERN
        self._requests = Requests(pattern, settings.request_quiet) if settings.requests else None
        self._merged: set[int] = set()
        self._told: Counter[str] = Counter()
        self._ticks = 0
        self._due_ms = (clock.now_ms() // TICK_MS + 1) * TICK_MS
        self._last_ms = clock.now_ms()
        self._trouble = ""
        self._learned = known = self._load({*datasets})
        self._datasets, self._novelty, self._ways = known.datasets, known.novelty, known.ways
        self._news = NewsFile(directory)
        self._go_on({*datasets})
        self._events = EventBook(directory, clock.now_ms())

    def observe(self, lines: Lines, templates: Int32) -> None:
        """Count a chunk's lines; under the packing lock."""
        if lines.dataset == DATASET:
            return
        self._tally.observe(lines, templates)
        if self._requests is not None:
            self._requests.observe(lines, templates, self._clock.monotonic())

    def samples(self) -> list[RawSample]:
        """The template series, and what the watch says of itself."""
        found = self._series.samples()
        found.append(("forewarn_logs_templates", {}, float(len(self._glossary.entries)), False))
        kinds = Counter(one.kind for one in self._events.open.values())
        found += [
            ("forewarn_logs_anomalies_active", {"kind": kind}, float(kinds[kind]), False) for kind in wording.KINDS
        ]
        found += [
            ("forewarn_logs_anomalies_total", {"kind": kind}, float(self._told[kind]), True) for kind in wording.KINDS
        ]
        return found

    def told(self) -> list[dict[str, Any]]:
        """The anomalies that go on and those that were over lately, as JSON."""
        return [one.to_dict() for one in self._events.told()]

    def tick(self, behind: Collection[str] = ()) -> bool:
        """Look at what came since the last time, where ten seconds have passed; whether it did.

        Args:
            behind: data sets of which older lines are being caught up with: nothing is told of their rates.
        """
        now_ms = self._clock.now_ms()
        if now_ms < self._due_ms and self._due_ms - now_ms <= TICK_MS:
            if self._tally.firsts and self._watched(now_ms):
                with contextlib.suppress(ForewarnError):  # what is wrong is said when it is looked at
                    self._keep_news()
            return False
        elapsed_ms = max(0, min(now_ms - self._last_ms, 2 * TICK_MS))
        missed = now_ms - self._due_ms >= TICK_MS
        self._due_ms, self._last_ms = (now_ms // TICK_MS + 1) * TICK_MS, now_ms
        try:
            self._look(now_ms, elapsed_ms, behind, missed=missed)
        except (OSError, ForewarnError) as error:
            self._note(str(error))
        else:
            self._note("")
        return True

    def save(self) -> None:
        """Keep what is known.

        Raises:
            ForewarnError: the file cannot be written.
        """
        self._learned.save(self._directory)

    def close(self) -> None:
        """Keep what is known, and what has come since the last look for the next process to look at."""
        try:
            self._keep_news()
            self._glossary.write(self._directory, self._clock.now_ms())
            self.save()
        except ForewarnError as error:
            self._note(str(error))

    def _look(self, now_ms: int, elapsed_ms: int, behind: Collection[str], *, missed: bool) -> None:
        with self._lock:
            counts, firsts = self._tally.take()
            late, self._tally.late = self._tally.late, set()
            merged = self._newly_merged()
            over = self._requests.take(self._clock.monotonic()) if self._requests is not None else []
            self._glossary.meet(firsts)
            self._glossary.move(merged)
            self._glossary.describe(self._miner)
        self._move(merged)
        lines = self._count(counts, now_ms, {*behind, *late, *(counts if missed else ())})
        self._watch_new(firsts, lines, elapsed_ms, now_ms)
        self._keep_news()
        self._watch_requests(over, now_ms)
        self._hold(now_ms)
        self._events.end(now_ms)
        self._series.tick()
        self._ticks += 1
        if firsts or self._ticks % WRITE_TICKS == 1:
            self._glossary.write(self._directory, now_ms)
        if self._ticks % SAVE_TICKS == 0:
            self.save()

    def _watched(self, now_ms: int) -> list[str]:
        """The data sets whose learning time is over."""
        return [name for name, watch in self._datasets.items() if not watch.learning(now_ms)]

    def _keep_news(self) -> None:
        with self._lock:
            newest, firsts = max(self._miner.ids), tuple(self._tally.firsts)
        self._news.keep(News(newest, tuple(self._novelty.fresh.values()), firsts))

    def _newly_merged(self) -> dict[int, int]:
        known = self._miner.merged
        if len(known) == len(self._merged):
            return {}
        fresh = known.keys() - self._merged
        self._merged = set(known)
        return {template: self._miner.current(template) for template in fresh}

    def _move(self, merged: dict[int, int]) -> None:
        if merged:
            self._series.move(merged)
            self._novelty.move(merged)
            for watch in self._datasets.values():
                watch.move(merged)

    def _count(self, counts: dict[str, tuple[Int64, Int64]], now_ms: int, behind: Collection[str]) -> dict[int, int]:
        """Give each data set its lines, tell what is unusual about their rates; the lines of each template."""
        total: Counter[int] = Counter()
        for dataset in {**counts, **self._datasets}:
            ids, lines = self._current(*counts.get(dataset, (_NONE, _NONE)))
            self._series.count(dataset, ids, lines, self._glossary.levels)
            self._glossary.count(dataset, ids, lines, now_ms)
            total.update(dict(zip(ids.tolist(), lines.tolist(), strict=True)))
            if dataset not in self._datasets:
                if len(self._datasets) >= MOST_DATASETS:
                    continue
                self._datasets[dataset] = DatasetWatch(self._settings.learning, now_ms)
            upset = {key.template for key in self._events.open if key.dataset == dataset}
            watch = self._datasets[dataset]
            for finding in watch.tick(now_ms, ids, lines, current=dataset not in behind, upset=upset):
                if finding.score >= self._settings.score:
                    self._tell_rate(dataset, watch.template(finding.row), finding, now_ms)
        return dict(total)

    def _current(self, ids: Int64, counts: Int64) -> tuple[Int64, Int64]:
        return resolved(ids, counts, {template: self._miner.current(template) for template in ids.tolist()})

    def _tell_rate(self, dataset: str, template: int | None, finding: Finding, now_ms: int) -> None:
        self._show(
            Key(dataset, _WHAT[finding.kind], template),
            finding.kind,
            finding.score,
            wording.rate(finding, template),
            now_ms - round(finding.seconds * 1000),
            now_ms,
            (finding.observed, finding.expected, finding.seconds),
        )

    def _watch_new(self, firsts: Collection[First], lines: dict[int, int], elapsed_ms: int, now_ms: int) -> None:
        watched = self._watched(now_ms)
        new = [
            first
            for first in firsts
            if first.dataset in watched
            and first.template != TAIL
            and self._miner.current(first.template) == first.template
        ]
        variants = self._glossary.variants([first.template for first in new])
        for first in new:
            level = self._glossary.levels.get(first.template, "")
            self._novelty.meet(first, level, variant=first.template in variants)
        for novel in self._novelty.tick(lines, elapsed_ms, watched, self._settings.score):
            self._tell_new(novel, now_ms)

    def _tell_new(self, novel: Novel, now_ms: int) -> None:
        key = Key(novel.dataset, "new errors" if novel.errors else "new")
        before = self._events.open.get(key)
        templates = tuple(dict.fromkeys((*(before.templates if before else ()), *novel.templates)))[
            : wording.MOST_LISTED
        ]
        lines = novel.lines + (round(before.observed) if before else 0)
        started_ms = before.started_ms if before else now_ms - TICK_MS
        seconds = (now_ms - started_ms) / 1000
        reason = wording.new(templates, lines, seconds)
        score = max(novel.score, before.score if before else 0.0)
        self._show(key, "new_template", score, reason, started_ms, now_ms, (lines, 0.0, seconds), templates)

    def _watch_requests(self, over: Collection[Request], now_ms: int) -> None:
        by_dataset: dict[str, list[Request]] = {}
        for request in over:
            by_dataset.setdefault(request.dataset, []).append(request)
        for dataset, requests in by_dataset.items():
            watch = self._datasets.get(dataset)
            learning = watch is None or watch.learning(now_ms)
            ways = self._ways.setdefault(dataset, Ways())
            broken = ways.judge(requests, now_ms, learning=learning, resolve=self._miner.current)
            if broken is not None and broken.score >= self._settings.score:
                self._tell_broken(dataset, broken, now_ms)

    def _tell_broken(self, dataset: str, broken: Broken, now_ms: int) -> None:
        texts = {template: self._glossary.text(template) for template in broken.example.events + broken.missing}
        self._show(
            Key(dataset, "requests"),
            "request_sequence",
            broken.score,
            wording.broken(broken, texts),
            now_ms - TICK_MS,
            now_ms,
            (broken.flagged, broken.expected, 600.0),
            broken.example.events[: wording.MOST_LISTED],
        )

    def _show(  # noqa: PLR0917  the parts of an anomaly
        self,
        key: Key,
        kind: Any,
        score: float,
        reason: str,
        started_ms: int,
        now_ms: int,
        figures: tuple[float, float, float],
        templates: tuple[int, ...] = (),
    ) -> None:
        shown = key.template if key.template is not None else next(iter(templates), None)
        anomaly = LogAnomaly(
            key=key,
            kind=kind,
            score=score,
            reason=reason,
            text=self._glossary.text(shown),
            examples=tuple(
                line
                for one in (templates or (shown,))[: wording.MOST_EXAMPLES]
                for line in self._glossary.examples(one)
            ),
            observed=figures[0],
            expected=figures[1],
            seconds=figures[2],
            started_ms=started_ms,
            seen_ms=now_ms,
            templates=templates,
        )
        begun = self._events.begun
        self._events.show(anomaly)
        self._told[kind] += self._events.begun - begun

    def _hold(self, now_ms: int) -> None:
        """Rates that are still off keep their anomaly open, though they would not begin one."""
        for key, one in list(self._events.open.items()):
            watch = self._datasets.get(key.dataset)
            if watch is not None and one.kind in _WHAT and watch.held(key.template, one.kind):
                self._events.hold(key, now_ms)

    def _load(self, followed: Collection[str]) -> Learned:
        if not any(self._miner.live()):
            return Learned()  # templates are numbered anew: what is known of the old numbers holds for none of them
        learning, now_ms = self._settings.learning, self._clock.now_ms()
        return learned(self._directory, learning, now_ms, followed, self._miner.current)

    def _go_on(self, followed: Collection[str]) -> None:
        """Go on with what an earlier process knew of templates, and with those that it was still to look at."""
        ids = {*self._miner.ids}
        left = self._news.read() if any(self._miner.live()) else None
        news = (left or News(max(ids))).among(ids, followed)
        untold = news.untold(ids)
        waiting = untold | {first.template for first in news.firsts}
        self._glossary.load(self._directory, self._miner, self._clock.now_ms(), ids - waiting)
        self._tally.known(ids - untold)
        self._tally.firsts.extend(news.firsts)
        self._novelty.fresh = {one.template: one for one in news.fresh}

    def _note(self, trouble: str) -> None:
        """Say a trouble once, and once when it is over."""
        if trouble and trouble != self._trouble:
            log.error("log anomalies cannot be kept", extra={"error": trouble, "hint": "is there room on the disk?"})
        elif self._trouble and not trouble:
            log.info("log anomalies are kept again")
        self._trouble = trouble
