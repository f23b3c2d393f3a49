"""Bulk requests over TLS: who is trusted, and that it bears what a plain connection bears."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from logship.delivery.address import Address, tls_context
from logship.delivery.answers import Answer
from logship.delivery.bulk import Bulk
from logship.settings import LogsSettings
from tests.support.wire_server import GOOD, Peer, answer, answering, wire_server

LARGE = 24_000_000
"""Bytes that no socket takes at once."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl not installed")
    path = tmp_path_factory.mktemp("tls") / "cert.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path.parent / "key")]
    subject = ["-subj", "/CN=elastic.test", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = [program, "req", "-x509", *kind, "-out", str(path), "-days", "2", *subject]
    subprocess.run(command, check=True, capture_output=True)
    return path


def context(authority: Path, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = made.maximum_version = version
    made.load_cert_chain(authority, authority.parent / "key")
    made.set_alpn_protocols(["http/1.1"])
    return made


def post(bulk: Bulk, body: bytes = b"body") -> Answer:
    return bulk.post("logs-app-default", memoryview(body), 1)


def bulk_to(url: str, authority: Path | None, **settings: Any) -> Bulk:
    return Bulk(LogsSettings.model_validate({"url": url, "ca_file": authority, "request_timeout": 10, **settings}))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["", "localhost"])
def test_requests_follow_each_other_on_one_connection(authority: Path, version: ssl.TLSVersion, name: str) -> None:
    sizes = (1, 70_000, 3_000_000)
    with wire_server(answering(*[answer()] * 3), tls=context(authority, version), name=name) as server:
        bulk = bulk_to(server.url, authority)
        assert [post(bulk, bytes(size)) for size in sizes] == [Answer(200)] * 3
    assert [len(asked.body) for asked in server.asked] == list(sizes)
    assert server.asked[0].headers["Host"] == server.url.removeprefix("https://")


@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [("127.0.0.1", False, "self-signed certificate"), ("127.0.0.2", True, "IP address mismatch")],
)
def test_nobody_is_trusted_without_proof(authority: Path, name: str, *, trusted: bool, reason: str) -> None:
    with socket.create_server((name, 0)) as listener:
        told: list[BaseException | None] = []

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    with context(authority).wrap_socket(connection, server_side=True) as secure:
                        told.append(None if secure.recv(1) else EOFError())
                except OSError as error:
                    told.append(error)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://{name}:{listener.getsockname()[1]}"
        found = post(bulk_to(url, authority if trusted else None))
        thread.join(60)
    assert found.status == 0
    assert "CERTIFICATE_VERIFY_FAILED" in found.reason
    assert reason in found.reason
    assert told[0] is not None, "something was sent"


def test_verification_can_be_left_out(authority: Path) -> None:
    with wire_server(answering(answer()), tls=context(authority), host="127.0.0.2") as server:
        assert post(bulk_to(server.url, None, verify=False)).status == 200


def test_nothing_older_than_tls_1_2() -> None:
    for verify in (True, False):
        assert tls_context(LogsSettings(verify=verify)).minimum_version == ssl.TLSVersion.TLSv1_2


def test_an_authority_that_cannot_be_read_is_named(authority: Path, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        for path in (tmp_path / "missing.pem", tmp_path / "none.pem"):
            assert f"cannot use {path}: " in post(bulk_to(url, path)).reason


def test_a_server_that_speaks_no_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        found = post(bulk_to(f"https://127.0.0.1:{listener.getsockname()[1]}", None))
        thread.join(60)
    assert (found.status, "WRONG_VERSION_NUMBER" in found.reason) == (0, True)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("closes", [True, False])
def test_an_answer_amid_the_body_is_heard(authority: Path, version: ssl.TLSVersion, *, closes: bool) -> None:
    heard = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(answer(b'{"error":"too much"}', "413 Request Entity Too Large"))
        if closes:
            heard.wait(30)  # what came before a reset may be lost where the other side is still sending
        else:
            server.over.wait(200)

    with wire_server(script, answering(answer()), tls=context(authority, version)) as server:
        bulk = bulk_to(server.url, authority, request_timeout=60)
        found = post(bulk, bytes(LARGE))
        heard.set()
        assert (found.status, found.reason) == (413, "HTTP 413: too much")
        assert post(bulk).status == 200


def test_a_closed_connection_is_not_used_again(authority: Path) -> None:
    closed = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        peer.connection.close()
        closed.set()

    with wire_server(script, answering(answer()), tls=context(authority)) as server:
        bulk = bulk_to(server.url, authority)
        assert post(bulk).status == 200
        assert closed.wait(60)
        time.sleep(0.3)
        assert post(bulk).status == 200


def test_an_answer_up_to_the_end_of_the_connection(authority: Path) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n", GOOD)

    with wire_server(script, tls=context(authority)) as server:
        assert post(bulk_to(server.url, authority)) == Answer(200)


def test_a_silent_server_is_waited_for_as_long_as_told(authority: Path) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        assert peer.ended()

    before = time.monotonic()
    with wire_server(script, tls=context(authority)) as server:
        found = post(bulk_to(server.url, authority, request_timeout=1))
    assert 0.9 < time.monotonic() - before < 40
    assert (found.status, "timed out: no answer within 1 s" in found.reason) == (0, True)


@pytest.mark.parametrize(
    ("url", "host", "name", "authority"),
    [
        ("https://elastic.test./es/", "elastic.test.", "elastic.test", "elastic.test"),
        ("https://[fe80::1%25eth0]:9200", "fe80::1%eth0", "fe80::1", "[fe80::1]:9200"),
        ("https://bücher.test:443", "xn--bcher-kva.test", "xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("http://10.0.0.1:443", "10.0.0.1", "10.0.0.1", "10.0.0.1:443"),
    ],
)
def test_names_of_a_host(url: str, host: str, name: str, authority: str) -> None:
    address = Address.of(url)
    assert (address.host, address.name, address.authority) == (host, name, authority)
