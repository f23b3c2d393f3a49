import asyncio
import base64
import logging
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from collector.samplers.endpoints.endpoint import Endpoint
from collector.series import SeriesKey
from collector.settings import EndpointSettings
from collector.source import CollectError
from forewarn.base.clock import SystemClock
from forewarn.base.lane import StuckError
from tests.support.page_server import PageServer, full_listener, page_server
from tests.support.ports import free_port

PAGES = Path(__file__).parent.parent / "fixtures" / "endpoints"


@pytest.fixture
def server() -> Iterator[PageServer]:
    with page_server() as server:
        yield server


def endpoint(url: str, *, patience: float = 5.0, **settings: object) -> Endpoint:
    return Endpoint(EndpointSettings.model_validate({"url": url, "name": "ep", **settings}), patience, SystemClock())


async def failure(source: Endpoint) -> str:
    return (await error_of(source)).code


async def error_of(source: Endpoint) -> CollectError:
    with pytest.raises(CollectError) as caught:
        await source.collect()
    await source.close()
    return caught.value


async def test_a_page_becomes_samples(server: PageServer) -> None:
    server.page("/metrics", (PAGES / "vllm.txt").read_bytes())
    source = endpoint(f"{server.url}/metrics")
    samples = {sample.key: sample.value for sample in await source.collect()}
    await source.close()
    waiting = SeriesKey.of(
        "forewarn_inference_requests_waiting",
        model_name="meta-llama/Llama-3.1-8B-Instruct",
        server="vllm",
        endpoint="ep",
    )
    assert samples[waiting] == 3.0
    refused = SeriesKey.of("forewarn_collector_refused_series", collector="endpoint:ep", reason="not_allowed")
    assert samples[refused] == 27.0


async def test_refused_metrics_are_named_once_and_again_when_they_change(
    server: PageServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "collector.samplers.endpoints.endpoint")
    source = endpoint(f"{server.url}/metrics")
    for page in ("a 1\n", "a 2\n", "a 2\nb 1\n"):
        server.page("/metrics", page)
        await source.collect()
    await source.close()
    assert [record.names for record in caplog.records] == [["a"], ["a", "b"]]  # type: ignore[attr-defined]


async def test_nobody_listens() -> None:
    port = free_port()
    error = await error_of(endpoint(f"http://127.0.0.1:{port}/metrics"))
    assert error.code == "refused"
    assert str(error) == f"127.0.0.1:{port}: Failed to establish a new connection: [Errno 111] Connection refused"


async def test_an_error_status_is_no_page(server: PageServer) -> None:
    server.page("/metrics", "a 1\n", status=503)
    assert await failure(endpoint(f"{server.url}/metrics")) == "http_503"


async def test_a_redirect_is_not_followed(server: PageServer) -> None:
    server.page("/metrics", "", status=302)
    assert await failure(endpoint(f"{server.url}/metrics")) == "http_302"


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Hello</body></html>",
        b"a 1\nb \xff\xfe 2\n",
        b'{"status": "ok"}',
        b'vllm:e2e_request_latency_seconds_bucket{le="x"} 1',
    ],
)
async def test_garbage_is_no_page(server: PageServer, body: bytes) -> None:
    server.page("/metrics", body)
    assert await failure(endpoint(f"{server.url}/metrics")) == "parse"


async def test_a_huge_page_is_refused(server: PageServer) -> None:
    server.page("/metrics", "a 1\n" * 50_000)
    assert await failure(endpoint(f"{server.url}/metrics", max_bytes="100KiB")) == "too_large"


async def test_a_page_without_an_end_is_refused_for_its_size(server: PageServer) -> None:
    server.drip("/metrics", b"HTTP/1.0 200 OK\r\n\r\n", b"a 1\n" * 10_000, 0.001)
    assert await failure(endpoint(f"{server.url}/metrics", max_bytes="1MiB")) == "too_large"


async def test_a_page_that_is_cut_off_is_refused(server: PageServer) -> None:
    def cut(handler: object) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\na 1\n")  # type: ignore[attr-defined]

    server.answers["/metrics"] = cut
    assert await failure(endpoint(f"{server.url}/metrics")) == "truncated"


@pytest.mark.timed
async def test_a_server_that_never_answers_meets_the_deadline(server: PageServer) -> None:
    server.hang("/metrics")
    started = time.monotonic()
    assert await failure(endpoint(f"{server.url}/metrics", timeout=0.2)) == "timeout"
    assert time.monotonic() - started < 1


@pytest.mark.timed
async def test_a_body_that_drips_meets_the_deadline_and_frees_the_lane(server: PageServer) -> None:
    server.drip("/metrics", b"HTTP/1.0 200 OK\r\n\r\n", b"a 1\n", 0.05)
    source = endpoint(f"{server.url}/metrics", timeout=0.3)
    with pytest.raises(CollectError) as caught:
        await source.collect()
    assert caught.value.code == "timeout"
    server.page("/metrics", "a 1\n")
    assert await source.collect()
    await source.close()


@pytest.mark.timed
async def test_a_head_that_drips_occupies_this_endpoint_alone(server: PageServer) -> None:
    server.drip("/metrics", b"HTTP/1.0 200 OK\r\nX-Slow: ", b"x", 0.05)
    server.page("/other", "a 1\n")
    slow, other = endpoint(f"{server.url}/metrics", timeout=0.2), endpoint(f"{server.url}/other")
    with pytest.raises(StuckError):
        await slow.collect()
    assert await other.collect()
    await slow.close()
    await other.close()


@pytest.mark.timed
async def test_the_rounds_patience_caps_the_deadline(server: PageServer) -> None:
    server.hang("/metrics")
    started = time.monotonic()
    assert await failure(endpoint(f"{server.url}/metrics", patience=0.2, timeout=30)) == "timeout"
    assert time.monotonic() - started < 1


async def test_a_listener_that_never_accepts_meets_the_deadline() -> None:
    with full_listener() as port:
        error = await error_of(endpoint(f"http://127.0.0.1:{port}/metrics", timeout=0.2))
    assert error.code == "timeout"
    assert str(error) == f"127.0.0.1:{port}: Connection to 127.0.0.1 timed out. (connect timeout=0.2)"


async def test_a_host_that_has_no_address() -> None:
    assert await failure(endpoint("http://a..b/metrics")) == "dns"


async def test_the_token_is_read_for_every_request(server: PageServer, tmp_path: Path) -> None:
    server.page("/metrics", "a 1\n")
    token = tmp_path / "token"
    token.write_text("first\n")
    source = endpoint(f"{server.url}/metrics", bearer_token_file=token)
    await source.collect()
    token.write_text("second\n")
    await source.collect()
    await source.close()
    assert [headers["Authorization"] for _, _, headers, _ in server.requests] == ["Bearer first", "Bearer second"]


async def test_a_token_that_cannot_be_sent_is_a_failure_of_its_own(server: PageServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    assert await failure(endpoint(f"{server.url}/metrics", bearer_token_file=token)) == "token"
    token.write_text("two\nlines")
    assert await failure(endpoint(f"{server.url}/metrics", bearer_token_file=token)) == "token"
    assert server.requests == []


async def test_what_an_address_holds_stays_out_of_the_error(server: PageServer) -> None:
    server.page("/metrics?token=hush", "{ no metric")
    source = endpoint(f"{server.url}/metrics?token=hush")
    with pytest.raises(CollectError) as caught:
        await source.collect()
    await source.close()
    assert caught.value.code == "parse"
    assert "hush" not in str(caught.value)


async def test_nothing_of_openmetrics_is_asked_for_and_anything_is_taken(server: PageServer) -> None:
    server.page("/metrics", 'vllm:prompt_tokens_total{model_name="m"} 3.0 # {trace_id="x"} 1.0\n# EOF\n')
    source = endpoint(f"{server.url}/metrics")
    samples = await source.collect()
    await source.close()
    assert samples[0].value == 3.0
    accepted = server.requests[0][2]["Accept"]
    assert accepted.startswith("text/plain;version=0.0.4")
    assert "openmetrics" not in accepted


async def test_a_password_is_read_for_every_request(server: PageServer, tmp_path: Path) -> None:
    server.page("/metrics", "a 1\n")
    password = tmp_path / "password"
    password.write_text("first\n")
    source = endpoint(f"{server.url}/metrics", username="me", password_file=password)
    await source.collect()
    password.write_text("se cond:\n")
    await source.collect()
    await source.close()
    sent = [headers["Authorization"].removeprefix("Basic ") for _, _, headers, _ in server.requests]
    assert [base64.b64decode(each) for each in sent] == [b"me:first", b"me:se cond:"]


@pytest.mark.timed
async def test_a_page_of_four_mebibytes_does_not_hold_up_the_loop(server: PageServer) -> None:
    line = 'vllm:e2e_request_latency_seconds_bucket{{engine="{n}",le="{le}",model_name="llama"}} {n}.0\n'
    page = "".join(line.format(n=n, le=le) for n in range(2_000) for le in range(20))[: 4 * 2**20 - 100]
    server.page("/metrics", page[: page.rindex("\n") + 1])
    source = endpoint(f"{server.url}/metrics", patience=30, timeout=30)
    late: list[float] = []

    async def beat() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            late.append(time.monotonic() - before - 0.01)

    beating = asyncio.create_task(beat())
    samples = await source.collect()
    beating.cancel()
    await source.close()
    assert len(samples) == 21  # every engine is added up
    assert sorted(late)[int(0.9 * len(late))] < 0.1


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and what it has signed."""

    ca: Path
    server: Path
    client: Path


def openssl(*words: str | Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl not installed")
    subprocess.run([program, *map(str, words)], check=True, capture_output=True)


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Certificates in files that hold their key too."""
    folder = tmp_path_factory.mktemp("tls")
    ca = folder / "ca.pem"
    openssl("req", "-x509", *KEY, "-keyout", folder / "ca.key", "-out", ca, "-days", "2", "-subj", "/CN=ca")
    made = {}
    for name in ("server", "client"):
        extension = folder / f"{name}.ext"
        extension.write_text("subjectAltName=IP:127.0.0.1\n")
        key, request, signed = (folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
        openssl("req", *KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        signer = ("-CA", ca, "-CAkey", folder / "ca.key", "-CAcreateserial")
        openssl("x509", "-req", "-in", request, *signer, "-out", signed, "-days", "2", "-extfile", extension)
        made[name] = folder / f"{name}.pem"
        made[name].write_text(signed.read_text() + key.read_text())
    return Authority(ca, **made)


@pytest.fixture
def secure(authority: Authority) -> Iterator[PageServer]:
    """A server that shows its certificate and asks for one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server)
    context.load_verify_locations(authority.ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    with page_server(tls=context) as server:
        server.page("/metrics", "a 1\n")
        yield server


async def test_a_server_of_a_private_authority_is_trusted_where_the_authority_is_named(
    secure: PageServer, authority: Authority
) -> None:
    assert secure.url.startswith("https://")
    assert await failure(endpoint(f"{secure.url}/metrics")) == "tls"
    source = endpoint(f"{secure.url}/metrics", ca_file=authority.ca)
    assert await source.collect()
    await source.close()


async def test_the_name_of_the_server_is_checked(secure: PageServer, authority: Authority) -> None:
    url = secure.url.replace("127.0.0.1", "localhost")
    assert await failure(endpoint(f"{url}/metrics", ca_file=authority.ca)) == "tls"


async def test_our_own_certificate_is_shown(secure: PageServer, authority: Authority) -> None:
    shown: list[object] = []

    def answer(handler: Any) -> None:
        shown.append(handler.connection.getpeercert())
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\na 1\n")

    secure.answers["/metrics"] = answer
    every: list[dict[str, Any]] = [{}, {"client_certificate_file": authority.client}]
    for settings in every:
        source = endpoint(f"{secure.url}/metrics", ca_file=authority.ca, **settings)
        await source.collect()
        await source.close()
    assert not shown[0]
    assert "client" in str(shown[1])


async def test_certificates_may_be_renewed(secure: PageServer, authority: Authority, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    source = endpoint(f"{secure.url}/metrics", ca_file=ca)
    for text in (None, "no certificate\n", authority.client.read_text()):
        if text is not None:
            ca.write_text(text)
        with pytest.raises(CollectError) as caught:
            await source.collect()
        assert caught.value.code == "tls"
    ca.write_text(authority.ca.read_text())
    assert await source.collect()
    await source.close()


async def test_an_encrypted_key_is_a_failure_and_no_question_at_the_terminal(
    secure: PageServer, authority: Authority, tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    openssl("ec", "-in", authority.client, "-aes256", "-passout", "pass:hush", "-out", key)
    settings: dict[str, Any] = {"client_certificate_file": authority.client, "client_key_file": key}
    assert await failure(endpoint(f"{secure.url}/metrics", ca_file=authority.ca, **settings)) == "tls"
