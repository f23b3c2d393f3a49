"""forewarn logs templates."""

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from forewarn.cli.logs_anomalies import live_templates
from forewarn.cli.logs_files import STANDARD_INPUT, pieces
from forewarn.cli.options import DataDirOption, JsonOption
from forewarn.cli.output import print_json, print_table, progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from logship.patterns.miner import Miner
    from logship.patterns.template import Template

CHUNK_BYTES = 8 << 20
SHOWN = 50
"""Templates in the table."""


def templates(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Log files, plain or compressed; - is standard input.", metavar="FILE..."),
    ] = None,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write columns line, id, template here: every raw line, numbered from 1 over all files in order, "
            "with the id that it has after all merges.",
            metavar="OUT.csv",
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Mine nothing: show what the running log shipper knows of its templates.")
    ] = False,
    data_dir_: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Find the template of every line, from nothing, in the order given.

    The header of each format is found by itself, and nothing is tuned to a system. A template shows what varies as
    <*>; fields count the values where they are few, such as the states of a device. Id 0 takes what overflows.
    """
    from forewarn.base.errors import UsageError

    if live == bool(files):
        raise UsageError("name log files, or ask for --live", hint="--live shows what the running shipper knows")
    if live:
        live_templates(data_dir_, json=json)
        return
    from logship.patterns.miner import Miner

    miner, given = Miner(), list["NDArray[np.int32]"]()
    with _table(out, files or ()) as table:
        for number, file in enumerate(files or ()):
            with progress(file.name) as bar:
                given += [miner.feed(f"{number}:{file}", chunk) for chunk in pieces(file, CHUNK_BYTES, bar)]
        found = miner.templates()
        if table is not None:
            _write(table, given, miner, {template.id: template.text for template in found})
    if json:
        print_json({"lines": miner.lines, "templates": [_shown(template) for template in found]})
    else:
        _print(found, miner.lines)


@contextlib.contextmanager
def _table(out: Path | None, files: Sequence[Path]) -> Iterator[TextIO | None]:
    """Where the ids go: tried before anything is read, and in its place when all is written; None: nowhere."""
    from forewarn.base.errors import UsageError
    from forewarn.base.files import replacing

    if out is None:
        yield None
        return
    if out.exists() and any(str(file) != STANDARD_INPUT and _is_same(file, out) for file in files):
        raise UsageError(f"--out: {out} is one of the log files", hint="name another file; it is written anew")
    if out.exists() and not out.is_file():
        try:
            with out.open("w", encoding="utf-8", newline="") as device:
                yield device
        except OSError as error:
            raise UsageError(f"--out: {out}: {error.strerror}", hint="name a file that can be written") from error
        return
    with replacing(out.resolve()) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        yield text
        text.detach()


def _is_same(file: Path, out: Path) -> bool:
    return file.exists() and file.samefile(out)


def _write(out: TextIO, given: "list[NDArray[np.int32]]", miner: "Miner", texts: dict[int, str]) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("line", "id", "template"))
    line = 0
    for ids in given:
        for template in miner.resolve(ids).tolist():
            line += 1
            writer.writerow((line, template, texts.get(template, "<*>")))


def _shown(template: "Template") -> dict[str, object]:
    return {
        "id": template.id,
        "count": template.count,
        "template": template.text,
        "examples": template.examples,
        "merged": template.merged,
        "fields": [{"place": place, "values": values} for place, values in template.fields.items()],
    }


def _print(found: "list[Template]", lines: int) -> None:
    rows = sorted(found, key=lambda template: (-template.count, template.id))
    print_table(("id", "lines", "template"), [(str(one.id), f"{one.count:,}", one.text) for one in rows[:SHOWN]])
    rest = f", the {SHOWN} most frequent shown; see --out and --json" if len(rows) > SHOWN else ""
    print(f"{lines:,} lines, {len(rows):,} templates{rest}")
