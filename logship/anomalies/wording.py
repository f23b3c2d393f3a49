"""What happened, in a sentence without its subject, which is the data set."""

from collections.abc import Mapping, Sequence

from forewarn.base.words import duration, quantity
from logship.anomalies.rates import Finding, Kind
from logship.anomalies.sequences import Broken

KINDS: tuple[Kind, ...] = (
    "new_template",
    "rate_jump",
    "rate_drop",
    "source_silent",
    "heartbeat_missing",
    "request_sequence",
)
MOST_LISTED = 20
MOST_EXAMPLES = 3
_NAMED = 5
_NONE = 0.005
"""Lines in a window, below which none are usual."""


def rate(finding: Finding, template: int | None) -> str:
    """Of a jump, a drop or a silence."""
    lasting = duration(finding.seconds)
    subject = "lines" if template is None else f"lines of template {template}"
    usual = "none" if finding.expected < _NONE else quantity(finding.expected, "")
    if finding.kind == "heartbeat_missing":
        every = duration(round(finding.seconds / finding.expected))
        return f"no line of template {template} for {lasting}; one is usual every {every}"
    if finding.kind == "source_silent":
        return f"no line at all for {lasting}, where {usual} are usual"
    if finding.observed == 1:
        subject = subject.replace("lines", "line", 1)
    return f"{quantity(finding.observed, '')} {subject} in {lasting}, where {usual} are usual at this hour of the week"


def new(templates: Sequence[int], lines: int, seconds: float) -> str:
    """Of templates that were never seen."""
    if len(templates) == 1:
        return f"a new kind of line, template {templates[0]}, came {_times(lines)}"
    named = ", ".join(map(str, templates[:_NAMED])) + (", ..." if len(templates) > _NAMED else "")
    return f"{len(templates)} new kinds of lines within {duration(seconds)}: templates {named}"


def broken(found: Broken, texts: Mapping[int, str]) -> str:
    """Of requests that took an unusual way."""
    share = f"{found.flagged} of the last {found.judged} requests were unlike all known ones"
    if found.step is not None:
        one, other = found.step
        return f'{share}: after template {one} "{texts.get(one, "")}" came {other} "{texts.get(other, "")}"'
    if found.missing:
        lacking = found.missing[0]
        return f'{share}: template {lacking} "{texts.get(lacking, "")}" did not come'
    return f"{share}: some line came more or less often than in any of those"


def _times(lines: int) -> str:
    return "once" if lines == 1 else f"{lines} times"
