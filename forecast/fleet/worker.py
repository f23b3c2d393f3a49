"""The other end of a pipe: jobs come in, forecasts go out, until the pipe ends. Imports nothing before it must."""

import signal
from multiprocessing.connection import Connection

from forewarn.base.threads import one_thread


def serve(pipe: Connection) -> None:
    """Do jobs until there are no more, or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    one_thread()  # before NumPy is imported
    while True:
        try:
            job = pipe.recv()
            pipe.send(job.forecasts())
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
