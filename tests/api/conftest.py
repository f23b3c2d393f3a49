"""One node for the tests of the API: two GPUs, a filling disk, nine days of history, forecasts."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from api.app import create_app
from collector.catalogue import CATALOGUE
from collector.series import SeriesKey
from forewarn.base.clock import SystemClock
from tests.support.api_node import ApiNode, SomeOf


def _kept(key: SeriesKey) -> bool:
    """GPU 0 whole; of GPU 3 nothing that is forecast, for it leaks and would be the first to run out."""
    return key.label("gpu") in {"", "0"} or (key.label("gpu") == "3" and CATALOGUE[key.name].kind is None)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiNode]:
    node = ApiNode(tmp_path_factory.mktemp("node"), SomeOf(SystemClock().now_ms(), _kept))
    node.write_history(days=9)
    node.forecast()
    yield node
    node.close()


@pytest.fixture
async def api(node: ApiNode) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the node's app; a round has just been."""
    await asyncio.sleep(0.002)  # two rounds in one millisecond would be one scrape
    await node.round()
    transport = httpx.ASGITransport(create_app(node.services))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7470") as client:
        yield client
