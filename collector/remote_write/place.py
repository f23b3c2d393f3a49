"""How far a receiver has been served: what the bookmark in metrics.db says."""

from dataclasses import dataclass, replace
from typing import Self

import orjson

from forewarn.base.errors import StoreError


@dataclass(frozen=True, slots=True)
class Place:
    """Everything up to ``done_ms`` is delivered; of the span (done_ms, until_ms] the series up to ``series`` are, too.

    It is written down before a batch is sent, so that after a kill the same samples are sent once more, together and
    alone: receivers that refuse what they have refuse nothing else with it.

    Attributes:
        done_ms: time of the newest sample of which nothing older is left.
        until_ms: end of the span that is being sent; ``done_ms`` where none is.
        series: id of the last series of the span that is delivered; ids begin at 1.
        sending: id of the last series of the batch that was being sent; ``series`` where none was.
        row: id of the newest scrape that was looked at: newer ones with an older time mean a clock that was set back.
    """

    done_ms: int
    until_ms: int
    series: int = 0
    sending: int = 0
    row: int = 0

    @classmethod
    def at(cls, time_ms: int, row: int = 0) -> Self:
        """Nothing older is left, nothing newer is delivered."""
        return cls(time_ms, time_ms, row=row)

    @property
    def in_span(self) -> bool:
        """Whether a span is being sent."""
        return self.until_ms > self.done_ms

    def begun(self, until_ms: int, row: int) -> "Place":
        """A new span."""
        return Place(self.done_ms, until_ms, row=row)

    def trying(self, series: int) -> "Place":
        """A batch up to this series is about to be sent."""
        return replace(self, sending=series)

    def delivered(self) -> "Place":
        """The batch has arrived, or was dropped."""
        return replace(self, series=self.sending)

    def finished(self) -> "Place":
        """The span has arrived."""
        return Place.at(self.until_ms, self.row)

    def to_text(self) -> str:
        """As the bookmark keeps it."""
        return orjson.dumps(self).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """As ``to_text`` wrote it.

        Raises:
            StoreError: something else wrote it.
        """
        try:
            return cls(**{name: int(value) for name, value in orjson.loads(text).items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise StoreError(f"{text!r} is no bookmark of remote write", hint="name the receiver anew") from error
