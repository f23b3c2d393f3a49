"""What no request gets past: names, methods, sizes, and headers that every answer carries."""

import asyncio
import http.client
import json
from urllib.parse import urlsplit

import httpx
import pytest

from api.app import create_app, create_metrics_app
from api.middleware import MAX_BODY_BYTES, SECURITY_HEADERS, host_name
from tests.support.api_node import ApiNode, served


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7470", "localhost", "LOCALHOST:9", "[::1]:7470", "[::1]", "node.example", "node.example:80"]
)
async def test_known_names_are_answered(api: httpx.AsyncClient, host: str) -> None:
    assert (await api.get("/healthz", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:7470", "", "[::1].evil", "127.0.0.2"]
)
async def test_other_names_are_not(api: httpx.AsyncClient, host: str) -> None:
    answer = await api.get("/v1/status", headers={"Host": host})
    assert answer.status_code == 421
    assert "allowed_hosts" in answer.json()["error"]["hint"]
    assert "sentence" not in answer.text


async def test_two_names_are_one_too_many(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v1/status", headers=[("Host", "localhost"), ("Host", "evil.example")])
    assert answer.status_code == 421


@pytest.mark.parametrize("mode", ["no-cors", "cors", "same-origin", ""])
async def test_what_another_web_site_asks_for_is_refused(api: httpx.AsyncClient, mode: str) -> None:
    answer = await api.get("/v1/status", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("site", "mode"), [("cross-site", "navigate"), ("same-origin", "cors"), ("none", "navigate"), ("same-site", "cors")]
)
async def test_links_and_the_page_itself_are_served(api: httpx.AsyncClient, site: str, mode: str) -> None:
    answer = await api.get("/v1/status", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode})
    assert answer.status_code == 200


def test_a_host_is_taken_apart() -> None:
    assert [host_name(host) for host in ("A:1", "[::1]:2", "[::1", "a", ":1")] == ["a", "::1", "", "a", ""]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/v1/alerts", "/nowhere"])
async def test_nothing_but_reading_is_served(api: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await api.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert set(answer.json()["error"]) == {"message", "hint"}


async def test_head_is_get_without_a_body(api: httpx.AsyncClient) -> None:
    whole, head = await api.get("/"), await api.head("/")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


async def test_a_large_body_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.request("GET", "/healthz", content=b"x" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/", "/metrics", "/v1/status", "/nowhere", "/static/page.js", "/docs"])
async def test_every_answer_is_strict_and_none_opens_the_api_to_other_sites(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path, headers={"Origin": "https://evil.example"})
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "server" not in answer.headers


async def test_the_refusals_are_strict_too(api: httpx.AsyncClient) -> None:
    answer = await api.get("/", headers={"Host": "evil.example"})
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")


async def test_the_second_socket_serves_metrics_and_health_under_any_name_and_nothing_else(node: ApiNode) -> None:
    await asyncio.sleep(0.002)
    await node.round()
    transport = httpx.ASGITransport(create_metrics_app(node.services))
    async with httpx.AsyncClient(transport=transport, base_url="http://10.1.2.3:7472") as client:
        assert (await client.get("/metrics")).content == node.page
        assert (await client.get("/healthz")).status_code == 200
        for path in ("/", "/docs", "/openapi.json", "/v1/status", "/v1/latest?match=up", "/static/page.js"):
            assert (await client.get(path)).status_code == 404, path
        assert (await client.post("/metrics")).status_code == 405


async def test_an_unexpected_error_tells_the_client_nothing_of_it(node: ApiNode) -> None:
    def broken() -> bytes:
        raise RuntimeError("a secret path")

    services = node.services.__class__(**{**vars(node.services), "metrics": broken})
    transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["error"]["hint"] == "the daemon's log says why"


def test_over_a_real_socket(node: ApiNode) -> None:
    with served(node) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        connection.request("GET", "/v1/status")
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["hostname"] == "test-node"
        connection.putrequest("GET", "/v1/status", skip_host=True)
        connection.putheader("Host", "evil.example")
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 421
        answer.read()
        connection.close()
