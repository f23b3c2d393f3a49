"""Plans in the daemon: a child makes each, one at a time; the same question in the same hour has the same answer.

A new configuration may declare other capacities, and is answered anew.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from forecast.plan.asking import Ask
from forecast.settings import TargetSettings
from forewarn.base.clock import HOUR
from forewarn.base.errors import ForewarnError
from forewarn.base.frames import Frame
from forewarn.config import Config
from forewarn.foundation import Foundation
from forewarn.supervise import Child, ChildSpec

log = logging.getLogger(__name__)

MOST_WAITING = 4
MOST_KEPT = 8
DEADLINE_SECONDS = 120.0


class PlanError(ForewarnError):
    """No plan can be had now."""


class Plans:
    """Makes plans when they are asked for.

    Args:
        config: the configuration that holds now.
        base: where the series and the forecasts are.
    """

    def __init__(self, config: Callable[[], Config], base: Foundation) -> None:
        self._config = config
        self._base = base
        self._kept: dict[tuple[Ask, tuple[TargetSettings, ...], int], dict[str, Any]] = {}
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._child: Child | None = None
        self._stopped = False

    async def make(self, ask: Ask) -> dict[str, Any]:
        """The plan as JSON has it.

        Raises:
            PlanError: too many are waited for, or the child that makes it failed.
        """
        if self._waiting >= MOST_WAITING:
            raise PlanError(f"{MOST_WAITING} plans are being waited for", hint="ask again in a minute")
        self._waiting += 1
        try:
            async with self._turn:
                key = ask, self._config().target, self._base.clock.now_ms() // HOUR
                if key not in self._kept:
                    made = await self._made(ask)
                    self._kept = {**dict(list(self._kept.items())[1 - MOST_KEPT :]), key: made}
                return self._kept[key]
        finally:
            self._waiting -= 1

    async def stop(self) -> None:
        """End the one that is under way."""
        self._stopped = True
        if self._child is not None:
            await self._child.stop()

    async def _made(self, ask: Ask) -> dict[str, Any]:
        answers: list[Frame] = []
        spec = ChildSpec("plan", "forecast.plan.child", lambda: self._settings(ask), answers.append)
        self._child = Child(spec, self._base.clock)
        status = None if self._stopped else await self._child.run_once()
        lost: Frame = {"kind": "error", "message": "the plan was not finished", "hint": None}
        answer: Frame = answers[-1] if answers else lost
        if answer["kind"] == "plan":
            plan: dict[str, Any] = answer["plan"]
            return plan
        if not self._stopped:
            log.error("no plan: %s", answer["message"], extra={"status": status, "hint": answer["hint"]})
        raise PlanError(answer["message"], hint=answer["hint"] or "the daemon's log says more")

    def _settings(self, ask: Ask) -> Frame:
        config = self._config()
        return {
            "store": str(self._base.data.metrics),
            "state": str(self._base.data.state),
            "targets": [each.model_dump(mode="json") for each in config.target],
            "ask": asdict(ask),
            "as_of_ms": self._base.clock.now_ms(),
            "nice": config.forecast.nice,
            "deadline": DEADLINE_SECONDS,
            "log_level": config.log_level,
        }
