"""What the collector asks of a source."""

from collections.abc import Sequence
from typing import Protocol

from collector.series import Sample


class CollectError(Exception):
    """A source has no data this round.

    Attributes:
        code: a short word for the metric's label (``timeout``, ``refused``, ``gpu_is_lost``, ...): few distinct ones.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Source(Protocol):
    """Something that is asked for samples every round. It must not block the event loop."""

    @property
    def name(self) -> str:
        """The source's name, the value of the label ``collector``."""
        ...

    async def collect(self) -> Sequence[Sample]:
        """This round's samples.

        Raises:
            CollectError: there are none; what went wrong is in it.
        """
        ...

    async def close(self) -> None:
        """Let go of threads, sockets and children."""
        ...
