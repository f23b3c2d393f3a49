"""forewarn logs sequences."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forewarn.cli.options import JsonOption
from forewarn.cli.output import print_json, print_table, progress

if TYPE_CHECKING:
    from logship.patterns.sequences import EventSequence

SHOWN = 50
"""Flagged sequences in the table."""
SHOWN_EVENTS = 60
"""Characters of a sequence in the table."""
STEP = 1_000


def sequences(
    train: Annotated[Path, typer.Option(help="Sequences from a time when all was well.", metavar="FILE")],
    test: Annotated[Path, typer.Option(help="Sequences to judge.", metavar="FILE")],
    *,
    abnormal: Annotated[
        Path | None,
        typer.Option(help="Abnormal ones, to score against; those of --test are normal then.", metavar="FILE"),
    ] = None,
    rate: Annotated[
        float, typer.Option(help="Share of normal sequences that may be flagged.", min=0.0, max=0.5)
    ] = 0.0025,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Also flag by pairs of events never seen, each rule at the rate.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Flag sequences of events that are unlike all known ones.

    Files hold one sequence on each line, as 'id,1 2 3', 'id,label,1 2 3' or '1 2 3'; labels are normal and abnormal.
    Judged is how often each event occurs. Where there are labels, recall and false positives are printed.
    """
    from logship.patterns.sequences import Known, Verdict, scores

    good, judged, bad = _read(train), _read(test), _read(abnormal) if abnormal else []
    known = Known(good, rate, pairs=pairs)
    cases = [(one, False if abnormal and one.abnormal is None else one.abnormal) for one in judged]
    cases += [(one, True) for one in bad]
    verdicts: list[Verdict] = []
    with progress("sequences") as bar:
        for first in range(0, len(cases), STEP):
            verdicts += known.judge([one for one, _ in cases[first : first + STEP]])
            bar(len(verdicts), len(cases))
    labelled = [(verdict, label) for verdict, (_, label) in zip(verdicts, cases, strict=True) if label is not None]
    scored = scores([verdict for verdict, _ in labelled], [label for _, label in labelled]) if labelled else None
    flagged = [
        {
            "id": one.key,
            "distance": round(verdict.distance, 6),
            "unseen_pairs": round(verdict.unseen, 6),
            "events": " ".join(one.events),
        }
        for verdict, (one, _) in zip(verdicts, cases, strict=True)
        if verdict.flagged
    ]
    if json:
        limits = {"distance": known.distance_limit, "unseen_pairs": known.unseen_limit if pairs else None}
        print_json({"sequences": len(cases), "limits": limits, "flagged": flagged, "scores": scored})
    else:
        _print(flagged, len(cases), scored)


def _read(file: Path) -> "list[EventSequence]":
    from forewarn.base.errors import UsageError
    from logship.patterns.sequences import read_sequences

    try:
        return read_sequences(file.read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{file}: {reason}", hint="name a text file with a sequence on each line") from error


def _print(flagged: Sequence[dict[str, object]], total: int, scored: dict[str, float] | None) -> None:
    rows = sorted(flagged, key=lambda row: (-float(str(row["distance"])), str(row["id"])))[:SHOWN]
    if rows:
        print_table(
            ("id", "distance", "unseen pairs", "events"),
            [
                (str(row["id"]), f"{row['distance']:.3f}", f"{row['unseen_pairs']:.3f}", _cut(str(row["events"])))
                for row in rows
            ],
        )
    print(f"{len(flagged):,} of {total:,} sequences flagged")
    if scored:
        print(", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in scored.items()))


def _cut(events: str) -> str:
    return events if len(events) <= SHOWN_EVENTS else events[: SHOWN_EVENTS - 1] + "…"
