"""The other end of a pipe: jobs come in, forecasts go out, until the pipe ends. Imports nothing before it must."""

import os
import signal
from multiprocessing.connection import Connection

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "STAN_NUM_THREADS")


def serve(pipe: Connection) -> None:
    """Do jobs until there are no more, or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # before NumPy is imported
    while True:
        try:
            job = pipe.recv()
            pipe.send(job.forecasts())
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
