"""The watch over one data set: its templates in rows, what is usual of them, what is not."""

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forewarn.base.clock import HOUR
from logship.anomalies.rates import WHOLE, Finding, Kind, Rates
from logship.anomalies.silence import Silence
from logship.anomalies.usual import DAY_HOURS, KEPT, MOST_ROWS, TICK_MS, Usual
from logship.engine.documents import Int64

_ALL = -1
"""Stands for the data set where a template's id is asked for."""


class DatasetWatch:
    """Rates and gaps of one data set's templates; the thousand that are seen most.

    Args:
        learning: seconds from its first tick on in which all is taken to be usual.
        now_ms: the first tick.
    """

    def __init__(self, learning: float, now_ms: int) -> None:
        self.since_ms = now_ms
        self._learning_ms = round(learning * 1000)
        self._rows: dict[int, int] = {_ALL: WHOLE}
        self._templates = [_ALL]
        self._since = np.zeros(MOST_ROWS, np.int64)
        self._since[WHOLE] = now_ms
        self.usual = Usual.nothing()
        self._rates = Rates(self.usual)
        self._silence = Silence.nothing()
        self._tick = _tick(now_ms)
        self._silence.begin(WHOLE, self._tick)
        self._around = self.usual.around(now_ms, 1)

    def learning(self, now_ms: int) -> bool:
        """Whether it is too early to judge."""
        return now_ms - self.since_ms < self._learning_ms

    def tick(
        self, now_ms: int, ids: Int64, counts: Int64, *, current: bool = True, upset: Collection[int | None] = ()
    ) -> list[Finding]:
        """Take in the lines of a tick, and say what is unusual now; rows are templates, see ``template``.

        Args:
            now_ms: end of the tick.
            ids: templates with lines.
            counts: lines of each.
            current: whether these lines were written in the tick; they were not while old ones are caught up with.
            upset: templates of which something unusual goes on; None stands for the data set.
        """
        number = self._tick = _tick(now_ms)
        rows = np.array([self._row(template, now_ms, number) for template in ids.tolist()], np.int64)
        known = len(self._templates)
        lines = np.zeros(known)
        np.add.at(lines, rows[rows >= 0], counts[rows >= 0])
        lines[WHOLE] = counts.sum()
        expected = self.usual.expected(now_ms - TICK_MS // 2, known)
        off = np.zeros(known, np.bool_)
        off[[row for template in upset if (row := self.row(template)) is not None]] = True
        self._rates.tick(now_ms, lines, expected, current=current, upset=off)
        if not current:
            self._silence.rest(number, known)
            return []
        self._silence.tick(number, lines, expected)
        around = self._around = self.usual.around(now_ms - TICK_MS // 2, known)
        judged = self._judged(now_ms, known)
        if not judged.any():
            return []
        return [*self._rates.judge(around, judged), *self._silence.judge(number, around.steady, judged)]

    def held(self, template: int | None, kind: Kind) -> bool:
        """Whether what was found of a template's rate goes on."""
        row = self.row(template)
        if row is None:
            return False
        if kind in {"source_silent", "heartbeat_missing"}:
            return self._silence.held(row, self._tick)
        return self._rates.held(row, kind, self._around)

    def template(self, row: int) -> int | None:
        """The template of a row; None where it is the data set's."""
        return None if row == WHOLE else self._templates[row]

    def row(self, template: int | None) -> int | None:
        """The row of a template, where it has one."""
        return self._rows.get(_ALL if template is None else template)

    def move(self, merged: Mapping[int, int]) -> None:
        """Templates were merged: what is known of one that had lines before goes to the other."""
        for old, new in merged.items():
            row = self._rows.pop(old, None)
            if row is None:
                continue
            into = self._rows.get(new)
            if into is None:
                self._rows[new], self._templates[row] = row, new
            else:
                self.usual.join(row, into)
                self._since[into] = min(self._since[into], self._since[row])
                self._free(row)

    def _judged(self, now_ms: int, rows: int) -> NDArray[np.bool_]:
        if self.learning(now_ms):
            return np.zeros(rows, np.bool_)
        old = now_ms - self._since[:rows] >= self._learning_ms
        known: NDArray[np.bool_] = old & (
            self.usual.hour_seen[:rows] >= np.clip(self._learning_ms // HOUR, 1, DAY_HOURS)
        )
        return known

    def _row(self, template: int, now_ms: int, number: int) -> int:
        row = self._rows.get(template)
        if row is not None:
            return row
        row = len(self._templates)
        if row < MOST_ROWS:
            self._templates.append(template)
        else:
            row = self._rarest(number)
            del self._rows[self._templates[row]]
            self._templates[row] = template
        self._rates.clear(row)
        self._silence.begin(row, number)
        self._rows[template], self._since[row] = row, now_ms
        return row

    def _rarest(self, number: int) -> int:
        """The row that loses least: seldom, and not for long."""
        often = self.usual.hour[1:] + 1 / (1.0 + number - self._silence.last[1:])
        return 1 + int(np.argmin(often))

    def _free(self, row: int) -> None:
        """A row whose template is no more: it is the first to be taken."""
        self._templates[row] = -2 - row
        self._rows[-2 - row] = row
        self._rates.clear(row)
        self._silence.clear(row)

    def save(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What it knows, as JSON and as arrays."""
        rows = len(self._templates)
        arrays = {f"usual.{name}": getattr(self.usual, name)[:rows] for name in KEPT}
        arrays |= {f"silence.{field.name}": getattr(self._silence, field.name)[:rows] for field in fields(Silence)}
        return {"since_ms": self.since_ms, "templates": self._templates}, {**arrays, "since": self._since[:rows]}

    @classmethod
    def load(
        cls, learning: float, now_ms: int, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
    ) -> "DatasetWatch":
        """A watch that goes on where the one that was saved had been; it is not known what was written since.

        Raises:
            KeyError, ValueError: what was saved is not whole.
        """
        watch = cls(learning, about["since_ms"])
        rows = len(about["templates"])
        watch._templates = list(about["templates"])
        watch._rows = {template: row for row, template in enumerate(watch._templates)}
        watch._since[:rows] = arrays["since"]
        for name in KEPT:
            getattr(watch.usual, name)[:rows] = arrays[f"usual.{name}"]
        for field in fields(Silence):
            getattr(watch._silence, field.name)[:rows] = arrays[f"silence.{field.name}"]
        watch._tick = _tick(now_ms)
        watch._silence.rest(watch._tick, rows)
        watch._around = watch.usual.around(now_ms, rows)
        return watch


def _tick(now_ms: int) -> int:
    return now_ms // TICK_MS
