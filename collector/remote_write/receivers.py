"""All receivers of remote write."""

import asyncio
from collections.abc import Iterator, Sequence

from collector.remote_write.sender import Sender, SeriesStore, Submit
from collector.remote_write.settings import RemoteWriteSettings
from collector.series import Sample
from forewarn.base.clock import Clock


class RemoteWrite:
    """Every receiver, each independent of the others.

    Args:
        settings: the receivers.
        hostname: the node's name, for the labels ``instance`` and ``hostname``.
        store: the series and the bookmarks.
        keeps_seconds: how long the store keeps single samples.
        submit: runs what writes the store.
        clock: the time.
    """

    def __init__(
        self,
        settings: Sequence[RemoteWriteSettings],
        hostname: str,
        store: SeriesStore,
        *,
        keeps_seconds: float,
        submit: Submit,
        clock: Clock,
    ) -> None:
        keeps_ms = int(keeps_seconds * 1000)
        self.senders = [
            Sender(each, hostname, store, keeps_ms=keeps_ms, submit=submit, clock=clock) for each in settings
        ]

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for sender in self.senders:
                group.create_task(sender.run(), name=f"remote write {sender.tally.receiver}")

    def wake(self) -> None:
        """There is a new scrape in the store."""
        for sender in self.senders:
            sender.wake()

    def samples(self, newest_ms: int | None) -> Iterator[Sample]:
        """What remote write says of itself; ``newest_ms`` is the time of the newest sample in the store."""
        for sender in self.senders:
            yield from sender.tally.samples(newest_ms)
