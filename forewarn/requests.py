"""What commands may ask of the running daemon over its control socket."""

from collections.abc import Callable, Mapping

import numpy as np

from collector.series import SeriesKey
from forewarn.base.frames import Frame
from forewarn.control import Handler
from forewarn.foundation import Foundation
from forewarn.node import Takes


class Requests:
    """The daemon's side of the control socket.

    Args:
        base: the databases.
        url: where the API listens.
        relays: what takes a child's frames now, by the child's name.
        forecast_soon: moves the next forecasts to now; False where none are made.
    """

    def __init__(
        self,
        base: Foundation,
        url: str,
        relays: Callable[[], Mapping[str, Takes]],
        forecast_soon: Callable[[], bool],
    ) -> None:
        self._base = base
        self._url = url
        self._relays = relays
        self._forecast_soon = forecast_soon

    def handlers(self) -> Mapping[str, Handler]:
        """A handler for each kind of request."""
        return {
            "address": self._address,
            "append_history": self._append_history,
            "horizon": self._horizon,
            "bookmark": self._bookmark,
            "save_bookmark": self._save_bookmark,
            "forecast": self._forecast,
            "child_frame": self._child_frame,
        }

    async def _address(self, _: Frame) -> Frame:
        """Where the API listens."""
        return {"url": self._url}

    async def _append_history(self, request: Frame) -> Frame:
        """History of one series: ``key``, ``times`` (milliseconds), ``values``, ``counter``."""
        added = await self._base.series_writer.submit(
            lambda: self._base.store.append_history(
                SeriesKey.parse(request["key"]),
                np.array(request["times"], dtype=np.int64),
                np.array(request["values"], dtype=np.float64),
                counter=bool(request["counter"]),
            )
        )
        return {"added": added}

    async def _horizon(self, _: Frame) -> Frame:
        """The age beyond which samples are refused."""
        return {"horizon_ms": self._base.store.horizon_ms()}

    async def _bookmark(self, request: Frame) -> Frame:
        """How far the load of ``source`` has come."""
        return {"place": await self._base.series_writer.submit(self._base.store.bookmark, request["source"])}

    async def _save_bookmark(self, request: Frame) -> Frame:
        """Keep how far the load of ``source`` has come: ``place``."""
        await self._base.series_writer.submit(self._base.store.save_bookmark, request["source"], request["place"])
        return {}

    async def _forecast(self, _: Frame) -> Frame:
        """Make forecasts now: there is new history. ``asked`` is false where none are made at all."""
        return {"asked": self._forecast_soon()}

    async def _child_frame(self, request: Frame) -> Frame:
        """A frame of a worker or log shipper that runs as a unit of its own: ``child``, ``frame``."""
        relay = self._relays().get(request["child"])
        if relay is not None:
            relay.on_frame(request["frame"])
        return {}
