"""forewarn logs dead, replay: what Elasticsearch refused, and sending it again."""

import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forewarn.cli.logs_data import shipper_dir
from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, load
from forewarn.cli.output import print_json, print_table, progress, say

if TYPE_CHECKING:
    from logship.settings import LogsSettings
    from logship.spool.letters import DeadLetters, Letter
    from logship.spool.replay import Outcome

_SHOWN = 120
"""Characters of a reason in the table."""

ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Only those whose error's type or text contains this.")
]
SinceOption = Annotated[str | None, typer.Option("--since", help="Only those refused since: 90m, 7d, or a time.")]


def dead(
    *,
    config: ConfigOption = None,
    data_dir_: DataDirOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    json: JsonOption = False,
) -> None:
    """Show the documents that Elasticsearch refused: how many, why, and an example of each reason."""
    from logship.spool.replay import by_reason, choice

    letters = _open(load(config).logs, data_dir_)
    chosen = choice(reason, _moment(since))
    found = (letter for letter in (letters.letters() if letters else ()) if chosen(letter))
    if json:
        print_json([_as_json(letter) for letter in found])
        return
    rows = by_reason(found)
    if not rows:
        say("No documents were refused.")
        return
    print_table(
        ("documents", "error", "newest", "data stream", "reason"),
        [
            (str(count), kind, newest.time, newest.index, " ".join(newest.reason.split())[:_SHOWN])
            for kind, count, newest in rows
        ],
    )
    say("Mend what is wrong (the mapping, mostly), then run 'forewarn logs replay'.")


def replay(
    *,
    config: ConfigOption = None,
    data_dir_: DataDirOption = None,
    reason: ReasonOption = None,
    since: SinceOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be sent, and send nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Send refused documents again, after what was wrong has been mended.

    What arrives is removed; what is refused again stays, with its new reason. The shipper may run meanwhile.
    """
    import random

    from forewarn.base.clock import SystemClock
    from forewarn.base.errors import ConfigError
    from logship.delivery.bulk import Bulk
    from logship.spool.replay import Outcome, Replay, choice

    settings = load(config).logs
    letters, chosen = _open(settings, data_dir_), choice(reason, _moment(since))
    if dry_run:
        _tell(Outcome(left=sum(map(chosen, letters.letters())) if letters else 0), dry_run=True, json=json)
        return
    if not settings.url:
        raise ConfigError("no Elasticsearch is configured", hint="set [logs] url")
    if letters is None:
        _tell(Outcome(), dry_run=False, json=json)
        return
    work = Replay(
        letters,
        Bulk(settings),
        clock=SystemClock(),
        chance=random.SystemRandom(),
        gzip=settings.gzip,
        stopping=threading.Event(),
    )
    with progress("sending") as told:
        outcome = work.run(chosen, told)
    _tell(outcome, dry_run=False, json=json)
    if outcome.refused:
        raise typer.Exit(1)


def _open(settings: "LogsSettings", data_dir_: Any) -> "DeadLetters | None":
    """The refused documents; None, and nothing is made, where there never were any."""
    from forewarn.base.clock import SystemClock
    from logship.errors import SpoolKeyError
    from logship.spool.keys import KeyRing, is_there
    from logship.spool.letters import OLD_NAME, DeadLetters, has_segments

    path = shipper_dir(data_dir_)
    if not has_segments(path):
        if not (path / OLD_NAME).exists():
            return None
    elif not is_there(settings.spool, path):
        raise SpoolKeyError(
            f"the key of the refused documents in {path} is not given",
            hint="set CREDENTIALS_DIRECTORY=/run/credentials/forewarn-logship.service, as root",
        )
    return DeadLetters(path, settings.dead_letter_bytes, KeyRing(settings.spool, path), SystemClock())


def _moment(since: str | None) -> str | None:
    from forewarn.base.clock import SystemClock, rfc3339
    from forewarn.cli.reading import moment_of

    return None if since is None else rfc3339(moment_of(since, SystemClock().now_ms(), "--since"))


def _as_json(letter: "Letter") -> dict[str, Any]:
    names = ("time", "status", "type", "reason", "index", "id")
    return {name: getattr(letter, name) for name in names} | {"document": letter.document}


def _tell(outcome: "Outcome", *, dry_run: bool, json: bool) -> None:
    if json:
        print_json(
            {"would_send": outcome.left}
            if dry_run
            else {
                "arrived": outcome.arrived,
                "already_there": outcome.there,
                "failure_store": outcome.aside,
                "refused": dict(outcome.refused),
                "not_sent": outcome.left,
            }
        )
    elif dry_run:
        print(f"{outcome.left} document{'' if outcome.left == 1 else 's'} would be sent")
    else:
        refused = ", ".join(f"{count} {kind}" for kind, count in outcome.refused.most_common())
        print(
            f"{outcome.arrived} arrived, {outcome.there} were there already,"
            f" {outcome.aside} went to the failure store, {outcome.refused.total()} were refused again"
            + (f" ({refused})" if refused else "")
            + (f", {outcome.left} were not asked for" if outcome.left else "")
        )
