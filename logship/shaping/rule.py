"""What a rule is, and how values are written that several rules mask."""

import re
from dataclasses import dataclass

from logship.shaping.triggers import Trigger

QUOTED = rb"\"((?:[^\"\\]|\\.)*)\"?|'((?:[^'\\]|\\.)*)'?"
IS = rb"\\*[\"']?\s*(?:=>|:=|[:=])\s*"
"""Between a name and its value, also in an object within a text."""
FIELD = rb"(?:\\*[\"']\s*[:=]|\s*=)\s*+"
"""The same behind a name that is no word of a sentence."""
_BARE = rb"[^\s,;&\"'()\[\]{}\\]"
VALUE = (
    IS
    + rb"(?!(?:[Nn]one|null|[Tt]rue|[Ff]alse)\b)(?:(?:\w{1,32}\()?b?(?:"
    + QUOTED
    + rb")|\\+[\"']((?:[^\"'\\]|\\+[^\"'\\]|\\{3}[\"'])+)"
    + rb"|\[([^\s,=\"'()\[\]{}\\]+)\]"
    + rb"|("
    + _BARE
    + rb"(?:"
    + _BARE
    + rb"|\\(?![\"'\\])|&(?![\w.%\[\]-]{1,64}=))*))"
)
"""Ends at a blank, and where the next parameter of an address begins; ``b'x'`` and ``SecretStr('x')`` are quoted."""
PROSE = (
    rb"(?!(?i:is|are|was|were|be|been|has|have|had|must|should|shall|can|cannot|could|may|might|will|would|does|do|did"
    rb"|not|no|and|or|but|if|to|for|from|in|on|of|at|by|as|with|without|option|options|flag|flags|argument|parameter"
    rb"|field|value|missing|required|optional|invalid|incorrect|wrong|expired|empty|unset|set|denied|failed|command|requires|needs|takes|expects)\b"
    rb"(?!-))"
)
"""No value begins with these where nothing but a blank stands before it."""
NO_SECRET = rb"FILE|PATH|DIR|ID|NAME|HASH|POLICY|LENGTH|MIN|MAX|AGE"
"""What a variable of the environment ends with that is about a secret, and none: PASSWORD_FILE."""
ARGUMENT = rb"[ \t]+(?!-)(?:" + QUOTED + rb"|" + PROSE + rb"([^\s\"']+))"


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must not leave the node.

    Attributes:
        name: of the rule.
        pattern: its groups, or its whole where it has none, are masked.
        triggers: lines in which none of them stands are not searched; none: every line is.
        group: the only group that is masked; None: those that took part.
        deep: what is masked are the texts of the value that begins behind the match, lists and objects too.
        prompts: whether it is for logs of requests only.
        quoted: the trigger for which a quoted text right behind it is all that is masked.
    """

    name: str
    pattern: re.Pattern[bytes]
    triggers: tuple[Trigger, ...]
    group: int | None = None
    deep: bool = False
    prompts: bool = False
    quoted: bytes = b""


def triggers(*texts: bytes, alone: bool = False, valued: bool = False) -> tuple[Trigger, ...]:
    """Texts that are found alike."""
    return tuple(Trigger(text, alone=alone, valued=valued) for text in texts)
