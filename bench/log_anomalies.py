"""Anomalies in logs: faults put into weeks of lines at known moments, beside two rules that are in wide use.

    python -m bench.log_anomalies --data DIR [--quick]

DIR holds loghub/<system>/<system>_2k.log and ait_sequences/openstack_parisakalaki/. How often the templates of a system
come follows its log; a fifth of them come about once in ten days, so that templates that were never seen are ordinary.
Beside these some come five times as often in working hours, one in one hour of the night only, and on the last Sunday
before the faults everything moves by an hour, as in autumn.
Each system has two weeks to learn from and four days with faults. Choices were made on one half of the systems only.
"""

import argparse
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.log_weeks import START_MS, TICK_MS, TICKS_A_DAY, Counts, Fault, Trouble, Weeks
from bench.machine import describe
from bench.report import RESULTS, Figure, Report, Table, Within, say
from logship.anomalies.dataset import DatasetWatch
from logship.anomalies.novelty import Novelty
from logship.anomalies.requests import Request
from logship.anomalies.sequences import Ways
from logship.anomalies.tally import First
from logship.patterns.miner import Miner
from logship.patterns.sequences import read_sequences
from logship.stamps import level_of

CHOSEN = ("Android", "HPC", "Linux", "OpenSSH")
"""Systems that choices were made on; the others are for reading only."""
QUICK = ("HPC", "OpenSSH", "OpenStack", "Spark")
LEARNED_DAYS, QUICK_LEARNED_DAYS, FAULT_DAYS = 14, 8, 4
LINES_A_TICK = 30.0
HEARTBEATS = (2, 6, 30)
MOST_TEMPLATES, QUICK_TEMPLATES = 60, 30
REQUEST_DAYS, QUICK_REQUEST_DAYS = 11, 3
SELDOM = 0.2
ONCE_IN_TICKS = 10 * TICKS_A_DAY
FAULTS: tuple[Fault, ...] = ("new", "jump", "drop", "heartbeat", "silent")
OFFICE_RATES, NIGHTLY_RATES = (20.0, 5.0, 1.0), (30.0,)
OFTEN = 1.0
"""Lines a tick of a template that is made to come more often, or not at all."""
EVERY, LASTS, AFTERWARDS = 720, 120, 120
"""Ticks between faults, of a fault, and behind it, in which an alarm is no false one."""
NEW_EVERY = 24
SCORE = 0.99
SCORES = (0.95, 0.99, 0.999)
REST = 30
SIGMAS = 3.0
MINUTE_TICKS, DAY_MINUTES = 6, 1440
REQUESTS_A_TICK = 5
WORKERS = 6


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that was told: when, of which template (-1: of all), how sure."""

    tick: int
    place: int
    score: float = 1.0


@dataclass(slots=True)
class System:
    """A system's templates: the rates of the ordinary ones, the texts and levels, and the weeks made of them."""

    name: str
    weeks: Weeks
    rates: Sequence[float]
    levels: Sequence[str]
    learned_days: int
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def curved(self) -> Sequence[float]:
        """The rates of those that follow no steps."""
        return self.rates[: -len(OFFICE_RATES + NIGHTLY_RATES)]


def systems(folder: Path, *, quick: bool) -> list[System]:
    found = []
    most = QUICK_TEMPLATES if quick else MOST_TEMPLATES
    days = QUICK_LEARNED_DAYS if quick else LEARNED_DAYS
    for seed, path in enumerate(sorted(folder.glob("*/*_2k.log"))):
        if quick and path.parent.name not in QUICK:
            continue
        miner = Miner()
        lines = path.read_bytes().splitlines()
        ids = miner.resolve(miner.feed(path.stem, path.read_bytes()))
        counted = dict(Counter(ids.tolist()).most_common(most))
        chance = random.Random(seed)
        first = {template: lines[int(np.argmax(ids == template))] for template in counted}
        rates = [
            1 / ONCE_IN_TICKS if chance.random() < SELDOM and count < 20 else LINES_A_TICK * count / len(lines)
            for count in counted.values()
        ]
        rates += OFFICE_RATES + NIGHTLY_RATES
        levels = [(level_of(first[template]) or b"").decode() for template in counted]
        system = System(path.parent.name, _weeks(rates, seed, days), rates, levels, days)
        system.troubles = list(_troubles(system, chance))
        found.append(system)
    return found


def _weeks(rates: Sequence[float], seed: int, learned_days: int) -> Weeks:
    news = FAULT_DAYS * TICKS_A_DAY // EVERY
    winter = (learned_days // 7 * 7 - 1) * TICKS_A_DAY + TICKS_A_DAY // 24
    return Weeks(rates, HEARTBEATS, news, seed, len(OFFICE_RATES), len(NIGHTLY_RATES), winter)


def _troubles(system: System, chance: random.Random) -> Iterator[Trouble]:
    """One every two hours, each kind in turn; new errors every other day only, for five a day would be usual."""
    often = [place for place, rate in enumerate(system.curved) if rate >= OFTEN]
    beats = range(system.weeks.ordinary, system.weeks.ordinary + len(HEARTBEATS))
    news = system.weeks.ordinary + len(HEARTBEATS)
    first, last = system.learned_days * TICKS_A_DAY, (system.learned_days + FAULT_DAYS) * TICKS_A_DAY
    for number, tick in enumerate(range(first + EVERY // 2, last - EVERY, EVERY)):
        kind = FAULTS[0] if number % NEW_EVERY == NEW_EVERY // 2 else FAULTS[1 + number % (len(FAULTS) - 1)]
        place = {"new": news + number, "heartbeat": chance.choice(beats)}.get(kind, chance.choice(often))
        yield Trouble(kind, place, tick + chance.randrange(200), LASTS)


def ours(system: System) -> tuple[list[Alarm], float]:
    """What the detectors tell, and their processor seconds a tick."""
    watch = DatasetWatch(86_400.0, START_MS)
    novelty, met = Novelty(), set[int]()
    alarms: list[Alarm] = []
    begin = time.process_time()
    spent = 0.0
    for tick, (now_ms, counts) in enumerate(_ticks(system)):
        started = time.process_time()
        places = np.flatnonzero(counts)
        for found in watch.tick(now_ms, places, counts[places]):
            place = watch.template(found.row)
            alarms.append(Alarm(tick, -1 if place is None else place, found.score))
        if not watch.learning(now_ms):
            for place in places.tolist():
                if place not in met:
                    novelty.meet(First(place, "bench", "", now_ms), _level(system, place), variant=False)
            lines = dict(zip(places.tolist(), counts[places].tolist(), strict=True))
            for told in novelty.tick(lines, TICK_MS, ["bench"], SCORES[0]):
                alarms += [Alarm(tick, place, told.score) for place in told.templates]
        met.update(places.tolist())
        spent += time.process_time() - started
    say(f"  {system.name}: {system.weeks.size} templates, {time.process_time() - begin:.0f} s")
    return [one for one in alarms if one.score >= SCORES[0]], spent / (tick + 1)


def _level(system: System, place: int) -> str:
    if place < len(system.levels):
        return system.levels[place]
    return "error" if place >= system.weeks.ordinary + len(HEARTBEATS) else "info"


def sigmas(system: System) -> list[Alarm]:
    """Minutes further from the mean of the day before than three of its standard deviations, template by template."""
    size = system.weeks.size
    ring, minute, number = np.zeros((DAY_MINUTES, size)), np.zeros(size), 0
    total, squares = np.zeros(size), np.zeros(size)
    alarms = []
    for tick, (_, counts) in enumerate(_ticks(system)):
        minute += counts
        if (tick + 1) % MINUTE_TICKS:
            continue
        if number >= DAY_MINUTES:
            mean = total / DAY_MINUTES
            deviation = np.sqrt(np.maximum(squares / DAY_MINUTES - mean**2, 0))
            off = (np.abs(minute - mean) > SIGMAS * deviation) & (deviation > 0)
            alarms += [Alarm(tick, place) for place in np.flatnonzero(off).tolist()]
        gone = ring[number % DAY_MINUTES]
        total, squares = total + minute - gone, squares + minute**2 - gone**2
        ring[number % DAY_MINUTES] = minute
        minute, number = np.zeros(size), number + 1
    return alarms


def new_signature(system: System) -> list[Alarm]:
    """Templates that were not seen on the first day."""
    seen = np.zeros(system.weeks.size, np.bool_)
    alarms = []
    for tick, (_, counts) in enumerate(_ticks(system)):
        new = np.flatnonzero((counts > 0) & ~seen)
        if tick >= TICKS_A_DAY:
            alarms += [Alarm(tick, place) for place in new.tolist()]
        seen[new] = True
    return alarms


def _ticks(system: System) -> Iterator[tuple[int, Counts]]:
    """The same weeks for everybody."""
    again = _weeks(system.rates, len(system.name), system.learned_days)
    return again.ticks(0, (system.learned_days + FAULT_DAYS) * TICKS_A_DAY, system.troubles)


def scored(systems_: Sequence[System], alarms: Sequence[Sequence[Alarm]], least: float) -> dict[str, Any]:
    """Faults found, how soon, and false alarms a day; alarms of one template within five minutes are one."""
    found: dict[str, list[int]] = defaultdict(list)
    faults: Counter[str] = Counter()
    false = true = 0
    for system, told in zip(systems_, alarms, strict=True):
        grouped = _events([one for one in told if one.score >= least])
        faults.update(trouble.kind for trouble in system.troubles)
        hit: dict[Trouble, int] = {}
        for one in grouped:
            trouble = _cause(system, one)
            near = _near(system, one.tick)
            if trouble is not None:
                hit[trouble] = min(hit.get(trouble, one.tick), one.tick)
                true += 1
            elif not near:
                false += one.tick >= system.learned_days * TICKS_A_DAY
        for trouble, tick in hit.items():
            found[trouble.kind].append(tick - trouble.first)
    days = FAULT_DAYS * len(systems_)
    hits = sum(map(len, found.values()))
    return {
        "faults": dict(faults),
        "recall": round(hits / sum(faults.values()), 4),
        "recall_by_kind": {kind: round(len(found[kind]) / faults[kind], 3) for kind in FAULTS},
        "precision": round(true / (true + false), 4) if true + false else None,
        "median_seconds": {kind: 10 * float(np.median(found[kind])) for kind in FAULTS if found[kind]},
        "false_alarms_a_day": round(false / days, 3),
        "alarms": true + false,
    }


def _events(alarms: Sequence[Alarm]) -> list[Alarm]:
    last: dict[int, int] = {}
    events = []
    for one in sorted(alarms, key=lambda alarm: alarm.tick):
        if one.tick - last.get(one.place, -REST - 1) > REST:
            events.append(one)
        last[one.place] = one.tick
    return events


def _cause(system: System, alarm: Alarm) -> Trouble | None:
    """The fault that an alarm is about: of its template, or of all."""
    for trouble in system.troubles:
        on = trouble.first <= alarm.tick < trouble.first + trouble.ticks + 6
        if on and (trouble.kind == "silent" or alarm.place == trouble.place):
            return trouble
    return None


def _near(system: System, tick: int) -> bool:
    """Whether a fault was shortly before: what follows from it is neither right nor wrong."""
    return any(one.first <= tick < one.first + one.ticks + AFTERWARDS for one in system.troubles)


def requests(folder: Path, days: int) -> dict[str, Any]:
    """OpenStack's requests: days of normal ones, then five abnormal ones together, once in four hours."""
    train, normal, abnormal = (
        [one.events for one in read_sequences((folder / f"openstack_{part}").read_text(), part)]
        for part in ("train", "test_normal", "test_abnormal")
    )
    numbers = {event: n for n, event in enumerate(sorted({e for one in (*train, *normal, *abnormal) for e in one}))}
    chance = random.Random(1)
    ways, known = Ways(), {event for one in train for event in one}
    hits: dict[str, set[int]] = {"ours": set(), "unseen event": set()}
    false: Counter[str] = Counter()
    incidents = 0
    for tick in range(days * TICKS_A_DAY):
        learning = tick < TICKS_A_DAY
        events = chance.choices([*train, *normal[::2]] if learning else normal[1::2], k=REQUESTS_A_TICK)
        incident = tick // 1440 if not learning and tick % 1440 == 700 else None
        if incident is not None:
            incidents += 1
            events += chance.sample(abnormal, REQUESTS_A_TICK)
        over = [Request("", "bench", tuple(numbers[event] for event in one)) for one in events]
        over = [Request(f"{tick}-{n}", one.dataset, one.events) for n, one in enumerate(over)]
        broken = ways.judge(over, START_MS + tick * TICK_MS, learning=learning, resolve=int)
        told = {
            "ours": broken is not None and broken.score >= SCORE,
            "unseen event": not learning and any(event not in known for one in events for event in one),
        }
        for name, on in told.items():
            if on and tick % 1440 in range(700, 790):
                hits[name].add(tick // 1440)
            elif on:
                false[name] += 1
    return {
        "incidents": incidents,
        **{
            name: {"found": len(found), "false_windows_a_day": round(false[name] / (days - 1), 3)}
            for name, found in hits.items()
        },
    }


def run(report: Report, data: Path) -> None:
    """Every rule on every system, then requests."""
    found = systems(data / "loghub", quick=report.quick)
    days = QUICK_REQUEST_DAYS if report.quick else REQUEST_DAYS
    peers: dict[str, Callable[[System], list[Alarm]]] = {"3 sigma a minute": sigmas, "new signature": new_signature}
    with ProcessPoolExecutor(WORKERS) as pool:
        asked = pool.submit(requests, data / "ait_sequences" / "openstack_parisakalaki", days)
        own = pool.map(ours, found)
        others = {name: pool.map(rule, found) for name, rule in peers.items()}
        judged = list(own)
        told = {"ours": [alarms for alarms, _ in judged], **{name: list(one) for name, one in others.items()}}
        report.raw["requests"] = asked.result()
    parts = {"for choices": True, "for reading only": False}
    rows = []
    for part, chosen in parts.items():
        places = [n for n, system in enumerate(found) if (system.name in CHOSEN) == chosen]
        here = [found[n] for n in places]
        for name, alarms in told.items():
            for least in SCORES if name == "ours" else (SCORE,):
                line = scored(here, [alarms[n] for n in places], least)
                label = f"{name}, score {least:g}" if name == "ours" else name
                report.raw.setdefault(part, {})[label] = line
                rows.append([part, label, *_cells(line)])
        line = report.raw[part][f"ours, score {SCORE:g}"]
        best = min(report.raw[part][name]["false_alarms_a_day"] for name in peers)
        report.add(
            Figure(f"{part}: faults found", line["recall"], "", Within(least=0.9)),
            Figure(
                f"{part}: false alarms a day and node",
                line["false_alarms_a_day"],
                "",
                0.5,
                "",
                None,
                {"best peer": f"{best:.2f}"},
            ),
        )
    incidents = report.raw["requests"]
    report.add(
        Figure(
            "requests: incidents found", incidents["ours"]["found"] / incidents["incidents"], "", Within(least=0.95)
        ),
        Figure("requests: false windows a day", incidents["ours"]["false_windows_a_day"], "", 1.0),
        Figure("cost of a tick of one system", 1e3 * float(np.mean([spent for _, spent in judged])), "ms"),
    )
    header = ["systems", "rule", "recall", "precision", "false a day", *(f"{kind}: found, after" for kind in FAULTS)]
    report.tables.append(Table("Faults found in a week, and false alarms", header, rows))


def _cells(line: dict[str, Any]) -> list[str]:
    kinds = [
        f"{line['recall_by_kind'][kind]:.2f}, {line['median_seconds'].get(kind, float('nan')):.0f} s" for kind in FAULTS
    ]
    precision = "-" if line["precision"] is None else f"{line['precision']:.3f}"
    return [f"{line['recall']:.3f}", precision, f"{line['false_alarms_a_day']:.2f}", *kinds]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all, print the tables, write JSON; 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.log_anomalies", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of loghub and ait_sequences")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON file")
    parser.add_argument("--quick", action="store_true", help="half of the systems, of the templates, of the days")
    options = parser.parse_args(arguments)
    report = Report("log_anomalies", describe(options.data, {}), quick=options.quick)
    run(report, options.data)
    report.finish(options.results)
    return 1 if report.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
