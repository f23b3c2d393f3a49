"""The log shipper as a child process: ``python -P -m logship.child``.

The first frame holds ``logs`` (settings), ``data_dir``, ``hostname`` and ``log_level``. It sends:

- ``{"kind": "samples", "samples": [[name, {label: value}, value, is_counter], ...]}`` every two seconds;
- ``{"kind": "off", "reason": "..."}`` every ten seconds, where it cannot do its work (an extra is missing, a secret
  cannot be read). It waits for the end, so that it is not started again and again.

At the end of its input or on SIGTERM it writes down what has arrived and ends. Where reading or sending breaks off it
says why and ends with an error, to be started anew.
"""

import logging
import os
import random
import threading
from pathlib import Path

from forewarn.base.child import Channel, serve
from forewarn.base.clock import SystemClock
from forewarn.base.errors import ForewarnError
from logship.settings import LogsSettings
from logship.shipper import Shipper

SAMPLES_SECONDS = 2.0
OFF_SECONDS = 10.0

log = logging.getLogger(__name__)


def main(parent: Channel) -> None:
    """Ship logs until the parent is gone or asks for the end.

    Raises:
        LogshipError: reading or sending has broken off.
    """
    first = parent.settings
    settings = LogsSettings.model_validate(first["logs"])
    try:
        shipper = Shipper(
            settings,
            Path(first["data_dir"]),
            hostname=first["hostname"],
            clock=SystemClock(),
            chance=random.SystemRandom(),
        )
    except ForewarnError as error:
        log.warning("logs are not shipped: %s", error)
        parent.send({"kind": "off", "reason": str(error)})
        while not parent.stopping.wait(OFF_SECONDS):
            parent.send({"kind": "off", "reason": str(error)})
        return
    shipper.start()
    watch = threading.Thread(target=_stop_with, args=(parent, shipper), name="stop", daemon=True)
    watch.start()
    while not parent.stopping.is_set():
        shipper.keep(SAMPLES_SECONDS)
        parent.send({"kind": "samples", "samples": shipper.samples()})
    shipper.stop()


def _main_or_failure(parent: Channel) -> None:
    try:
        main(parent)
    except ForewarnError as error:
        log.error(error.message, extra={"hint": error.hint})  # noqa: TRY400  the message is the whole story
        logging.shutdown()
        os._exit(error.exit_code)  # a reader of standard input still runs, and would hold up an ordinary exit


def _stop_with(parent: Channel, shipper: Shipper) -> None:
    parent.stopping.wait()
    shipper.ask_to_stop()


if __name__ == "__main__":
    serve(_main_or_failure)
