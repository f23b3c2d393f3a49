"""What commands may ask of the running daemon over its control socket."""

from collections.abc import Callable, Mapping

import numpy as np

from collector.series import SeriesKey
from collector.store import History
from collector.store.buckets import BUCKET
from forewarn.base.errors import ForewarnError
from forewarn.base.frames import Frame
from forewarn.control import Handler
from forewarn.foundation import Foundation
from forewarn.gpus import GpuDesk
from forewarn.node import Takes


class Requests:
    """The daemon's side of the control socket.

    Args:
        base: the databases.
        url: where the API listens.
        relays: what takes a child's frames now, by the child's name.
        gpus: serves requests about GPU collection now, None where GPUs are not watched.
        forecast_soon: moves the next forecasts to now; False where none are made.
    """

    def __init__(
        self,
        base: Foundation,
        url: str,
        relays: Callable[[], Mapping[str, Takes]],
        gpus: Callable[[], GpuDesk | None],
        forecast_soon: Callable[[], bool],
    ) -> None:
        self._base = base
        self._url = url
        self._relays = relays
        self._gpus = gpus
        self._forecast_soon = forecast_soon

    def handlers(self) -> Mapping[str, Handler]:
        """A handler for each kind of request."""
        return {
            "address": self._address,
            "append_history": self._append_history,
            "append_histories": self._append_histories,
            "adopt_rollups": self._adopt_rollups,
            "horizon": self._horizon,
            "bookmark": self._bookmark,
            "save_bookmark": self._save_bookmark,
            "forecast": self._forecast,
            "child_frame": self._child_frame,
            "gpu_processes": self._gpu_processes,
            "nvml_pause": self._nvml_pause,
            "nvml_resume": self._nvml_resume,
            "nvml_forget": self._nvml_forget,
        }

    async def _address(self, _: Frame) -> Frame:
        """Where the API listens."""
        return {"url": self._url}

    async def _append_history(self, request: Frame) -> Frame:
        """History of one series: ``key``, ``times`` (milliseconds), ``values``, ``counter``."""
        return await self._append_histories({"items": [request]})

    async def _append_histories(self, request: Frame) -> Frame:
        """History of many series, stored together or not at all: ``items``, each as for ``append_history``."""
        store = self._base.store
        added = await self._base.series_writer.submit(
            lambda: store.append_histories([_history(item) for item in request["items"]])
        )
        return {"added": added}

    async def _adopt_rollups(self, request: Frame) -> Frame:
        """Roll-ups of one series from a file that was set aside: ``key``, ``level``, ``counter``, ``columns``."""
        columns = request["columns"]
        windows = np.empty(len(columns["time"]), BUCKET)
        for name in BUCKET.names or ():
            windows[name] = np.array(columns[name], dtype=BUCKET[name])
        added = await self._base.series_writer.submit(
            lambda: self._base.store.adopt_rollups(
                SeriesKey.parse(request["key"]), int(request["level"]), windows, counter=bool(request["counter"])
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

    async def _gpu_processes(self, _: Frame) -> Frame:
        """Every process on the GPUs, as of the last look."""
        processes = self._desk().source.processes
        if processes is None:
            raise ForewarnError(
                "process lists are switched off", hint="set [collector.nvml] processes = true, and reload"
            )
        listing = processes.listing()
        if listing is None:
            raise ForewarnError("nothing is known of the GPUs at this moment", hint="'forewarn status' says why")
        return {"processes": listing}

    async def _nvml_pause(self, request: Frame) -> Frame:
        """Let go of the GPUs for ``seconds``."""
        return await self._desk().pause(float(request["seconds"]))

    async def _nvml_resume(self, _: Frame) -> Frame:
        """Read the GPUs again."""
        return await self._desk().resume()

    async def _nvml_forget(self, request: Frame) -> Frame:
        """Miss the GPUs of ``uuids`` no longer; None stands for all that do not answer."""
        return await self._desk().forget(request["uuids"])

    def _desk(self) -> GpuDesk:
        desk = self._gpus()
        if desk is None:
            raise ForewarnError("GPUs are not watched here", hint="set [collector.nvml] enabled = true, and reload")
        return desk


def _history(item: Frame) -> History:
    return History(
        SeriesKey.parse(item["key"]),
        np.array(item["times"], dtype=np.int64),
        np.array(item["values"], dtype=np.float64),
        bool(item["counter"]),
    )
