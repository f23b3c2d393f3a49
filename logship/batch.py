"""What travels in one request."""

from dataclasses import dataclass, field

from logship.checkpoint import Anchor
from logship.ledger import Span


@dataclass(slots=True)
class Batch:
    """Documents on their way.

    Attributes:
        opened: seconds on the monotonic clock at which the first line was put in.
        documents: action and source of each line.
        spans: the pieces of files that they come from, in order.
        anchors: reading times that must be kept before the batch is sent.
        size: bytes of the documents.
    """

    opened: float
    documents: list[bytes] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)
    size: int = 0

    def add(self, documents: list[bytes], span: Span) -> None:
        """Put the documents of a piece in."""
        self.documents += documents
        self.spans.append(span)
        self.size += sum(map(len, documents))
