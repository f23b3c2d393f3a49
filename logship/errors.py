"""What can go wrong on the way of a log line."""

from forewarn.base.errors import ForewarnError


class LogshipError(ForewarnError):
    """The log shipper cannot do what it was asked to."""


class TruncatedError(LogshipError):
    """A file holds other bytes than those that were read from it: it was cut off, and may have grown again."""


class DeadLetterFullError(LogshipError):
    """The file of refused documents cannot take another one."""


class SpoolError(LogshipError):
    """The spool cannot be opened, written or read."""


class SpoolFullError(SpoolError):
    """The disk, or a limit, leaves the spool no room."""


class SpoolBusyError(SpoolError):
    """Another process holds the spool."""


class SpoolKeyError(SpoolError):
    """A segment is sealed under a key that is not given."""


class WireError(LogshipError):
    """A request got no answer, or none that can be understood."""


class ControlError(LogshipError):
    """Elasticsearch could not be set up.

    Attributes:
        status: the HTTP status of its answer, 0 where there was none.
    """

    def __init__(self, message: str, status: int, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
