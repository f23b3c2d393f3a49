"""Options of commands that ask a Prometheus: who we are there, and how long an answer may take."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collector.history.prometheus import Access


def access_of(wanted: Mapping[str, Any]) -> "Access":
    """What the server wants to see, from the options bearer-token-file, basic-auth-file, ca-file and header.

    Raises:
        UsageError: a header is none, or holds a secret.
    """
    from collector.history.prometheus import Access

    return Access(
        wanted["bearer-token-file"],
        wanted["basic-auth-file"],
        wanted["ca-file"],
        tuple(_header(text) for text in wanted["header"] or ()),
    )


def timeout_of(wanted: Mapping[str, Any]) -> float:
    """Seconds for one answer, from the option timeout.

    Raises:
        UsageError: it is no duration.
    """
    from forewarn.base.errors import UsageError
    from forewarn.base.types import parse_duration

    try:
        return float(parse_duration(wanted["timeout"] or "60s"))
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None


def _header(text: str) -> tuple[str, str]:
    from forewarn.base.errors import UsageError

    name, colon, value = (part.strip() for part in text.partition(":"))
    if not (colon and name.replace("-", "").isalnum() and value.isascii() and value.isprintable()):
        raise UsageError(f"--header: {text!r} is no header", hint="write it like --header 'X-Scope-OrgID: llm'")
    if name.lower() == "authorization":
        raise UsageError("--header: a secret is not given in a flag", hint="--bearer-token-file names a file with it")
    return name, value
