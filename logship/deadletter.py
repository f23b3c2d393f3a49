"""Documents that Elasticsearch refuses for what they are: kept with the reason, never thrown away.

One JSON object a line: ``time``, ``status``, ``type``, ``reason``, ``index``, ``id``, ``document``. A
document may stand there twice when the shipper was killed right after writing it; its ``id`` tells.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import orjson

from forewarn.base.clock import Clock, rfc3339
from forewarn.base.files import sync
from logship.bulk import Item
from logship.errors import DeadLetterFullError

FILE_NAME = "logship-dead.jsonl"


class DeadLetters:
    """The file of refused documents; may be used from any thread.

    Args:
        path: where it lies.
        limit: its size in bytes at which it takes no more.
        clock: tells the time of the refusal.
    """

    def __init__(self, path: Path, limit: int, clock: Clock) -> None:
        self._path = path
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()

    def write(self, refused: Sequence[tuple[bytes, Item]]) -> None:
        """Keep documents, durable on return.

        Raises:
            DeadLetterFullError: there is no room for them, by the limit or on the disk.
        """
        time = rfc3339(self._clock.now_ms())
        data = b"".join(_line(time, document, item) for document, item in refused)
        with self._lock:
            try:
                self._keep(data)
            except OSError as error:
                raise self._full(error.strerror or str(error)) from error

    def _keep(self, data: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size + len(data) > self._limit:
                raise self._full(f"its limit is {self._limit} bytes")
            self._append(descriptor, size, data)
        finally:
            os.close(descriptor)
        if size == 0:
            sync(self._path.parent)  # the new file's name

    def _append(self, descriptor: int, size: int, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise

    def _full(self, reason: str) -> DeadLetterFullError:
        return DeadLetterFullError(
            f"{self._path} takes no more refused documents: {reason}",
            hint="look at the reasons in it, then move it away or raise logs.dead_letter_bytes",
        )


def _line(time: str, document: bytes, item: Item) -> bytes:
    action, source = document.splitlines()
    create = orjson.loads(action)["create"]
    return orjson.dumps(
        {
            "time": time,
            "status": item.status,
            "type": item.type,
            "reason": item.reason,
            "index": create["_index"],
            "id": create["_id"],
            "document": orjson.loads(source),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
