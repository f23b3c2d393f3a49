"""forewarn logs anomalies, and the templates that a running shipper knows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from forewarn.cli.logs_data import shipper_dir
from forewarn.cli.options import DataDirOption, JsonOption
from forewarn.cli.output import print_json, print_table
from forewarn.cli.reading import moment_of

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
SHOWN = 50
"""Templates in the table."""
LONGEST = 200
"""Characters of a line in the table."""


def anomalies(
    *,
    data_dir_: DataDirOption = None,
    since: Annotated[str | None, typer.Option(help="Those seen since: an age such as 90m or 7d, or a time.")] = None,
    json: JsonOption = False,
) -> None:
    """What has been unusual in the logs that this node ships: new kinds of lines, jumps, silences, broken requests.

    A score is 1 less the number of such anomalies that chance brings a day.
    """
    from forewarn.base.clock import SystemClock, parse_time
    from logship.anomalies.reading import rows

    found = _read(rows, shipper_dir(data_dir_))
    if since is not None:
        first_ms = moment_of(since, SystemClock().now_ms(), "--since")
        found = [one for one in found if one["ended"] is None or parse_time(one["seen"]) >= first_ms]
    if json:
        print_json(found)
    elif not found:
        print("nothing unusual")
    else:
        columns = ("began", "over", "score", "kind", "data set", "what")
        print_table(columns, [_row(one) for one in found])


def live_templates(directory: Path | None, *, json: bool) -> None:
    """What the templates say that the log shipper of a data directory knows."""
    from forewarn.base.errors import ForewarnError
    from logship.anomalies.reading import templates

    found = _read(templates, shipper_dir(directory))
    if found is None:
        raise ForewarnError("no log templates are known yet", hint="does 'forewarn run' ship logs, with this data dir?")
    if json:
        print_json(found)
        return
    rows = sorted(found["templates"], key=lambda one: (-one["lines"], one["id"]))
    columns = ("id", "lines", "level", "last seen", "template")
    print_table(
        columns,
        [
            (str(one["id"]), f"{one['lines']:,}", one["level"] or "", one["last_seen"], one["template"])
            for one in rows[:SHOWN]
        ],
    )
    rest = f", the {SHOWN} most frequent shown; see --json" if len(rows) > SHOWN else ""
    print(f"{len(rows):,} templates as of {found['time']}{rest}")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    over = one["ended"] or "goes on"
    kind = one["kind"].replace("_", " ")
    return (one["started"], over, f"{one['score']:.4f}", kind, one["dataset"], _what(one))


def _what(one: dict[str, Any]) -> str:
    """What happened, and the line that it is about, unless that is said already."""
    text, example = (" ".join(each.split()) for each in (one["text"], next(iter(one["examples"]), "")))
    parts = [one["reason"]]
    if text and text not in one["reason"]:
        parts.append(_short(text))
    if example and example != text:
        parts.append(f"such as: {_short(example)}")
    return "\n".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _read(read: "Callable[[Path], T]", directory: Path) -> T:
    from forewarn.base.errors import ForewarnError

    try:
        return read(directory)
    except OSError as error:
        hint = "run this as the user that Forewarn runs as"
        raise ForewarnError(f"cannot read {directory}: {error.strerror}", hint=hint) from error
