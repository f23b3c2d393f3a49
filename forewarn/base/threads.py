"""How many threads numerical libraries use."""

import os

LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "STAN_NUM_THREADS")


def one_thread() -> None:
    """Numerical libraries that are imported from now on work in one thread.

    The matrices of forecasts are small: more threads wait for each other, on a busy machine for most of the time.
    """
    os.environ.update(dict.fromkeys(LIBRARIES, "1"))
