"""One attempt against real listeners: every answer that there is, and those that are none."""

import socket
from pathlib import Path
from typing import get_args

import pytest

from alerts.outcome import FailureReason, backoff, of_status, parse_retry_after
from alerts.settings import ReceiverSettings
from alerts.webhook import Webhook
from forewarn.base.clock import SystemClock
from tests.support.listener import NEVER, RESET, listening

CLOCK = SystemClock()
DELIVERED = {*range(200, 300)}
RETRIED = {408: "timeout", 429: "rate_limited", **dict.fromkeys(range(500, 600), "server_error")}
AUTH = {401, 403, 407}


def hook(url: str, **more: object) -> Webhook:
    return Webhook(ReceiverSettings.model_validate({"name": "ops", "url": url, **more}), CLOCK)


def expected(status: int) -> tuple[str, str | None]:
    if status in DELIVERED:
        return "delivered", None
    if status in RETRIED:
        return "retry", RETRIED[status]
    if 300 <= status < 400:
        return "refused", "redirect"
    return "refused", "auth_error" if status in AUTH else "client_error"


def test_every_status_has_its_meaning() -> None:
    found = {status: of_status(status, 7.0) for status in range(100, 1000)}
    assert {status: (outcome.verdict, outcome.reason) for status, outcome in found.items()} == {
        status: expected(status) for status in found
    }
    waits = {status for status, outcome in found.items() if outcome.retry_after == 7.0}
    assert waits == set(RETRIED)
    assert {s for s, o in found.items() if o.reached} == DELIVERED | RETRIED.keys() - {429}
    assert {outcome.reason for outcome in found.values() if outcome.reason} <= set(get_args(FailureReason))


def test_the_request_as_the_receiver_sees_it() -> None:
    with listening() as listener:
        assert hook(f"{listener.url}?key=1").post(b'{"a":1}').verdict == "delivered"
    [request] = listener.requests
    assert (request.method, request.path, request.body) == ("POST", "/hook?key=1", b'{"a":1}')
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["User-Agent"].startswith("Forewarn/")
    assert request.headers["Host"] == listener.url.split("/")[2]
    assert "Authorization" not in request.headers


def test_the_token_is_read_before_every_attempt(tmp_path: Path) -> None:
    token = tmp_path / "token"
    with listening() as listener:
        webhook = hook(listener.url, bearer_token_file=token)
        assert webhook.post(b"{}").reason == "settings"
        for text in ("first\n", "second\n"):
            token.write_text(text)
            assert webhook.post(b"{}").verdict == "delivered"
    assert [request.headers["Authorization"] for request in listener.requests] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("text", ["to€ken", "two\nlines"])
def test_a_token_that_no_header_can_carry_is_an_outcome_that_does_not_show_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text, encoding="utf-8")
    with listening() as listener:
        outcome = hook(listener.url, bearer_token_file=tmp_path / "token").post(b"{}")
    assert (outcome.verdict, outcome.reason, outcome.reached) == ("retry", "settings", False)
    assert "€" not in outcome.detail
    assert "lines" not in outcome.detail
    assert listener.requests == []


def test_the_address_may_live_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    webhook = Webhook(ReceiverSettings(name="ops", url_file=file), CLOCK)
    with listening() as listener:
        file.write_text(f"{listener.url}/s3cr3t\n")
        assert webhook.post(b"{}").verdict == "delivered"
        assert listener.requests[0].path == "/hook/s3cr3t"
    file.write_text("ftp://s3cr3t")
    outcome = webhook.post(b"{}")
    assert (outcome.verdict, outcome.reason) == ("retry", "settings")
    assert "s3cr3t" not in outcome.detail


def test_a_redirect_is_not_followed() -> None:
    with listening() as other, listening((302, {"Location": "x"})) as listener:
        listener.then = (302, {"Location": other.url})
        outcome = hook(listener.url).post(b"{}")
    assert (outcome.verdict, outcome.reason) == ("refused", "redirect")
    assert other.requests == []


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as proxy, listening() as listener:
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(variable, proxy.url)
        assert hook(listener.url).post(b"{}").verdict == "delivered"
    assert proxy.requests == []


def test_retry_after_comes_through() -> None:
    with listening((429, {"Retry-After": "17"})) as listener:
        outcome = hook(listener.url).post(b"{}")
    assert (outcome.verdict, outcome.reason, outcome.retry_after) == ("retry", "rate_limited", 17.0)


def test_the_answers_body_is_never_repeated() -> None:
    with listening(400) as listener:
        assert "secret" not in hook(listener.url).post(b"{}").detail


def test_silence_is_a_timeout_and_may_have_arrived() -> None:
    with listening(NEVER) as listener:
        outcome = hook(listener.url, timeout=0.3).post(b"{}")
    assert (outcome.verdict, outcome.reason, outcome.reached) == ("retry", "timeout", True)


def test_a_reset_may_have_arrived() -> None:
    with listening(RESET) as listener:
        outcome = hook(listener.url).post(b"{}")
    assert (outcome.verdict, outcome.reason, outcome.reached) == ("retry", "connection", True)


def test_a_closed_port_was_not_reached() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        outcome = hook(f"http://127.0.0.1:{taken.getsockname()[1]}/").post(b"{}")
    assert (outcome.verdict, outcome.reason, outcome.reached) == ("retry", "connection", False)
    assert "refused" in outcome.detail.lower()


def test_a_name_that_nobody_knows_is_tried_again() -> None:
    outcome = hook("http://no-such-host.invalid/").post(b"{}")
    assert (outcome.verdict, outcome.reason, outcome.reached) == ("retry", "connection", False)


def test_no_tls_where_tls_was_asked_for() -> None:
    with listening() as listener:
        outcome = hook(listener.url.replace("http:", "https:")).post(b"{}")
    assert (outcome.verdict, outcome.reason) == ("retry", "connection")
    assert listener.requests == []


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "100.100.100.200", "[fd00:ec2::254]", "0.0.0.0"],
)
def test_metadata_addresses_are_refused(address: str) -> None:
    outcome = hook(f"http://{address}/latest/meta-data").post(b"{}")
    assert (outcome.verdict, outcome.reason) == ("refused", "settings")


def test_a_name_that_leads_to_one_is_refused_too() -> None:
    with listening() as listener:
        settings = ReceiverSettings.model_validate({"name": "ops", "url": listener.url})
        webhook = Webhook(settings, CLOCK, lambda *_: ["127.0.0.1", "169.254.169.254"])
        assert webhook.post(b"{}").verdict == "refused"
    assert listener.requests == []


def test_the_next_address_is_tried_when_the_first_is_closed() -> None:
    with listening() as listener:
        settings = ReceiverSettings.model_validate({"name": "ops", "url": listener.url.replace("127.0.0.1", "node")})
        webhook = Webhook(settings, CLOCK, lambda *_: ["127.0.0.99", "127.0.0.1"])
        assert webhook.post(b"{}").verdict == "delivered"
        assert listener.requests[0].headers["Host"].startswith("node:")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Fri, 15 Jan 2027 08:01:40 GMT", 100.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("99999999", 6 * 3600.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, 1_800_000_000_000) == seconds


def test_backoff_grows_with_full_jitter_up_to_its_cap() -> None:
    assert [backoff(attempt, lambda: 1.0) for attempt in (1, 2, 3, 8, 9, 5000)] == [2, 4, 8, 256, 300, 300]
    assert backoff(5, lambda: 0.25) == 8.0
