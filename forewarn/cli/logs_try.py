"""forewarn logs try."""

import socket
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forewarn.cli.logs_files import STANDARD_INPUT, pieces
from forewarn.cli.options import ConfigOption, JsonOption, load
from forewarn.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from logship.shaping.trial import Tried

READ_BYTES = 1 << 20
_LONGEST = 160
"""Characters of a text in the table."""


def try_file(
    file: Annotated[Path, typer.Argument(help="A log file, plain or compressed; - is standard input.", metavar="FILE")],
    *,
    dataset: Annotated[str | None, typer.Option(help="Data set of its documents.", metavar="NAME")] = None,
    limit: Annotated[int, typer.Option(help="Documents to show.", min=1, metavar="N")] = 20,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show what the first lines of a file would become: nothing is sent, nothing is kept.

    The settings are those of the [[logs.file]] whose path matches, else what every file gets. Masked text shows as
    asterisks; the notes say by which rule, which lines were joined, and where a line names no time.
    """
    from forewarn.base.clock import SystemClock
    from forewarn.base.errors import UsageError
    from logship.shaping.trial import settings_of, tried

    settings = load(config).logs
    path = Path("/dev/stdin") if str(file) == STANDARD_INPUT else file.absolute()
    try:
        chosen = settings_of(path, settings, dataset)
    except ValueError as error:
        hint = "a small letter or digit, then at most 99 of those, dots and underscores"
        raise UsageError(f"--dataset: {dataset!r} is no name of a data set", hint=hint) from error
    text = next(pieces(file, READ_BYTES), b"")
    found = tried(path, text, settings, chosen, hostname=socket.gethostname(), clock=SystemClock())
    documents = list(islice(found, limit))
    if json:
        print_json([one.source for one in documents])
        return
    say(f"{path} goes to {settings.stream_of(chosen)}")
    if not documents:
        say("It holds no lines." if not text else "Its lines hold no text.")
        return
    print_table(("time", "level", "text", "template", "notes"), [_row(one) for one in documents])


def _row(one: "Tried") -> tuple[str, ...]:
    document: dict[str, Any] = one.source
    text = document.get("message", "").partition("\n")[0]
    return (
        document["@timestamp"] if one.timed else "-",
        document["log"].get("level", "-"),
        _short(text),
        _short(one.template),
        ", ".join(_notes(one)),
    )


def _notes(one: "Tried") -> list[str]:
    document = one.source
    notes = [] if one.timed else ["no time: takes that of reading"]
    if one.lines > 1:
        notes.append(f"{one.lines} lines")
    if "flags" in document["log"]:
        notes.append("goes on in the next")
    if "json" in document:
        notes.append(f"JSON, {len(document['json'])} fields")
    if "type" in document.get("error", {}):
        notes.append(f"error {document['error']['type']}")
    return notes + [f"masked by {name}" for name in one.masked]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
