"""Which conditions of the table of diagnoses hold now, said once when they begin and once when they end."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from collector.nvml.codes import GPU_IS_LOST, RESET_REQUIRED
from collector.nvml.health.diagnosis import DIAGNOSES, FABRIC_FAULTS, RECOVERY_ACTIONS
from collector.nvml.health.expected import KnownGpu
from collector.series import Sample, SeriesKey
from forewarn.base.clock import Clock, rfc3339
from forewarn.base.words import duration, quantity

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 86_400.0
"""A whole day: a model server may well be idle for a night."""
_LEVELS: Final = {"critical": logging.ERROR, "warning": logging.WARNING, "hint": logging.INFO}
_BY_CODE: Final = {GPU_IS_LOST: "gpu_lost", RESET_REQUIRED: "gpu_reset_required"}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A condition and the GPU that it is about; index and UUID are empty where it is about all of them."""

    condition: str
    gpu: str = ""
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A metric that shows a condition.

    Attributes:
        metric: its name.
        shows: whether a value shows it.
        condition: the condition.
        after: seconds for which it must have been shown.
        anew: whether only a series counts that has shown the contrary since the start.
        tells: the particulars.
    """

    metric: str
    shows: Callable[[float], bool]
    condition: str
    after: float = 0.0
    anew: bool = False
    tells: Callable[[SeriesKey, float], str] = lambda *_: ""


def _who(key: SeriesKey, idle: float) -> str:
    words = [key.label("command"), *(key.label(label) for label in ("user", "unit", "container", "pod_uid"))]
    return f"{', '.join(word for word in words if word)} for {duration(idle)}"


def _link(key: SeriesKey, _: float) -> str:
    return f"link {key.label('link')}"


def _named(names: Mapping[int, str]) -> Callable[[SeriesKey, float], str]:
    return lambda _, value: names.get(int(value), f"number {value:.0f}")


def _bytes(_: SeriesKey, value: float) -> str:
    return quantity(value, "bytes")


def _some(value: float) -> bool:
    return value > 0


def _none(value: float) -> bool:
    return value == 0


def _is(number: int) -> Callable[[float], bool]:
    return lambda value: value == number


EVIDENCE: Final = (
    Evidence("forewarn_gpu_recovery_action", _some, "recovery_needed", tells=_named(RECOVERY_ACTIONS)),
    Evidence("forewarn_gpu_nvlink_up", _none, "nvlink_down", after=15, anew=True, tells=_link),
    Evidence("forewarn_gpu_fabric_health", _is(2), "fabric_unhealthy"),
    Evidence("forewarn_gpu_fabric_health", _is(3), "fabric_limited"),
    Evidence("forewarn_gpu_fabric_misconfigured", _some, "fabric_misconfigured", tells=_named(FABRIC_FAULTS)),
    Evidence("forewarn_gpu_sram_ecc_threshold_exceeded", _some, "sram_errors"),
    Evidence("forewarn_gpu_remapped_rows_failure", _some, "row_remap_failed"),
    Evidence("forewarn_gpu_remapped_rows_pending", _some, "row_remap_pending"),
    Evidence("forewarn_gpu_persistence_mode", _none, "persistence_off"),
    Evidence("forewarn_gpu_process_list_invalid", _some, "process_list_invalid", after=60),
    Evidence("forewarn_gpu_dead_process_memory_bytes", _some, "dead_process_memory", after=60, tells=_bytes),
    Evidence("forewarn_gpu_process_idle_seconds", lambda value: value >= IDLE_SECONDS, "process_idle", tells=_who),
)

Newest = Callable[[str], Iterable[tuple[SeriesKey, float]]]
"""Newest values of a metric, by its name; none that are old."""


def of_missing(missing: Iterable[KnownGpu], codes: Mapping[str, int]) -> dict[Place, str]:
    """Why known GPUs do not answer, by the error numbers of those that are there but fail (by index)."""
    found = {}
    for gpu in missing:
        code = codes.get(gpu.gpu)
        condition = "gpu_missing" if code is None else _BY_CODE.get(code, "gpu_error")
        facts = [f"PCI {gpu.pci_bus_id}" if gpu.pci_bus_id else "", "" if code is None else f"error {code}"]
        found[Place(condition, gpu.gpu, gpu.uuid)] = ", ".join(fact for fact in facts if fact)
    return found


class Conditions:
    """The conditions that hold, since when, with what particulars.

    Args:
        clock: the time.
        newest: looks metrics up.
    """

    def __init__(self, clock: Clock, newest: Newest = lambda _: ()) -> None:
        self._clock = clock
        self._newest = newest
        self._now: dict[Place, str] = {}
        self._since: dict[Place, int] = {}
        self._shown_since: dict[Place, float] = {}
        self._ever: set[Place] = set()
        self._contrary: set[SeriesKey] = set()

    def update(self, found: Mapping[Place, str]) -> None:
        """Take what was found this round, with its particulars, and add what metrics show."""
        self._change({**found, **self._shown()})

    def add(self, found: Mapping[Place, str]) -> None:
        """Take what was found while nothing is known of the rest: it stays as it was."""
        self._change({**self._now, **found})

    def end(self, condition: str) -> None:
        """A condition of the node as a whole holds no longer; of the rest nothing is known."""
        self._change({place: detail for place, detail in self._now.items() if place != Place(condition)})

    def _change(self, now: dict[Place, str]) -> None:
        for place in now.keys() - self._now.keys():
            self._since[place] = self._clock.now_ms()
            _say(place, now[place])
        for place in self._now.keys() - now.keys():
            del self._since[place]
            log.info("no longer so: %s", DIAGNOSES[place.condition].meaning, extra=_facts(place))
        self._now = now
        self._ever |= now.keys()

    def samples(self) -> list[Sample]:
        """1 for each condition that holds, 0 for those that have held since the start."""
        return [
            Sample(
                SeriesKey.of("forewarn_gpu_diagnosis", condition=place.condition, gpu=place.gpu, uuid=place.uuid),
                float(place in self._now),
            )
            for place in self._ever
        ]

    def rows(self) -> list[dict[str, Any]]:
        """The conditions that hold as JSON, the gravest first."""
        order = list(DIAGNOSES)
        return [
            {
                "condition": place.condition,
                "severity": DIAGNOSES[place.condition].severity,
                "gpu": place.gpu or None,
                "uuid": place.uuid or None,
                "since": rfc3339(self._since[place]),
                "meaning": DIAGNOSES[place.condition].meaning,
                "detail": self._now[place],
                "next_step": DIAGNOSES[place.condition].next_step,
            }
            for place in sorted(self._now, key=lambda place: (order.index(place.condition), place))
        ]

    def _shown(self) -> dict[Place, str]:
        """What metrics show, and have shown for long enough."""
        now = self._clock.monotonic()
        shown: dict[Place, tuple[list[str], float]] = {}
        for evidence in EVIDENCE:
            for key, value in self._newest(evidence.metric):
                if self._shows(evidence, key, value):
                    place = Place(evidence.condition, key.label("gpu"), key.label("uuid"))
                    shown.setdefault(place, ([], now - evidence.after))[0].append(evidence.tells(key, value))
        self._shown_since = {place: self._shown_since.get(place, now) for place in shown}
        return {
            place: "; ".join(filter(None, told))
            for place, (told, due) in shown.items()
            if self._shown_since[place] <= due
        }

    def _shows(self, evidence: Evidence, key: SeriesKey, value: float) -> bool:
        shows = evidence.shows(value)
        if not evidence.anew:
            return shows
        if not shows:
            self._contrary.add(key)
        return shows and key in self._contrary


def _say(place: Place, detail: str) -> None:
    row = DIAGNOSES[place.condition]
    what = f"{row.meaning} ({detail})" if detail else row.meaning
    log.log(_LEVELS[row.severity], "%s: %s", what, row.next_step, extra=_facts(place))


def _facts(place: Place) -> dict[str, object]:
    facts = {"condition": place.condition, "gpu": place.gpu, "uuid": place.uuid}
    return {name: fact for name, fact in facts.items() if fact}
