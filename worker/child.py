"""The worker's process: ``python -P -m worker.child``.

First frame in: ``{"worker": settings, "data_dir": path, "log_level": ...}``. Frames out, one of:
``{"kind": "ready", "url", "model", "random_weights", "device"}`` once requests are answered,
``{"kind": "unavailable", "reason", "hint"}`` where the extra is not installed (exit 0),
``{"kind": "failed", "reason", "hint"}`` where the worker cannot start (exit 1).
"""

import logging
import os
import random
import socket
import threading
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError

from forewarn.base.address import Address
from forewarn.base.child import Channel, serve
from forewarn.base.clock import SystemClock
from forewarn.base.errors import ConfigError, ForewarnError, MissingExtraError
from worker.device import prepare_environment
from worker.errors import AddressError
from worker.settings import WorkerSettings

log = logging.getLogger("worker.child")

_EXTRA = ("torch", "transformers", "safetensors")


def main(parent: Channel) -> None:
    """Serve until the parent asks for the end, or is gone.

    Raises:
        ForewarnError: the settings are wrong, the address is taken, or the model cannot be loaded.
    """
    settings, data_dir = _settings(parent)
    os.setpriority(os.PRIO_PROCESS, 0, max(settings.nice, os.getpriority(os.PRIO_PROCESS, 0)))
    listener = _listen(Address.parse(settings.listen))
    prepare_environment(settings.device, settings.threads)
    if missing := [name for name in _EXTRA if find_spec(name) is None]:
        error = MissingExtraError("the bundled worker", "worker")
        log.warning(error.message, extra={"missing": missing, "hint": error.hint})
        parent.send({"kind": "unavailable", "reason": error.message, "hint": error.hint})
        return
    _run(parent, settings, data_dir, listener)


def _run(parent: Channel, settings: WorkerSettings, data_dir: Path, listener: socket.socket) -> None:
    loaded = threading.Event()
    _leave_if_stopped_early(parent.stopping, loaded)
    from worker.service import Service  # noqa: PLC0415  torch takes seconds to import

    service = Service(settings, data_dir, SystemClock(), random.Random())  # noqa: S311  sampling, not secrets
    loaded.set()
    served = service.served
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def ready() -> None:
        weights = "random weights, its text means nothing" if served.random else "weights of the checkpoint"
        facts = {"url": url, "model": served.name, "device": served.device, "parameters": served.parameters}
        log.info("the worker answers requests", extra={**facts, "weights": weights})
        parent.send({"kind": "ready", **facts, "random_weights": served.random})

    service.serve(listener, parent.stopping, ready)


def _leave_if_stopped_early(stopping: threading.Event, loaded: threading.Event) -> None:
    """End the process at once when the end is asked for while torch and the model load: nothing is under way yet."""

    def watch() -> None:
        stopping.wait()
        if not loaded.is_set():
            os._exit(0)

    threading.Thread(target=watch, name="early end", daemon=True).start()


def _settings(parent: Channel) -> tuple[WorkerSettings, Path]:
    try:
        return WorkerSettings.model_validate(parent.settings["worker"]), Path(parent.settings["data_dir"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in ("worker", *first["loc"]))
        raise ConfigError(f"{field}: {first['msg']}") from error


def _listen(address: Address) -> socket.socket:
    """A bound socket, taken before the model is loaded so that a taken port is known at once."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only for sockets that name TCP; with it, every answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        raise AddressError(
            f"the worker cannot listen on {address}: {error.strerror}",
            hint="stop what listens there, or set worker.listen to another port",
        ) from error
    return listener


def _main_or_failure(parent: Channel) -> None:
    try:
        main(parent)
    except ForewarnError as error:
        log.error(error.message, extra={"hint": error.hint})  # noqa: TRY400  the message is the whole story
        parent.send({"kind": "failed", "reason": error.message, "hint": error.hint})
        logging.shutdown()
        os._exit(error.exit_code)  # a reader of standard input still runs, and would hold up an ordinary exit


if __name__ == "__main__":
    serve(_main_or_failure)
