"""Ordinary faults, row by row: what a shipper loses and sends twice. ``python -m bench.log_faults``."""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.machine import describe
from bench.report import RESULTS, Figure, Report, Table, say
from tests.support.fault_rows import ROWS, CannotBeRunError, Row, run

LINES = 300_100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rows; 1 where a line lacks, is there twice, or stands at another place than its own."""
    parser = argparse.ArgumentParser(prog="python -m bench.log_faults", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help=f"share of {LINES:,} lines (default %(default)s)")
    parser.add_argument("--only", default="", help="rows whose names hold this")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON goes")
    told = parser.parse_args(arguments)
    report = Report("log_faults", describe(Path(tempfile.gettempdir()), {}), told.scale < 1.0 or bool(told.only))
    rows = {row.name: _told(row, told.scale) for row in ROWS if told.only in row.name}
    report.add(_total("lines lost", rows, "lost"), _total("lines there twice", rows, "twice"))
    report.add(_total("documents at another place than their line's", rows, "misplaced"))
    header = ["fault", "lines", "lost", "twice", "misplaced", "faults", "s"]
    report.tables.append(Table("by fault", header, [_row(name, found) for name, found in rows.items()]))
    report.raw["rows"] = rows
    report.finish(told.results)
    return 1 if report.missed or any(row.get("complaints") for row in rows.values()) else 0


def _told(row: Row, scale: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = run(row, Path(folder), scale)
        except CannotBeRunError as error:
            say(f"{row.name:45} not run: {error}")
            return {"not_run": str(error)}
    say(
        f"{row.name:45} {found.lines:7} lines: lost {found.lost}, twice {found.twice}, misplaced {found.misplaced}"
        f" {' '.join(found.complaints)} ({found.faults} faults, {found.seconds} s)"
    )
    return asdict(found)


def _total(name: str, rows: dict[str, dict[str, Any]], what: str) -> Figure:
    """Over all rows that could be run."""
    ran = [row for row in rows.values() if "not_run" not in row]
    return Figure(name, float(sum(row[what] for row in ran)), "", 0.0, f"{len(ran)} of {len(rows)} rows")


def _row(name: str, found: dict[str, Any]) -> list[str]:
    if "not_run" in found:
        return [name, found["not_run"], *[""] * 5]
    return [name, *(str(found[key]) for key in ("lines", "lost", "twice", "misplaced", "faults", "seconds"))]


if __name__ == "__main__":
    raise SystemExit(main())
