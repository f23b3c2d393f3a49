"""Figures with their targets: a table on the screen, JSON in bench/results."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
_console = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        name: what was measured.
        value: the number, None where it could not be measured.
        unit: of the number and of the target.
        target: the largest number that will do, None for a peer's number or one that is only told.
        note: under which conditions, or why there is none.
    """

    name: str
    value: float | None
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the number is within its target; None where there is nothing to reach."""
        if self.target is None:
            return None
        return self.value is not None and self.value <= self.target


@dataclass
class Report:
    """What a run has found.

    Attributes:
        raw: everything that the figures were made from, by part.
    """

    benchmark: str
    machine: Mapping[str, Any]
    quick: bool
    figures: list[Figure] = field(default_factory=list)
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
            "figures": [{**asdict(figure), "reached": figure.reached} for figure in self.figures],
            "raw": self.raw,
        }

    def finish(self, folder: Path = RESULTS) -> Path:
        """Show the table and write the file, of a quick run beside those of whole runs; where it lies."""
        show(self.figures)
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
    table = Table("figure", "measured", "reach", "", "remark")
    words = {True: "[green]reached[/]", False: "[red]missed[/]", None: ""}
    for figure in figures:
        target = "" if figure.target is None else f"<= {shown(figure.target)} {figure.unit}"
        measured = f"{shown(figure.value)} {figure.unit}" if figure.value is not None else "-"
        table.add_row(figure.name, measured, target, words[figure.reached], figure.note)
    Console().print(table)
