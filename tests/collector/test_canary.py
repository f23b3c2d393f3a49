import asyncio
import json
import time
from collections.abc import Iterator

import pytest

from collector.samplers.endpoints.canary import Canary
from collector.settings import CanarySettings, EndpointSettings
from forewarn.base.clock import SystemClock
from tests.support.page_server import PageServer, page_server
from tests.support.ports import free_port

ANSWER = json.dumps({"id": "cmpl-1", "object": "text_completion", "choices": [{"index": 0, "text": "pong"}]})


@pytest.fixture
def server() -> Iterator[PageServer]:
    with page_server() as server:
        server.page("/v1/models", json.dumps({"object": "list", "data": [{"id": "tiny-llama", "object": "model"}]}))
        server.page("/v1/completions", ANSWER)
        yield server


class MovedClock(SystemClock):
    """The machine's clock, which a test can put forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


def canary(url: str, clock: SystemClock | None = None, **settings: object) -> Canary:
    endpoint = EndpointSettings(url=f"{url}/metrics", name="ep")
    return Canary(endpoint, CanarySettings.model_validate(settings), clock or SystemClock())


async def state(source: Canary) -> dict[str, float]:
    """Names without their common part, with the outcome behind a colon."""
    found = {}
    for sample in await source.collect():
        outcome = sample.key.label("outcome")
        found[sample.key.name.removeprefix("forewarn_canary_") + (f":{outcome}" if outcome else "")] = sample.value
        assert sample.key.label("endpoint") == "ep"
    return found


async def settled(source: Canary) -> dict[str, float]:
    """The state once the request under way has ended."""
    await state(source)
    if source._task is not None:
        await asyncio.wait({source._task}, timeout=60)
    return await state(source)


async def test_an_answer_gives_a_duration(server: PageServer) -> None:
    source = canary(server.url)
    assert await state(source) == {"requests_total:ok": 0, "requests_total:error": 0, "requests_total:timeout": 0}
    found = await settled(source)
    await source.close()
    assert found["up"] == 1
    assert 0 < found["duration_seconds"] < 60
    assert found["requests_total:ok"] == 1
    (method, path, headers, body) = server.requests[-1]
    assert (method, path, headers["Content-Type"]) == ("POST", "/v1/completions", "application/json")
    assert json.loads(body) == {"model": "tiny-llama", "prompt": "ping", "max_tokens": 4, "temperature": 0}


async def test_a_model_that_is_set_is_not_asked_for(server: PageServer) -> None:
    source = canary(server.url, model="mine", base_url=f"{server.url}/")
    assert (await settled(source))["up"] == 1
    await source.close()
    assert [path for _, path, _, _ in server.requests] == ["/v1/completions"]
    assert json.loads(server.requests[0][3])["model"] == "mine"


async def test_requests_keep_their_interval(server: PageServer) -> None:
    clock = MovedClock()
    source = canary(server.url, clock, model="m", interval=60)
    await settled(source)
    assert (await settled(source))["requests_total:ok"] == 1
    clock.ahead = 61
    assert (await settled(source))["requests_total:ok"] == 2
    await source.close()


async def test_a_server_that_fails_has_no_duration(server: PageServer) -> None:
    clock = MovedClock()
    source = canary(server.url, clock, model="m", interval=60)
    assert "duration_seconds" in await settled(source)
    server.page("/v1/completions", "overloaded", status=503)
    clock.ahead = 61
    found = await settled(source)
    await source.close()
    assert found == {"up": 0, "requests_total:ok": 1, "requests_total:error": 1, "requests_total:timeout": 0}


@pytest.mark.parametrize("body", ["{}", "[1]", "no json", '{"choices": []}'])
async def test_an_answer_without_a_completion_is_an_error(server: PageServer, body: str) -> None:
    server.page("/v1/completions", body)
    source = canary(server.url)
    found = await settled(source)
    await source.close()
    assert (found["up"], found["requests_total:error"]) == (0, 1)


@pytest.mark.timed
async def test_a_server_that_hangs_is_a_timeout_and_holds_no_round_up(server: PageServer) -> None:
    server.hang("/v1/completions")
    source = canary(server.url, model="m", timeout=0.3)
    started = time.monotonic()
    await state(source)
    assert time.monotonic() - started < 0.2
    found = await settled(source)
    await source.close()
    assert (found["up"], found["requests_total:timeout"]) == (0, 1)


async def test_nobody_listens() -> None:
    source = canary(f"http://127.0.0.1:{free_port()}")
    found = await settled(source)
    await source.close()
    assert (found["up"], found["requests_total:error"]) == (0, 1)


async def test_a_model_that_was_replaced_is_asked_for_again(server: PageServer) -> None:
    clock = MovedClock()
    source = canary(server.url, clock, interval=60)
    await settled(source)
    server.page("/v1/models", json.dumps({"data": [{"id": "new-llama"}]}))
    server.page("/v1/completions", "no such model", status=404)
    clock.ahead = 61
    await settled(source)
    server.page("/v1/completions", ANSWER)
    clock.ahead = 122
    assert (await settled(source))["up"] == 1
    await source.close()
    assert json.loads(server.requests[-1][3])["model"] == "new-llama"
