"""The worker's errors: of its start, and of a request in the form that OpenAI's clients read."""

from forewarn.base.errors import ForewarnError


class ModelError(ForewarnError):
    """The checkpoint cannot be loaded, or the default model cannot be made."""


class AddressError(ForewarnError):
    """The worker's address cannot be listened on."""


class RequestError(Exception):
    """A request that gets no completion.

    Attributes:
        status: HTTP status.
        type: OpenAI's error type.
        param: the field that was wrong, or None.
        code: OpenAI's error code, or None.
        retry_after: seconds to wait before the next try, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",  # noqa: A002  the word of the format
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.param = param
        self.code = code
        self.retry_after = retry_after

    def body(self) -> dict[str, dict[str, str | None]]:
        """The answer's body: ``{"error": {"message", "type", "param", "code"}}``."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}
