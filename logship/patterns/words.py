"""What a single word of a message is, and how much it speaks for a variable at its place.

The weights follow how often a word of its kind is a value rather than part of the sentence: words that describe a
state are kept apart, names are not.
"""

import re
from functools import lru_cache

HOLE = "<*>"
_KNOWN = 1 << 15
"""Words of which it is remembered what they are."""

WEIGHT_OF_HOLE = 3.0
WEIGHT_OF_NAME = 2.0
WEIGHT_OF_NUMBERED = 1.2
WEIGHT_OF_WORD = 1.0
WEIGHT_OF_CAPITALS = 0.7
WEIGHT_OF_VERB = 0.4

STATES = frozenset(
    (  # noqa: SIM905 - a hundred lines of one word each read badly
        "aborted absent accepted acquire acquired active add added after allowed attached available "
        "before begin busy canceled cancelled close closed closing completed connect connected connecting "
        "create created creating critical debug delete deleted deleting denied detached disable disabled "
        "disconnect disconnected disconnecting down enable enabled end error fail failed failure false "
        "fatal first get granted head high idle in inactive info input invalid "
        "known last left lock locked low max min mounted no normal off "
        "offline ok okay on online open opened opening options out output patch "
        "paused pending post present put read reading ready rejected release released remove "
        "removed resumed right running start started starting stop stopped stopping succeeded success "
        "successful successfully suspended true unavailable unknown unlock unlocked unmounted up valid warning "
        "write writing yes "
    ).split()
)
"""Words of small closed sets: a change from one to another is news, so they never speak for a variable."""

_NUMBERED = re.compile(r"[A-Za-z]{2,6}\d|\d?[A-Za-z]{2,6}")
_FAILURE = re.compile(r"(?:\w+[.$])*\w*(?:Exception|Error)")
_VERB = re.compile(r"(?:[-\w]*[-_])?[A-Za-z]+(?:ed|ing)(?:[-_][-\w]*)?")
"""``deleting``, and what a task is called by: ``powering-off``, ``image_uploading``."""
_CAPITALS = re.compile(r"[A-Z][A-Z_]+")
_PLAIN = re.compile(r"[A-Za-z]+(?:'[a-z]+)?[.!?]*")
_VARIABLE = re.compile(r".*\d|/|[^/]*/[^/]*/")
_KEPT = re.compile(r"[A-Za-z]{2,6}\d")


@lru_cache(maxsize=_KNOWN)
def is_variable(word: str) -> bool:
    """Whether a word is a value by its looks: it holds a digit or is a path. ``eth0`` is a word."""
    return _VARIABLE.match(word) is not None and _KEPT.fullmatch(word) is None


@lru_cache(maxsize=_KNOWN)
def is_numbered(word: str) -> bool:
    """Whether a word is a short one with a digit behind, such as ``eth0``."""
    return _KEPT.fullmatch(word) is not None


@lru_cache(maxsize=_KNOWN)
def is_failure(word: str) -> bool:
    """Whether a word names an exception class: those are never taken for a value."""
    return word.endswith(("Exception", "Error")) and _FAILURE.fullmatch(word) is not None


def weight_of(word: str) -> float:  # noqa: PLR0911 - a table of kinds, the first that fits
    """How much a value at some place speaks for a variable there; 0 for one that never does."""
    if word == HOLE:
        return WEIGHT_OF_HOLE
    if word[0] in "\"'":
        constants = word[1:-1].replace(HOLE, "").split()
        return 0.0 if all(part.lower() in STATES for part in constants) else WEIGHT_OF_NAME
    if word.lower().rstrip(".!?") in STATES or is_failure(word):
        return 0.0
    if _VERB.fullmatch(word):
        return WEIGHT_OF_VERB
    if _CAPITALS.fullmatch(word):
        return WEIGHT_OF_CAPITALS
    if _PLAIN.fullmatch(word):
        return WEIGHT_OF_WORD
    if _NUMBERED.fullmatch(word):
        return WEIGHT_OF_NUMBERED
    return WEIGHT_OF_NAME


def is_name(word: str) -> bool:
    """Whether a word has the shape of an identifier: dots, underscores, hyphens, two alphabets mixed."""
    return word != HOLE and weight_of(word) == WEIGHT_OF_NAME
