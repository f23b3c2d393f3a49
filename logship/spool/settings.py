"""What the spool can be told."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from forewarn.base.types import Bytes, Seconds, Settings

What = Literal["vanishing", "everything", "off"]


class SpoolSettings(Settings):
    """``[logs.spool]``: what is copied, encrypted, into the data directory until Elasticsearch has taken it."""

    what: What = Field(
        default="vanishing",
        description="What is spooled: what would be gone before it can be sent (the file itself keeps the rest),"
        " everything, or nothing.",
    )
    max_bytes: Bytes = Field(
        default=1024**3, ge=16 * 1024**2, description="Size of the spool at which the oldest is dropped, and counted."
    )
    max_age: Seconds = Field(
        default=7 * 86400.0, ge=60, description="Age at which what is spooled is dropped, and counted."
    )
    key_file: Path | None = Field(
        default=None,
        description="File of the spool's key: 32 bytes, as they are, in hexadecimal or base64. The systemd credential"
        " forewarn-spool-key goes before it; with neither, a key is made in the data directory.",
    )
    old_key_files: tuple[Path, ...] = Field(
        default=(), description="Files of earlier keys, with which what is already spooled can still be read."
    )
