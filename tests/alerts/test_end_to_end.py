"""From a sample in the real store and a forecast in the real book to a listener."""

import asyncio
import json
from pathlib import Path

from alerts.engine import Engine
from alerts.settings import AlertsSettings
from alerts.webhook import Webhook
from collector.series import Sample, Scrape, SeriesKey
from collector.store import Store, StoreSettings
from forecast.book import ForecastBook
from forewarn.base.clock import HOUR, SystemClock
from forewarn.base.sqlite import open_writer
from tests.support.hourly import chance
from tests.support.latest_samples import forecast
from tests.support.listener import listening


async def test_shipped_rules_over_the_real_store_and_book(tmp_path: Path) -> None:
    clock, path = SystemClock(), tmp_path / "state.db"
    now = clock.now_ms()
    store = Store.open(tmp_path / "metrics.db", StoreSettings(), clock)
    connection = open_writer(path)
    try:
        lost = SeriesKey.of("forewarn_gpu_diagnosis", condition="gpu_lost", gpu="3", uuid="GPU-3")
        store.append(Scrape(now, [Sample(lost, 1.0)]))
        book = ForecastBook(connection, path)
        used = 'forewarn_gpu_memory_used_bytes{gpu="0",uuid="GPU-0"}'
        book.store([forecast(used, now, breach_ms=now + 50 * HOUR, chance=chance({40: 0.3, 50: 0.81}), points={})])
        with listening() as listener:
            settings = AlertsSettings.model_validate({"receiver": [{"name": "ops", "url": listener.url}]})
            engine = Engine(settings, store, book, connection, path, clock)
            engine.evaluate()
            assert {a.rule: a.state for a in engine.alerts()} == {
                "GpuMemoryWillRunOut": "firing",
                "GpuLost": "pending",
            }
            await asyncio.sleep(0)
            [queued] = engine.outbox.deliveries()
            assert queued["state"] == "queued"
            connection.execute("UPDATE outbox SET next_ms = 0")
            delivery = engine.outbox.claim("ops")
            outcome = await asyncio.to_thread(Webhook(settings.receiver[0], clock).post, delivery.body)
            assert outcome.verdict == "delivered"
            [alert] = json.loads(listener.requests[0].body)["alerts"]
        assert alert["annotations"]["summary"] == "GPU 0 memory will probably reach 76 GiB within 72 h (81 %)"
        assert alert["labels"]["uuid"] == "GPU-0"
    finally:
        store.close()
        connection.close()
