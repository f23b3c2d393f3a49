"""forewarn logs spool status, rotate-key."""

from typing import TYPE_CHECKING, Any

import typer

from forewarn.cli.logs_data import shipper_dir
from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from logship.spool.status import Status

app = typer.Typer(no_args_is_help=True, help="What is kept, encrypted, until Elasticsearch takes it.")


@app.command(short_help="What the spool holds and what was lost.")
def status(*, config: ConfigOption = None, data_dir_: DataDirOption = None, json: JsonOption = False) -> None:
    """Show what the spool and the refused documents take, under which keys, and what could not be kept."""
    from forewarn.base.clock import rfc3339
    from logship.spool.status import look

    found = look(load(config).logs, shipper_dir(data_dir_))
    if json:
        print_json(_as_json(found))
        return
    print_table(
        ("", "segments", "bytes", "lines", "oldest", "keys"),
        [
            (
                one.name,
                str(one.segments),
                str(one.bytes),
                str(one.lines),
                rfc3339(one.oldest_ms) if one.oldest_ms is not None else "-",
                ", ".join(one.keys) or "-",
            )
            for one in found.holdings
        ],
    )
    if found.key:
        print(f"key in use: {found.key}, from {found.key_source}")
    for key in found.missing:
        say(f"The key {key} is not given: name its file in logs.spool.old_key_files.")
    if found.losses:
        names = ("time", "reason", "path", "start", "end", "lines", "size")
        print_table(names, [["-" if row[name] is None else str(row[name]) for name in names] for row in found.losses])


@app.command(short_help="Begin to use a new key.")
def rotate_key(*, config: ConfigOption = None, data_dir_: DataDirOption = None, json: JsonOption = False) -> None:
    """Make a new key in the data directory; what lies under the old one is sealed anew.

    A shipper that runs does it within a minute, and forgets the old key then; where none runs it is done at once.
    A key that comes from a credential or a file is replaced there: see docs/spool.md.
    """
    from logship.spool.status import rotate

    done = rotate(load(config).logs, data_dir(data_dir_).path)
    if json:
        print_json({"key": done.key, "sealed_anew": done.finished})
    else:
        print(f"the key in use is {done.key}")
        if not done.finished:
            say("The shipper that runs seals what there is anew within a minute.")


def _as_json(found: "Status") -> dict[str, Any]:
    from forewarn.base.clock import rfc3339

    return {
        "key": found.key,
        "key_source": found.key_source,
        "missing_keys": list(found.missing),
        **{
            one.name: {
                "segments": one.segments,
                "bytes": one.bytes,
                "lines": one.lines,
                "oldest": None if one.oldest_ms is None else rfc3339(one.oldest_ms),
                "keys": list(one.keys),
            }
            for one in found.holdings
        },
        "losses": found.losses,
    }
