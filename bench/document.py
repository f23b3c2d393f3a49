"""docs/benchmarks.md: its tables are made from bench/results.

python -m bench.document [--check]
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from bench.report import RESULTS, Table, figures_table

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BENCHMARKS = (
    "collector", "store", "forecast", "anomalies", "logs", "log_faults", "engine", "spool", "journal", "patterns",
    "log_anomalies",
)  # fmt: skip
_BEGIN, _END = "<!-- results: {} -->", "<!-- end of results: {} -->"


def filled(text: str, results: Path = RESULTS) -> str:
    """The page with the tables of what lies in the folder of results.

    Raises:
        ValueError: a place for a table is missing in the page.
    """
    for name in BENCHMARKS:
        begin, end = _BEGIN.format(name), _END.format(name)
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the page has no place for the results of {name}")
        before, _, rest = text.partition(begin)
        path = results / f"{name}.json"
        found = "\n".join(table(orjson.loads(path.read_bytes()))) if path.exists() else "Not run yet."
        text = f"{before}{begin}\n{found}\n{end}{rest.partition(end)[2]}"
    return text


def table(result: dict[str, Any]) -> Iterator[str]:
    """The lines of one benchmark's result."""
    machine, disk = result["machine"], result["machine"]["disk"]
    yield (
        f"{result['date'][:10]}, `{result['command']}`: {machine['cpu']}, {machine['cores']} cores,"
        f" {machine['memory_mib'] / 1024:.0f} GiB, {disk['device']} ({disk['model']}), {disk['filesystem']},"
        f" Linux {machine['kernel']}, load {machine['load_at_start']} at the start."
    )
    yield ""
    yield "; ".join(f"{name} {version}" for name, version in machine["versions"].items()) + "."
    yield ""
    yield from _drawn(figures_table(result["figures"]))
    for one in result.get("tables", ()):
        yield ""
        yield f"{one['title']}:"
        yield ""
        yield from _drawn(Table(**one))
    for name, picture in result["raw"].get("pictures", {}).items():
        yield ""
        yield f"![{name}](../bench/results/{picture})"


def _drawn(table: Table) -> Iterator[str]:
    yield _row(table.header)
    yield "|" + "---|" * len(table.header)
    yield from (_row(row) for row in table.rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; with --check only compare, and 1 where it is not up to date."""
    parser = argparse.ArgumentParser(prog="python -m bench.document", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail where the page is out of date")
    checking = parser.parse_args(arguments).check
    old = PAGE.read_text(encoding="utf-8")
    new = filled(old)
    if checking:
        return 0 if new == old else 1
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
