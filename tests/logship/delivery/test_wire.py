"""Bulk requests at the wire: what goes out, byte by byte, and every way in which an answer can come or fail to."""

import contextlib
import gzip
import random
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from logship.delivery.answers import Answer
from logship.delivery.bulk import Bulk
from logship.delivery.reply import LARGEST_HEAD, Reader
from logship.errors import WireError
from logship.settings import LogsSettings
from tests.support.ports import free_port
from tests.support.wire_server import GOOD, Peer, Script, answer, answering, wire_server

BODY = b'{"create":{"_id":"a"}}\n{"message":"one"}\n'
LARGE = 24_000_000
"""Bytes that no socket takes at once."""


def bulk_to(*urls: str, **settings: Any) -> Bulk:
    return Bulk(LogsSettings.model_validate({"url": urls, "request_timeout": 20, **settings}))


def post(bulk: Bulk, body: bytes = BODY) -> Answer:
    return bulk.post("logs-app-default", memoryview(body), 1)


def answered(script: Script, body: bytes = BODY, **settings: Any) -> Answer:
    """What a bulk request comes to where a server does this."""
    with wire_server(script) as server:
        return post(bulk_to(server.url, **settings), body)


def once(*pieces: bytes) -> Script:
    """Takes a request, sends these, and closes."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(*pieces)

    return script


def test_requests_follow_each_other_on_one_connection_byte_for_byte() -> None:
    bodies = [random.Random(size).randbytes(size) for size in (1, 70_000, 3_000_000)]
    with wire_server(answering(*[answer()] * 3)) as server:
        bulk = bulk_to(server.url, gzip=False)
        assert [post(bulk, body) for body in bodies] == [Answer(200)] * 3
    assert [asked.body for asked in server.asked] == bodies
    assert server.asked[1].line == (
        "POST /logs-app-default/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,"
        "items.*.failure_store HTTP/1.1"
    )
    assert server.asked[1].headers == {
        "Host": server.url.removeprefix("http://"),
        "User-Agent": "forewarn",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/x-ndjson",
        "Content-Length": "70000",
    }


def test_packed_bodies_are_marked_and_changed_credentials_go_into_the_next_request(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch(0o600)
    with wire_server(answering(answer(b"{}", "401 Unauthorized"), answer())) as server:
        key.write_text("first\n")
        bulk = bulk_to(server.url, api_key_file=str(key))
        assert post(bulk).status == 401
        key.write_text("second\n")
        bulk.renew_credentials()
        assert post(bulk).status == 200
    assert [asked.headers["Authorization"] for asked in server.asked] == ["ApiKey first", "ApiKey second"]
    assert server.asked[0].headers["Content-Encoding"] == "gzip"


def test_a_path_before_the_api_and_victorialogs() -> None:
    with wire_server(answering(answer()), answering(answer())) as server:
        post(bulk_to(f"{server.url}/es/"))
        post(bulk_to(f"{server.url}/insert/elasticsearch"))
    behind, victoria = server.asked
    assert behind.line.startswith("POST /es/logs-app-default/_bulk?filter_path=")
    assert victoria.line == "POST /insert/elasticsearch/_bulk HTTP/1.1"
    assert victoria.headers["VL-Msg-Field"] == "message"


def test_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with wire_server(answering(answer()), host="::1") as server:
        assert post(bulk_to(server.url)).status == 200
    assert server.asked[0].headers["Host"] == server.url.removeprefix("http://")


@pytest.mark.parametrize(
    "url", ["http://", "http://[::1", "http://host:99999", "http://a..b", f"http://{'x' * 70}.example"]
)
def test_an_address_that_is_none_is_an_answer_too(url: str) -> None:
    found = post(bulk_to(url))
    assert found.status == 0
    assert "no address" in found.reason


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"".join(b"%x;name=value\r\n%s\r\n" % (len(part), part) for part in (GOOD[:1], GOOD[1:30], GOOD[30:]))


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        (answer(), True),
        (CHUNKED + CHUNKS + b"0\r\n\r\n", True),
        (CHUNKED + CHUNKS + b"0\r\nX-Took: 3\r\n\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(), True),
        (answer(GOOD, "200 OK", "Connection: close"), False),
        (answer().replace(b"HTTP/1.1", b"HTTP/1.0"), False),
        (answer(GOOD, "200 OK", "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"), True),
        (b"HTTP/1.1 200 OK\r\n\r\n" + GOOD, False),
        (b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + GOOD, False),
        (answer(gzip.compress(GOOD), "200 OK", "Content-Encoding: gzip"), True),
    ],
)
@pytest.mark.parametrize("bytewise", [False, True])
def test_every_form_of_an_answer(reply: bytes, *, kept: bool, bytewise: bool) -> None:
    pieces = [reply[k : k + 1] for k in range(len(reply))] if bytewise else [reply]
    reader = Reader()
    reader.start()
    for piece in pieces:
        if not reader.done:
            reader.take(memoryview(piece))
    if not reader.done:
        reader.take(memoryview(b""))
    found = reader.reply()
    assert (found.status, found.data) == (200, GOOD)
    assert reader.keep is kept

    last = answering(answer())
    scripts = [answering(reply, answer())] if kept else [once(reply), last]
    with wire_server(*scripts) as server:
        bulk = bulk_to(server.url)
        assert [post(bulk), post(bulk)] == [Answer(200)] * 2


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\n", b"garbage"])
def test_more_than_was_asked_for_ends_the_connection(more: bytes) -> None:
    with wire_server(once(answer() + more), answering(answer())) as server:
        bulk = bulk_to(server.url)
        assert [post(bulk), post(bulk)] == [Answer(200)] * 2


def test_an_interim_answer_amid_the_body_does_not_end_it() -> None:
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        peer.request()
        peer.send(answer())

    body = random.Random(1).randbytes(LARGE)
    with wire_server(script) as server:
        assert post(bulk_to(server.url), body).status == 200
    assert server.asked[0].body == body


@pytest.mark.parametrize("status", ["413 Request Entity Too Large", "429 Too Many Requests", "401 Unauthorized"])
@pytest.mark.parametrize("after", ["closes", "resets", "reads nothing more"])
def test_an_answer_amid_the_body_is_heard(status: str, after: str) -> None:
    heard = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.connection.recv(100_000)
        peer.send(answer(b'{"error":"too much"}', status, "Retry-After: 7"))
        if after == "resets":
            heard.wait(30)  # what came before a reset may be lost where it was not yet taken
            peer.reset()
        elif after != "closes":
            server.over.wait(200)

    with wire_server(script, answering(answer())) as server:
        bulk = bulk_to(server.url)
        before = time.monotonic()
        found = post(bulk, bytes(LARGE))
        heard.set()
        assert time.monotonic() - before < 30
        assert (found.status, found.retry_after) == (int(status[:3]), 7)
        assert "too much" in found.reason
        assert post(bulk).status == 200


def test_a_refusal_amid_the_body_counts_though_it_is_cut_short() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 1000\r\n\r\nfor")

    assert answered(script, bytes(LARGE)).status == 413


def test_a_server_that_closes_amid_the_body_without_a_word() -> None:
    def script(peer: Peer) -> None:
        peer.head()

    found = answered(script, bytes(LARGE))
    assert found.status == 0
    assert "closed without an answer" in found.reason or "reset by peer" in found.reason or "pipe" in found.reason


@pytest.mark.parametrize("stray", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n", b"x"])
def test_a_connection_that_was_closed_or_has_spoken_is_not_used_again(stray: bytes) -> None:
    heard, spoken = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer())
        assert heard.wait(60)
        peer.send(stray)
        if stray != b"x":
            peer.connection.close()
        spoken.set()
        assert stray != b"x" or peer.ended()

    with wire_server(script, answering(answer())) as server:
        bulk = bulk_to(server.url)
        assert post(bulk).status == 200
        heard.set()
        assert spoken.wait(60)
        time.sleep(0.3)
        assert post(bulk).status == 200
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([], "closed without an answer"),
        ([b"HTTP/1.1 2"], "cut short"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"], "cut short"),
        ([answer()[:-1]], "cut short"),
        ([CHUNKED, CHUNKS], "cut short"),
        ([CHUNKED, b"5\r\n{}"], "cut short"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n"], "cut short"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n"], "no HTTP"),
        ([CHUNKED, b"zz\r\n"], "no HTTP"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"], "no HTTP"),
        ([b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], "no HTTP"),
        ([b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 2 * LARGEST_HEAD], "head of the answer"),
        ([b"HTTP/1.1 200 OK\r\n" + b"X-Many: y\r\n" * LARGEST_HEAD], "head of the answer"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" * LARGEST_HEAD], "head of the answer"),
        ([answer(b"hello", "200 OK", "Connection: close")], "no answer of a bulk request"),
        ([answer(b"hello", "200 OK", "Connection: close", "Content-Encoding: br")], "no answer of a bulk request"),
    ],
)
def test_what_is_no_answer_is_told_in_one_line(pieces: list[bytes], reason: str) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        try:
            peer.send(*pieces)
        except OSError:
            assert len(b"".join(pieces)) > LARGEST_HEAD  # it was cut off by the other side

    with wire_server(script, answering(answer())) as server:
        bulk = bulk_to(server.url)
        found = post(bulk)
        assert found.status == 0
        assert reason in found.reason
        assert "\n" not in found.reason
        assert found.reason.startswith(server.url) or "bulk request" in reason
        assert post(bulk).status == 200


def test_a_reset_after_the_request() -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.reset()

    assert "reset by peer" in answered(script).reason


@pytest.mark.parametrize("begin", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", CHUNKED + b"5;"])
def test_no_answer_grows_without_bounds(begin: bytes) -> None:
    def read() -> None:
        reader.take(memoryview(begin))
        for _ in range(101):
            reader.take(memoryview(b"a" * 1000))

    reader = Reader(most=100_000)
    with pytest.raises(WireError, match="longer than 100000 bytes"):
        read()
    assert not reader.done


def test_a_silent_server_is_waited_for_as_long_as_told() -> None:
    before = time.monotonic()

    def script(peer: Peer) -> None:
        peer.request()
        assert peer.ended()

    found = answered(script, request_timeout=1)
    assert 0.9 < time.monotonic() - before < 40
    assert (found.status, "timed out: no answer within 1 s" in found.reason) == (0, True)


def test_an_answer_that_drips_is_waited_for_as_long_as_told() -> None:
    before = time.monotonic()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with contextlib.suppress(OSError):
            while time.monotonic() < before + 50:
                peer.send(b" ")
                time.sleep(0.2)

    found = answered(script, request_timeout=1)
    assert 0.9 < time.monotonic() - before < 40
    assert (found.status, "timed out: no answer within 1 s" in found.reason) == (0, True)


def test_a_server_that_takes_nothing_more() -> None:
    with wire_server(lambda peer: peer.head() and server.over.wait(200) and None) as server:
        found = post(bulk_to(server.url, request_timeout=1), bytes(LARGE))
    assert (found.status, "timed out: nothing more of the request" in found.reason) == (0, True)


def test_a_server_that_accepts_nobody() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        time.sleep(0.1)
        found = post(bulk_to(f"http://127.0.0.1:{full.getsockname()[1]}"))
        for caller in callers:
            caller.close()
    assert (found.status, "timed out: no connection within 5 s" in found.reason) == (0, True)


def test_addresses_take_turns_after_a_failure() -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with wire_server(answering(answer(), answer(b"{}", "503 Service Unavailable"), answer())) as server:
        bulk = bulk_to(nobody, server.url)
        refused = post(bulk)
        assert (refused.status, refused.reason) == (0, f"{nobody}: [Errno 111] Connection refused")
        assert [post(bulk).status for _ in range(4)] == [200, 503, 0, 200]


def test_every_thread_has_its_own_connection_and_lets_go_of_it_at_its_end() -> None:
    together = threading.Barrier(3)
    statuses = []
    with wire_server(*[answering(answer(), answer())] * 3) as server:
        bulk = bulk_to(server.url)

        def run() -> None:
            statuses.append(post(bulk).status)
            together.wait(60)
            statuses.append(post(bulk).status)

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert statuses == [200] * 6
