"""Questions to a server that does not answer as hoped."""

import base64
import ssl
import subprocess
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import orjson
import pytest

from collector.history.prometheus import Access, Prometheus, PrometheusError, TooMuchError, conditions_of, exactly
from collector.series import Matcher
from forewarn.base.errors import ForewarnError, UsageError
from tests.support.listener import listening
from tests.support.page_server import PageServer, page_server
from tests.support.ports import free_port

SERIES = "/api/v1/series"
RANGE = "/api/v1/query_range"
EMPTY = orjson.dumps({"status": "success", "data": []})


def failure(error: str) -> bytes:
    return orjson.dumps({"status": "error", "errorType": "execution", "error": error})


def asked(server: PageServer, access: Access = Access(), path: str = "") -> list[dict[str, str]]:  # noqa: B008
    return Prometheus(server.url + path, access, sleep=lambda _: None, timeout=60).series(["up"], 0, 1000)


@pytest.mark.parametrize("path", ["", "/", "/api/v1", "/api/v1/query", "/graph"])
def test_the_address_may_be_any_of_its_pages(path: str) -> None:
    with page_server() as server:
        server.page(SERIES, EMPTY)
        assert asked(server, path=path) == []
        ((method, _, _, body),) = server.requests
        assert method == "POST"
        assert parse_qs(body.decode()) == {"match[]": ["up"], "start": ["0.000"], "end": ["1.000"]}


def test_a_path_in_front_of_the_api_is_kept() -> None:
    with page_server() as server:
        server.page("/select/0/prometheus" + SERIES, EMPTY)
        assert asked(server, path="/select/0/prometheus/") == []


@pytest.mark.parametrize(
    ("status", "body", "says", "hint", "exit_code"),
    [
        (401, b"who are you", "wants to know who asks", "--bearer-token-file", 1),
        (403, b"", "wants to know who asks", "--basic-auth-file", 1),
        (
            404,
            b"<html>Not here</html>",
            "no Prometheus: it answers with status 404: a web page",
            "in front of /api/v1",
            2,
        ),
        (200, b"<html>Grafana</html>", "no Prometheus", "in front of /api/v1", 2),
        (200, b"[]", "no Prometheus", "in front of /api/v1", 2),
        (400, failure("parse error"), "parse error", "the same query", 1),
        (404, failure("no such tenant"), "no such tenant", "log", 1),
    ],
)
def test_what_is_wrong_is_told(status: int, body: bytes, says: str, hint: str, exit_code: int) -> None:
    with page_server() as server:
        server.page(SERIES, body, status)
        with pytest.raises(ForewarnError, match=says) as caught:
            asked(server)
        assert hint in (caught.value.hint or "")
        assert caught.value.exit_code == exit_code
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 502, 503])
def test_what_may_pass_is_tried_again_with_growing_pauses(status: int) -> None:
    pauses: list[float] = []
    with page_server() as server:
        server.page(SERIES, b"busy", status)

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                server.page(SERIES, EMPTY)

        assert Prometheus(server.url, sleep=pause).series(["up"], 0, 1000) == []
        assert pauses == [1.0, 2.0, 4.0]


def test_a_server_that_goes_away_is_waited_for_and_named() -> None:
    pauses: list[float] = []
    with page_server() as server:
        server.page(SERIES, EMPTY)
        asking = Prometheus(server.url, sleep=pauses.append, timeout=0.1)
        asking.series(["up"], 0, 1000)
        server.hang(SERIES)
        with pytest.raises(PrometheusError, match=r"no answer from http://127\.0\.0\.1:\d+: .*timed out") as caught:
            asking.series(["up"], 0, 1000)
        assert "goes on" in (caught.value.hint or "")
        assert (len(server.requests), len(pauses)) == (6, 4)


def test_an_address_where_nobody_answers_is_named_at_once() -> None:
    pauses: list[float] = []
    with pytest.raises(PrometheusError, match="refused") as caught:
        Prometheus(f"http://127.0.0.1:{free_port()}", sleep=pauses.append).series(["up"], 0, 1000)
    assert "is the address right" in (caught.value.hint or "")
    assert not pauses


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution"),
        (422, "query processing would load too many samples into memory in query execution"),
        (503, "query timed out in expression evaluation"),
        (
            422,
            "too many points for the given step=1000, start=1, end=2: 99; cannot exceed -search.maxPointsPerTimeseries",
        ),
    ],
)
def test_too_much_is_its_own_error_and_not_asked_again(status: int, error: str) -> None:
    with page_server() as server:
        server.page(RANGE, failure(error), status)
        with pytest.raises(TooMuchError) as caught:
            Prometheus(server.url, sleep=lambda _: None).range("up", 0, 60_000, 1000)
        assert "--step" in (caught.value.hint or "")
        assert len(server.requests) == 1


def test_values_come_with_their_times() -> None:
    line = {"metric": {"__name__": "m", "a": "b"}, "values": [[1.5, "2"], [61.5, "NaN"], [121.5, "+Inf"]]}
    with page_server() as server:
        server.page(RANGE, orjson.dumps({"status": "success", "data": {"resultType": "matrix", "result": [line]}}))
        (found,) = Prometheus(server.url).range("m", 1500, 121_500, 60_000)
        assert found.labels == {"a": "b"}
        assert found.times_ms.tolist() == [1500, 61_500, 121_500]
        np.testing.assert_array_equal(found.values, [2.0, np.nan, np.inf])


def test_secrets_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "user").write_text("me:pass:word\n")
    (tmp_path / "odd").write_text("no colon")
    with page_server() as server:
        server.page(SERIES, EMPTY)
        asked(server, Access(bearer_token_file=tmp_path / "token"))
        asked(server, Access(basic_auth_file=tmp_path / "user"))
        sent = [headers.get("Authorization") or headers["authorization"] for _, _, headers, _ in server.requests]
        assert sent == ["Bearer s3cret", "Basic " + base64.b64encode(b"me:pass:word").decode()]
        with pytest.raises(UsageError, match="user:password"):
            asked(server, Access(basic_auth_file=tmp_path / "odd"))
        with pytest.raises(ForewarnError, match="missing"):
            asked(server, Access(bearer_token_file=tmp_path / "missing"))
        with pytest.raises(UsageError, match="certificates"):
            asked(server, Access(ca_file=tmp_path / "missing"))


def test_further_headers_are_sent() -> None:
    with page_server() as server:
        server.page(SERIES, EMPTY)
        asked(server, Access(further=(("X-Scope-OrgID", "llm"),)))
        assert server.requests[0][2]["X-Scope-OrgID"] == "llm"


def test_whoever_vouches_for_the_server_is_named_by_a_file(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with listening(tls=context) as listener:
        url = listener.url.replace("http://", "https://")
        with pytest.raises(PrometheusError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            Prometheus(url, sleep=lambda _: None).series(["up"], 0, 1000)
        assert "--ca-file" in (caught.value.hint or "")
        assert not listener.requests
        with pytest.raises(UsageError, match="no Prometheus"):
            Prometheus(url, Access(ca_file=certificate)).series(["up"], 0, 1000)
        assert len(listener.requests) == 1


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://x", "http://", "http://me:secret@host:9090"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Prometheus(url)
    assert "secret" not in str(caught.value)


def test_a_selector_that_fits_these_series_only() -> None:
    found = exactly([{"__name__": "m", "a": "x.1", "job": "j"}, {"__name__": "m", "a": 'y"2', "job": "j", "b": "1"}])
    assert conditions_of(found) == r'a=~"x\\.1|y\"2",b=~"|1",job="j"'
    many = [{"le": str(number), "job": "j"} for number in range(60)]
    assert exactly(many) == [Matcher("job", "=", "j")]
