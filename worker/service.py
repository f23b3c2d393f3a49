"""The worker put together: model, engine, HTTP server, and its end."""

import asyncio
import contextlib
import logging
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import uvicorn

from forewarn.base.address import Address
from forewarn.base.clock import Clock
from worker.app import create_app
from worker.checkpoint import Loaded, load
from worker.completions import Completions, Served
from worker.device import why_no_cuda
from worker.engine import Engine
from worker.metrics import Meters
from worker.pool import TokenPool
from worker.runner import Runner
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """uvicorn without its signal handling (the child's channel decides), and with word of its start."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say so."""
        await super().startup(sockets)
        self._on_start()


class Service:
    """A loaded model behind its HTTP server."""

    def __init__(self, settings: WorkerSettings, data_dir: Path, clock: Clock, randomness: random.Random) -> None:
        torch.set_num_threads(settings.threads)
        torch.set_num_interop_threads(1)
        self.device = _device(settings)
        began = clock.monotonic()
        loaded = load(settings.model, data_dir, self.device)
        self.served = _served(loaded, self.device, settings)
        self._meters = Meters(self.served.name)
        self._meters.loaded(clock.monotonic() - began)
        if self.device == "cuda":
            self._meters.watch_gpu(torch.cuda.memory_allocated, torch.cuda.memory_reserved)
        pool = TokenPool(settings.kv_cache_tokens, loaded.model.config, loaded.model.dtype, loaded.model.device)
        steps = Runner(loaded.model, pool)
        self._engine = Engine(settings, steps, pool, meters=self._meters, clock=clock, end_tokens=loaded.end_tokens)
        completions = Completions(
            settings,
            self.served,
            loaded.tokenizer,
            engine=self._engine,
            meters=self._meters,
            clock=clock,
            randomness=randomness,
        )
        self._app = create_app(completions, self._engine, self._meters, Address.parse(settings.listen).host)

    def serve(self, listener: socket.socket, stopping: threading.Event, on_ready: Callable[[], None]) -> None:
        """Answer requests until ``stopping`` is set; those in flight are then answered with 503."""
        asyncio.run(self._serve(listener, stopping, on_ready))

    async def _serve(self, listener: socket.socket, stopping: threading.Event, on_ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            self._app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            http="h11",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        server = _Server(config, on_ready)
        loop = asyncio.get_running_loop()

        def end() -> None:
            self._engine.stop()
            server.should_exit = True

        def watch() -> None:
            stopping.wait()
            with contextlib.suppress(RuntimeError):  # the loop is gone already
                loop.call_soon_threadsafe(end)

        self._engine.start()
        threading.Thread(target=watch, name="stopping", daemon=True).start()
        await server.serve(sockets=[listener])


def _device(settings: WorkerSettings) -> str:
    if settings.device == "cpu":
        return "cpu"
    if (reason := why_no_cuda()) is None:
        return "cuda"
    log.warning("worker.device is cuda, but the model runs on the CPU", extra={"reason": reason})
    return "cpu"


def _served(loaded: Loaded, device: str, settings: WorkerSettings) -> Served:
    config = loaded.model.config
    return Served(
        name=loaded.name,
        device=device,
        random=loaded.random,
        parameters=sum(weight.numel() for weight in loaded.model.parameters()),
        vocabulary=config.vocab_size,
        context=min(config.max_position_embeddings, settings.kv_cache_tokens),
        created=loaded.created,
    )
