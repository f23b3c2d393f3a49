"""Tokens to text while they arrive: whole characters only, and no part of a stop string."""

from collections.abc import Sequence

from worker.tokens import Tokenizer

_BROKEN = "\N{REPLACEMENT CHARACTER}"
_LONGEST_CHARACTER = 4
"""Tokens that one character can take: the bytes of UTF-8."""


class TextStream:
    """The text of one sequence, handed out piece by piece.

    A decoder needs the tokens before a token to place its spaces, so each step decodes a short window and hands out
    what is new in it. An unfinished character at the end waits for its other tokens; so does text that could be the
    beginning of a stop string.
    """

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stops = [stop for stop in stops if stop]
        self._tokens: list[int] = []
        self._window = 0
        self._read = 0
        self._held = ""
        self.stopped = False

    def push(self, token: int) -> str:
        """Take one token; the text that is now certain. ``stopped`` is set once a stop string was met."""
        self._tokens.append(token)
        before = self._tokenizer.decode(self._tokens[self._window : self._read])
        after = self._tokenizer.decode(self._tokens[self._window :])
        unfinished = after.endswith(_BROKEN) and len(self._tokens) - self._read < _LONGEST_CHARACTER
        if unfinished or len(after) <= len(before):
            return ""
        self._window, self._read = self._read, len(self._tokens)
        return self._release(after[len(before) :])

    def finish(self) -> str:
        """What was held back, at the sequence's end."""
        if self.stopped:
            return ""
        before = self._tokenizer.decode(self._tokens[self._window : self._read])
        rest = self._tokenizer.decode(self._tokens[self._window :])[len(before) :]
        text = self._release(rest)
        held, self._held = self._held, ""
        return text if self.stopped else text + held

    def _release(self, text: str) -> str:
        text = self._held + text
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        cut = len(text) - keep
        self._held = text[cut:]
        return text[:cut]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that begins ``stop``."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
