"""An alert engine on a clock that the test moves, with its own state.db."""

from pathlib import Path
from typing import Any

from alerts.alert import Alert
from alerts.engine import Engine
from alerts.outbox import Delivery, Idle
from alerts.outcome import Outcome
from alerts.settings import AlertsSettings
from forecast.scorecard import Scorecard
from forewarn.base.sqlite import open_writer
from tests.support.hand_clock import HandClock
from tests.support.latest_samples import Forecasts, LatestSamples, LogAnomalies, Standings

HOT = 'forewarn_gpu_temperature_celsius{gpu="0",sensor="core"}'
HOT_RULE = {
    "name": "Hot",
    "type": "threshold",
    "match": "forewarn_gpu_temperature_celsius",
    "op": ">",
    "value": 80,
    "summary": "GPU {labels.gpu} is at {value}",
}


class Rig:
    def __init__(
        self, folder: Path, *rules: dict[str, Any], receivers: list[dict[str, Any]] | None = None, **more: Any
    ) -> None:
        self.path = folder / "state.db"
        self.clock = HandClock()
        self.store = LatestSamples()
        self.forecasts = Forecasts()
        self.standings = Standings()
        self.log_anomalies = LogAnomalies()
        self.card = Scorecard()
        self.settings = AlertsSettings.model_validate(
            {
                "rule": rules,
                "shipped_rules": False,
                "hostname": "n1",
                "receiver": receivers or [],
                "group_wait": 0,
                "group_interval": 0,
                **more,
            }
        )
        self.start()

    def start(self) -> None:
        """Begin, or begin again after the process ended without a word."""
        self.connection = open_writer(self.path)
        self.engine = Engine(
            self.settings,
            self.store,
            self.forecasts,
            self.connection,
            self.path,
            self.clock,
            anomalies=self.standings,
            log_anomalies=self.log_anomalies,
            card=lambda: self.card,
        )
        self.outbox = self.engine.outbox

    def restart(self, **changes: Any) -> None:
        self.connection.close()
        self.settings = self.settings.model_copy(update=changes)
        self.start()

    async def at(self, seconds: float, **values: float) -> list[Alert]:
        """Let time pass, measure (``hot=81``), evaluate; the alerts then."""
        await self.clock.advance(seconds)
        if "hot" in values:
            self.store.put(HOT, values["hot"], self.clock.now_ms())
        self.engine.evaluate()
        return self.engine.alerts()

    def states(self) -> list[str]:
        return [alert.state for alert in self.engine.alerts()]

    def claim(self, receiver: str = "ops") -> Delivery:
        delivery = self.outbox.claim(receiver)
        assert isinstance(delivery, Delivery), delivery
        return delivery

    def idle(self, receiver: str = "ops") -> bool:
        return isinstance(self.outbox.claim(receiver), Idle)

    def deliver(self, receiver: str = "ops") -> Delivery:
        delivery = self.claim(receiver)
        self.outbox.settle(delivery, Outcome("delivered", reached=True), 0)
        return delivery
