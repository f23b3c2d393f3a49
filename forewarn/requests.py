"""What commands may ask of the running daemon over its control socket."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from collector.series import SeriesKey
from forewarn.base.frames import Frame
from forewarn.control import Handler

if TYPE_CHECKING:
    from forewarn.daemon import Daemon


class Requests:
    """The daemon's side of the control socket."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon

    def handlers(self) -> Mapping[str, Handler]:
        """A handler for each kind of request."""
        return {
            "address": self._address,
            "append_history": self._append_history,
            "horizon": self._horizon,
            "bookmark": self._bookmark,
            "save_bookmark": self._save_bookmark,
            "child_frame": self._child_frame,
        }

    async def _address(self, _: Frame) -> Frame:
        """Where the API listens."""
        return {"url": self._daemon.url}

    async def _append_history(self, request: Frame) -> Frame:
        """History of one series: ``key``, ``times`` (milliseconds), ``values``, ``counter``."""
        base = self._daemon.base
        added = await base.series_writer.submit(
            lambda: base.store.append_history(
                SeriesKey.parse(request["key"]),
                np.array(request["times"], dtype=np.int64),
                np.array(request["values"], dtype=np.float64),
                counter=bool(request["counter"]),
            )
        )
        return {"added": added}

    async def _horizon(self, _: Frame) -> Frame:
        """The age beyond which samples are refused."""
        return {"horizon_ms": self._daemon.base.store.horizon_ms()}

    async def _bookmark(self, request: Frame) -> Frame:
        """How far the load of ``source`` has come."""
        base = self._daemon.base
        return {"place": await base.series_writer.submit(base.store.bookmark, request["source"])}

    async def _save_bookmark(self, request: Frame) -> Frame:
        """Keep how far the load of ``source`` has come: ``place``."""
        base = self._daemon.base
        await base.series_writer.submit(base.store.save_bookmark, request["source"], request["place"])
        return {}

    async def _child_frame(self, request: Frame) -> Frame:
        """A frame of a worker or log shipper that runs as a unit of its own: ``child``, ``frame``."""
        relay = self._daemon.rooms.furniture.relays.get(request["child"])
        if relay is not None:
            relay.on_frame(request["frame"])
        return {}
