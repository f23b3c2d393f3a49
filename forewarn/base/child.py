"""The child's side of a parent-child pair.

A child is started as ``python -P -m <module>`` by forewarn.supervise: frames arrive on its standard input, leave on
its standard output; log lines go to standard error. The first frame is its settings. End of file on the input means
that the parent is gone: the child gets two seconds to finish, then ends. Asked to LEAVE, it has all the time it needs.
"""

import contextlib
import ctypes
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from forewarn.base import frames
from forewarn.base.errors import ForewarnError
from forewarn.base.frames import Frame
from forewarn.base.logs import configure_logging, keep_logs
from forewarn.base.threads import one_thread

GRACE_SECONDS = 2.0
LEAVE: Frame = {"kind": "leave"}
PARENT_PID_VARIABLE = "FOREWARN_PARENT_PID"
_PR_SET_PDEATHSIG = 1


class Channel(Protocol):
    """What a child's main function is given: its settings, word of the end, and a way to tell things."""

    settings: Frame
    stopping: threading.Event

    def send(self, frame: Frame) -> None:
        """Tell the parent."""
        ...

    def frames(self) -> Iterator[Frame]:
        """Frames of the parent, until the end."""
        ...


class Parent:
    """The channel of a child to its parent.

    Attributes:
        settings: the first frame that the parent sent.
        stopping: set when the parent asked the child to end or to leave, or is gone.
    """

    def __init__(self, settings: Frame, stopping: threading.Event, inbox: "queue.SimpleQueue[Frame | None]") -> None:
        self.settings = settings
        self.stopping = stopping
        self._inbox = inbox
        self._out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
        self._lock = threading.Lock()

    def send(self, frame: Frame) -> None:
        """Hand a frame to the parent, from any thread; nothing happens once the parent is gone."""
        data = frames.encode(frame)
        with self._lock, contextlib.suppress(BrokenPipeError):
            view = memoryview(data)
            while view:
                view = view[self._out.write(view) or 0 :]

    def frames(self) -> Iterator[Frame]:
        """Frames of the parent, until it is gone or asks for the end."""
        while (frame := self._inbox.get()) is not None:
            yield frame


def serve(main: Callable[[Parent], None]) -> None:
    """Run a child's main function with its channel; call this from the child's ``__main__``.

    SIGTERM and end of file on the input set ``stopping``; two seconds later the process ends whatever it does.
    """
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    first = frames.read(sys.stdin.buffer)
    if first is None:
        return
    configure_logging(first.get("log_level", "INFO"))
    if own := first.get("own_logs"):
        keep_logs(Path(own["folder"]), own["name"])
    stopping, ending = threading.Event(), threading.Event()
    inbox: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()

    def stop() -> None:
        if not ending.is_set():
            timer = threading.Timer(GRACE_SECONDS, os._exit, args=(1,))
            timer.daemon = True
            timer.start()  # first: what follows may wait for a lock that the interrupted code holds
            ending.set()
            leave()

    def leave() -> None:
        stopping.set()
        inbox.put(None)

    def listen() -> None:
        try:
            while (frame := frames.read(sys.stdin.buffer)) is not None:
                if frame == LEAVE:
                    leave()
                else:
                    inbox.put(frame)
        finally:
            stop()

    signal.signal(signal.SIGTERM, lambda *_: stop())
    threading.Thread(target=listen, name="parent", daemon=True).start()
    # Whatever a library prints must not land among the frames.
    parent = Parent(first, stopping, inbox)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    main(parent)
    logging.shutdown()
    os._exit(0)  # a thread that is stuck in a driver or a socket must not hold the end up


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = os.environ.get(PARENT_PID_VARIABLE)
    if parent is not None and os.getppid() != int(parent):
        os._exit(1)  # the parent died before the line above


def answer_once(parent: Parent, work: Callable[[Parent], None]) -> None:
    """Do one piece of work at low priority, in one thread, and send what stands in its way as a frame ``error``.

    Args:
        parent: its first frame holds ``nice`` and ``deadline``, seconds after which the process ends itself.
        work: sends its answer; imports what is heavy by itself.
    """
    one_thread()  # before NumPy is imported
    os.nice(parent.settings["nice"])
    watch = threading.Timer(parent.settings["deadline"], os._exit, args=(1,))
    watch.daemon = True
    watch.start()
    try:
        work(parent)
    except ForewarnError as error:
        parent.send({"kind": "error", "message": error.message, "hint": error.hint})
