"""Figures with their targets: a table on the screen, JSON in bench/results."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table as RichTable

RESULTS = Path(__file__).parent / "results"
WIDE = 240
"""Characters of a line where the tables do not go to a terminal."""
_console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Within:
    """Where a number is to lie, ends included; None is no end."""

    least: float | None = None
    most: float | None = None

    def holds(self, value: float | None) -> bool:
        """Whether a number lies there; one that could not be measured does not."""
        if value is None:
            return False
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def words(self, unit: str) -> str:
        """For a table."""
        after = f" {unit}" if unit else ""
        if self.least is None or self.most is None:
            return f"<= {shown(self.most)}{after}" if self.least is None else f">= {shown(self.least)}{after}"
        return f"{shown(self.least)} to {shown(self.most)}{after}"


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        name: what was measured.
        value: the number, None where it could not be measured.
        unit: of the number and of the target.
        target: the largest number that will do, or where it is to lie; None for a number that is only told.
        note: under which conditions, or why there is none.
        stretch: where it is to lie at best.
        beside: other columns of the table, for instance a peer's number.
    """

    name: str
    value: float | None
    unit: str
    target: float | Within | None = None
    note: str = ""
    stretch: Within | None = None
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def within(self) -> Within | None:
        """Where the number is to lie."""
        return self.target if self.target is None or isinstance(self.target, Within) else Within(most=self.target)

    @property
    def reached(self) -> bool | None:
        """Whether the number is within its target; None where there is nothing to reach."""
        return None if self.within is None else self.within.holds(self.value)

    @property
    def stretched(self) -> bool:
        """Whether it is as good as can be hoped for."""
        return self.stretch is not None and self.stretch.holds(self.value)


@dataclass(frozen=True)
class Table:
    """More about the figures."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Report:
    """What a run has found.

    Attributes:
        tables: more about the figures, for people.
        raw: everything that the figures were made from, by part.
    """

    benchmark: str
    machine: Mapping[str, Any]
    quick: bool
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)

    def add(self, *figures: Figure) -> None:
        """Note figures, and show them at once."""
        self.figures += figures
        for figure in figures:
            say(f"  {figure.name}: {shown(figure.value)} {figure.unit}")

    @property
    def missed(self) -> list[Figure]:
        """Figures that are not within their targets."""
        return [figure for figure in self.figures if figure.reached is False]

    def to_dict(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            "benchmark": self.benchmark,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": " ".join(["python", "-m", f"bench.{self.benchmark}", *(Path(one).name for one in sys.argv[1:])]),
            "quick": self.quick,
            "machine": self.machine,
            "figures": [
                {**asdict(figure), "reached": figure.reached, "stretched": figure.stretched} for figure in self.figures
            ],
            "tables": [asdict(table) for table in self.tables],
            "raw": self.raw,
        }

    def finish(self, folder: Path = RESULTS) -> Path:
        """Show the table and write the file, of a quick run beside those of whole runs; where it lies."""
        show(self.figures)
        for table in self.tables:
            _print(table)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.benchmark}{'-quick' if self.quick else ''}.json"
        options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
        path.write_bytes(orjson.dumps(self.to_dict(), option=options))
        say(f"written to {path}")
        return path


def say(text: str) -> None:
    """A line about the progress."""
    _console.print(text, markup=False)


def shown(value: float | None) -> str:
    """A number for people: three digits that count."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show(figures: Sequence[Figure]) -> None:
    """The table on the screen."""
    _print(figures_table([{**asdict(one), "reached": one.reached, "stretched": one.stretched} for one in figures]))


def figures_table(figures: Sequence[Mapping[str, Any]]) -> Table:
    """Figures as they are written down, in columns; those beside them where there are any."""
    beside = list(dict.fromkeys(name for one in figures for name in one.get("beside", ())))
    stretching = any(one.get("stretch") for one in figures)
    rows = []
    for one in figures:
        unit = one["unit"]
        measured = f"{shown(one['value'])} {unit}".rstrip() if one["value"] is not None else "-"
        goals = [_words(one["target"], unit)] + ([_words(one.get("stretch"), unit)] if stretching else [])
        word = _REACHED[one["reached"]] if not one.get("stretched") else "yes, stretch"
        rows.append(
            [one["name"], measured, *goals, *(one["beside"].get(name, "") for name in beside), word, one["note"]]
        )
    return Table(
        "", ["figure", "measured", "reach", *(["stretch"] if stretching else []), *beside, "reached", "remark"], rows
    )


_REACHED = {True: "yes", False: "**no**", None: ""}


def _words(goal: float | Mapping[str, float | None] | None, unit: str) -> str:
    if goal is None:
        return ""
    return (Within(**goal) if isinstance(goal, Mapping) else Within(most=goal)).words(unit)


def _print(table: Table) -> None:
    drawn = RichTable(*table.header, title=table.title or None, title_justify="left")
    for row in table.rows:
        drawn.add_row(*row)
    Console(width=None if sys.stdout.isatty() else WIDE).print(drawn)
