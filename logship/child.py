"""The log shipper as a child process: ``python -P -m logship.child``.

The first frame holds ``logs`` (settings), ``data_dir``, ``hostname`` and ``log_level``. It sends:

- ``{"kind": "samples", "samples": [[name, {label: value}, value, is_counter], ...]}`` every two seconds;
- ``{"kind": "log_anomalies", "rows": [...]}`` with them, while something is unusual or was lately: see
  ``logship.anomalies.events.LogAnomaly.to_dict``;
- ``{"kind": "off", "reason": "..."}`` every ten seconds, where it cannot do its work (an extra is missing, a secret
  cannot be read). It waits for the end, so that it is not started again and again.

At the end of its input or on SIGTERM it writes down what has arrived and ends. Where it cannot begin for any other
reason (the disk is full), or reading or sending breaks off, it says why and ends with an error, to be started anew.
"""

import gc
import logging
import os
import random
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forewarn.base.child import Channel, serve
from forewarn.base.clock import SystemClock
from forewarn.base.errors import ConfigError, ForewarnError, MissingExtraError
from forewarn.base.frames import Frame
from forewarn.base.logs import Seldom
from logship.errors import SpoolBusyError
from logship.own import with_own
from logship.patterns.compiled import FORBIDDEN, is_wanting, keep_in
from logship.settings import LogsSettings

if TYPE_CHECKING:
    from logship.shipper import Shipper

SAMPLES_SECONDS = 2.0
OFF_SECONDS = 10.0
MAKING_SECONDS = 1.0
COMPILED = "logship-compiled"
"""Folder of machine code, below that of the data."""
FILES = 65536
"""Files that may be open at once, where the system lets it."""
_OF_THE_EXTRA = frozenset({"isal", "httptools", "elasticsearch", "elastic_transport", "cryptography"})

log = logging.getLogger(__name__)


def main(parent: Channel) -> None:
    """Ship logs until the parent is gone or asks for the end.

    Raises:
        LogshipError: reading or sending has broken off.
    """
    allow_many_files()
    try:
        _compile(parent)
        shipper = _shipper(parent.settings)
    except SpoolBusyError:
        raise  # one that has not quite ended yet: it is tried again
    except (ConfigError, MissingExtraError) as error:
        log.warning("logs are not shipped: %s", error)
        parent.send({"kind": "off", "reason": str(error)})
        while not parent.stopping.wait(OFF_SECONDS):
            parent.send({"kind": "off", "reason": str(error)})
        return
    except ForewarnError as error:  # a full disk, mostly, which may have room again when it is tried anew
        parent.send({"kind": "off", "reason": str(error)})
        raise
    gc.collect()
    gc.freeze()  # looking through all that was imported takes 0.1 s, in which no line goes on
    shipper.start()
    watch = threading.Thread(target=_stop_with, args=(parent, shipper), name="stop", daemon=True)
    watch.start()
    told: list[dict[str, Any]] = []
    while not parent.stopping.is_set():
        shipper.keep(SAMPLES_SECONDS)
        parent.send({"kind": "samples", "samples": shipper.samples()})
        before, told = told, shipper.anomalies()
        if told or before:
            parent.send({"kind": "log_anomalies", "rows": told})
    shipper.stop()


def allow_many_files() -> None:
    """Raise how many files may be open: each one that is followed is, and systemd grants 1024 at first."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _compile(parent: Channel) -> None:
    """Have machine code made, by a process whose memory goes with it."""
    keep_in(Path(parent.settings["data_dir"]) / COMPILED)
    if FORBIDDEN:
        log.warning(
            "log lines are encoded without machine code, several times slower: this process may not run any that it"
            " has made",
            extra={"hint": "set MemoryDenyWriteExecute=no for its unit"},
        )
    if not is_wanting():
        return
    log.info("machine code is made, once for this version; logs are shipped from then on")
    command = [sys.executable, "-P", "-m", "logship.warm"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as maker:
        while maker.poll() is None:
            if parent.stopping.wait(MAKING_SECONDS):
                maker.terminate()
            parent.send({"kind": "samples", "samples": []})
    if maker.returncode and not parent.stopping.is_set():
        log.warning("machine code could not be made beforehand", extra={"status": maker.returncode})


def _shipper(first: Frame) -> "Shipper":
    try:
        from logship.delivery.probe import Probe  # noqa: PLC0415  all of it needs the extra
        from logship.shipper import Shipper  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _OF_THE_EXTRA:
            raise
        raise MissingExtraError("log shipping", "logs") from error
    settings = with_own(LogsSettings.model_validate(first["logs"]), first.get("own_logs"))
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom())
    return Shipper(
        settings,
        Path(first["data_dir"]),
        hostname=first["hostname"],
        clock=SystemClock(),
        chance=random.SystemRandom(),
        doubt=Probe(settings),
    )


def _main_or_failure(parent: Channel) -> None:
    try:
        main(parent)
    except ForewarnError as error:
        log.error(error.message, extra={"hint": error.hint})  # noqa: TRY400  the message is the whole story
        logging.shutdown()
        os._exit(error.exit_code)  # a reader of standard input still runs, and would hold up an ordinary exit


def _stop_with(parent: Channel, shipper: "Shipper") -> None:
    parent.stopping.wait()
    shipper.ask_to_stop()


if __name__ == "__main__":
    serve(_main_or_failure)
