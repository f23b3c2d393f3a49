"""The nvml child: everything that talks to the GPU driver, in a process that may hang in it.

First frame: ``{"interval": seconds, "log_level": name}``, optionally ``"retry"``: seconds between two looks for GPUs
that do not answer, ``"processes"``: whether process lists are wanted, and ``"root"``: the directory under which /proc,
/sys and /dev are looked at for what is wrong. Asked to leave, it finishes its round and shuts NVML down, however long
that takes. It sends

- ``{"kind": "busy", "call": name, "gpu": index, "seconds": s}`` every second while one call has not come back, and
  ``{"kind": "begin", "call": text, "gpu": index}`` every second of a round that is long for other reasons,
- ``{"kind": "inventory", ...}`` and ``{"kind": "round", ...}`` as made in :mod:`collector.nvml.session`, and
  ``{"kind": "layout", ...}`` as made in :mod:`collector.nvml.wire`,
- ``{"kind": "processes", ...}`` as made in :mod:`collector.nvml.readings.processes`,
- ``{"kind": "xid", ...}`` for every XID error,
- ``{"kind": "absent", "reason": word, "hint": text, "detail": text, "retry": seconds}`` while there is no GPU to read
  (see :mod:`collector.nvml.health.absence`),
- ``{"kind": "driver_changed", "code": number}`` before it ends with EXIT_DRIVER_CHANGED: nvmlShutdown leaves the
  library loaded, so that only a new process can speak to another driver.
"""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Final

from collector.nvml.codes import VERSION_MISMATCH, NvmlError
from collector.nvml.health.absence import AbsentError, explain
from collector.nvml.health.surroundings import Surroundings
from collector.nvml.library import Nvml
from collector.nvml.session import Session
from forewarn.base.child import Parent, serve
from forewarn.base.memory import settle, stay_small

EXIT_DRIVER_CHANGED: Final = 75
RETRY_SECONDS: Final = 60.0
_LOOKS_AT_VERSIONS: Final = 15
"""So often, a new process asks the driver although nothing shows that its parts agree again."""
_WATCH_SECONDS: Final = 1.0


class Sampler:
    """Rounds at a steady pace on a thread of its own, while the main thread stays free for signals."""

    def __init__(self, parent: Parent, nvml: Nvml) -> None:
        self._parent = parent
        self._nvml = nvml
        self._interval = float(parent.settings["interval"])
        self._retry = float(parent.settings.get("retry", RETRY_SECONDS))
        self._lists_every = self._interval if parent.settings.get("processes") else None
        self._machine = Surroundings(Path(parent.settings.get("root", "/")))
        self._session: Session | None = None
        self.status = 0
        self.thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def reading_for(self, seconds: float) -> str:
        """The GPU that is being read, by its index, where the round has lasted so long already; else nothing."""
        return self._session.reading_for(seconds) if self._session else ""

    def _run(self) -> None:
        while not self._parent.stopping.is_set():
            try:
                self._sample()
            except AbsentError as absent:
                if absent.code == VERSION_MISMATCH:
                    self._wait_for_versions(absent)
                    self._driver_changed(absent.code)
                    return
                self._wait_for_gpus(absent)
            except NvmlError as error:
                self._driver_changed(error.code)
                return

    def _sample(self) -> None:
        self._parent.send({"kind": "begin", "call": "the initialisation", "gpu": ""})
        session = self._session = Session(
            self._nvml,
            self._parent.send,
            look_again=self._retry,
            lists_every=self._lists_every,
            machine=self._machine,
        ).open()
        try:
            due = time.monotonic()
            while not self._parent.stopping.is_set():
                self._parent.send(session.round())
                due = max(due + self._interval, time.monotonic())
                self._parent.stopping.wait(due - time.monotonic())
        finally:
            session.close()

    def _wait_for_gpus(self, absent: AbsentError) -> None:
        why = explain(absent.code, self._machine)
        self._parent.send(
            {"kind": "absent", "reason": why.reason, "hint": why.hint, "detail": why.detail, "retry": self._retry}
        )
        self._parent.stopping.wait(self._retry)

    def _wait_for_versions(self, absent: AbsentError) -> None:
        """Wait until a new process may find the driver whole: one each minute would fill the log for days."""
        seen = self._machine.versions()
        for _ in range(_LOOKS_AT_VERSIONS):
            self._wait_for_gpus(absent)
            if self._parent.stopping.is_set() or self._machine.versions() != seen:
                return

    def _driver_changed(self, code: int) -> None:
        if not self._parent.stopping.is_set():
            self._parent.send({"kind": "driver_changed", "code": code})
            self.status = EXIT_DRIVER_CHANGED


def watch(parent: Parent, nvml: Nvml, sampler: Sampler) -> None:
    """Tell the parent of a call that does not come back, and of a long round, until the sampler ends."""
    while sampler.thread.is_alive():
        sampler.thread.join(_WATCH_SECONDS)
        call = nvml.in_progress()
        if call is not None and call.seconds >= _WATCH_SECONDS:
            parent.send({"kind": "busy", "call": call.call, "gpu": call.gpu, "seconds": call.seconds})
        elif gpu := sampler.reading_for(_WATCH_SECONDS):
            parent.send({"kind": "begin", "call": "its readings", "gpu": gpu})


def main(parent: Parent) -> None:
    """Run until the parent asks for the end, is gone, or the driver has changed."""
    settle()
    nvml = Nvml()
    sampler = Sampler(parent, nvml)
    sampler.thread.start()
    watch(parent, nvml, sampler)  # where a call never comes back, the channel's own timer ends the process
    status = sampler.status or (0 if parent.stopping.is_set() else 1)
    if status:
        logging.shutdown()
        os._exit(status)


if __name__ == "__main__":
    stay_small()
    serve(main)
