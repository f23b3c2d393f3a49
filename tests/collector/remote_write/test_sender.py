"""Receivers that fail, refuse or dawdle; what is sent, and what becomes of what cannot be."""

import asyncio
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from collector.remote_write.place import Place
from collector.remote_write.post import of_status
from collector.remote_write.settings import RemoteWriteSettings
from collector.series import Sample, SeriesKey
from forewarn.base.clock import HOUR
from tests.support.remote_sender import Rig, sending, stored, until
from tests.support.strict_receiver import RESET, SLOW, Labels, StrictReceiver, receiving

KEYS = [SeriesKey.of("m", n=f"{number:02}") for number in range(20)]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def append(rig: Rig, scrapes: int, end_ms: int | None = None, keys: list[SeriesKey] = KEYS) -> None:
    """Scrapes a second apart, the last at a given time."""
    end_ms = now_ms() if end_ms is None else end_ms
    for number in range(scrapes):
        when = end_ms - (scrapes - 1 - number) * 1000
        rig.append([Sample(key, float(when % 10_000)) for key in keys], when)


async def ready(rig: Rig) -> None:
    """Wait until the sender has found where to begin."""
    await until(lambda: rig.sender.tally.delivered_ms is not None)


def assert_all_there(rig: Rig, receiver: StrictReceiver) -> None:
    wanted = {
        tuple(sorted((("__name__", key.name), *key.labels))): sorted(samples.items())
        for key, samples in stored(rig.store.path).items()
    }
    assert receiver.held == wanted


@pytest.mark.parametrize(
    ("answers", "codes"),
    [
        ([503, 503, 500], {"500": 1, "503": 2}),
        ([(429, {"Retry-After": "0"}), 429], {"429": 2}),
        ([RESET, 408], {"reset": 1, "408": 1}),
        ([401, 403, 404], {"401": 1, "403": 1, "404": 1}),
        ([302], {"302": 1}),
    ],
)
async def test_what_may_pass_is_tried_again(tmp_path: Path, answers: list[Any], codes: dict[str, int]) -> None:
    with receiving(*answers) as receiver:
        async with sending(tmp_path, receiver.url, history=60) as rig:
            append(rig, 5)
            await rig.caught_up()
            assert_all_there(rig, receiver)
            tally = rig.sender.tally
            assert {code: count for code, count in tally.requests.items() if code != "204"} == codes
            assert tally.retried == 100 * len(answers)
            assert not tally.dropped


@pytest.mark.timed
async def test_one_that_never_answers_is_given_up_and_asked_again(tmp_path: Path) -> None:
    with receiving(SLOW) as receiver:
        async with sending(tmp_path, receiver.url, history=60, timeout=0.3) as rig:
            append(rig, 3)
            await rig.caught_up()
            assert_all_there(rig, receiver)
            assert rig.sender.tally.requests["timeout"] == 1


@pytest.mark.timed
async def test_retry_after_is_kept(tmp_path: Path) -> None:
    with receiving((429, {"Retry-After": "1"})) as receiver:
        async with sending(tmp_path, receiver.url, history=60) as rig:
            append(rig, 1)
            started = time.monotonic()
            await rig.caught_up()
            assert 1.0 <= time.monotonic() - started < 3


async def test_a_batch_that_is_too_large_is_halved_until_it_fits(tmp_path: Path) -> None:
    with receiving(most=30) as receiver:
        async with sending(tmp_path, receiver.url, history=60, batch_samples=1000) as rig:
            append(rig, 10)
            await rig.caught_up()
            assert_all_there(rig, receiver)
            assert rig.sender.tally.requests["413"] > 3
            assert all(samples <= 30 for _, samples, _ in receiver.requests)


async def test_one_bad_series_costs_itself_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def bad(labels: Labels) -> bool:
        return ("n", "13") in labels

    with receiving(refuses=bad) as receiver:
        async with sending(tmp_path, receiver.url, history=60) as rig:
            append(rig, 1)
            await rig.caught_up()
            assert len(receiver.held) == 19
            assert rig.sender.tally.dropped == {"refused": 1}
    (line,) = [record for record in caplog.records if record.message == "samples are given up"]
    assert vars(line)["first_series"] == 'm{n="13"}'
    assert (vars(line)["code"], vars(line)["detail"]) == ("400", "label value too long")


async def test_a_series_that_was_refused_costs_no_more_requests(tmp_path: Path) -> None:
    with receiving(refuses=lambda labels: ("n", "13") in labels or ("n", "02") in labels) as receiver:
        async with sending(tmp_path, receiver.url, history=60) as rig:
            append(rig, 5)
            await rig.caught_up()
            requests = len(receiver.requests)
            append(rig, 5, now_ms() + 10_000)
            await rig.caught_up()
            assert rig.sender.tally.dropped == {"refused": 20}
            assert receiver.samples == 180
            assert len(receiver.requests) <= requests + 5  # one a round at most, where it was quicker than the rounds


async def test_a_receiver_that_refuses_everything_is_not_flooded(tmp_path: Path) -> None:
    with receiving(refuses=lambda _: True) as receiver:
        async with sending(tmp_path, receiver.url, history=600, batch_samples=40) as rig:
            append(rig, 100)
            await rig.caught_up()
            assert rig.sender.tally.dropped == {"refused": 2000}
            assert len(receiver.requests) < 20 * 50


async def test_what_the_receiver_had_before_is_no_loss_for_what_it_had_not(tmp_path: Path) -> None:
    """A kill between the delivery and the next bookmark: the same samples come again, alone."""
    with receiving() as receiver:
        async with sending(tmp_path, receiver.url, history=60, batch_samples=100) as rig:
            append(rig, 10)
            await rig.caught_up()
            place = Place.from_text(rig.store.bookmark(rig.sender._bookmark) or "")
            assert place.sending > place.series
            await rig.rest()
            rig.store.save_bookmark(rig.sender._bookmark, place.to_text())
            append(rig, 5, now_ms() + 5000)
            rig.go_on()
            await rig.caught_up()
            assert_all_there(rig, receiver)
            assert rig.sender.tally.dropped.keys() <= {"out_of_order"}


async def test_a_sender_that_ended_in_good_order_repeats_nothing(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with sending(tmp_path, receiver.url, history=60) as rig:
            append(rig, 3)
            await rig.caught_up()
            await rig.rest()
            append(rig, 3, now_ms() + 5000)
            rig.go_on()
            await rig.caught_up()
            assert_all_there(rig, receiver)
            assert rig.sender.tally.requests == {"204": 1}


async def test_labels_and_names_are_as_configured(tmp_path: Path) -> None:
    with receiving() as receiver:
        labels = {"datacenter": "b1", "instance": "node7:9464"}
        options: dict[str, Any] = {"labels": labels, "allow": ("gpu_*", "up"), "deny": ("gpu_secret_*",)}
        async with sending(tmp_path, receiver.url, history=60, headers={"X-Scope-OrgID": "llm"}, **options) as rig:
            names = ("gpu_power", "gpu_secret_power", "up", "upper")
            keys = [*(SeriesKey(name) for name in names), SeriesKey.of("up", hostname="other")]
            append(rig, 2, keys=keys)
            await rig.caught_up()
            sent = [dict(labels) for labels in receiver.held]
    assert sorted(each["__name__"] for each in sent) == ["gpu_power", "up", "up"]
    assert {each["instance"] for each in sent} == {"node7:9464"}
    assert {each["datacenter"] for each in sent} == {"b1"}
    assert {each["hostname"] for each in sent} == {"node7", "other"}
    assert {headers["X-Scope-OrgID"] for headers, _, _ in receiver.requests} == {"llm"}


async def test_series_that_come_and_go_stay_in_order(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with sending(tmp_path, receiver.url, history=600, batch_samples=70, store={"row_age": 1}) as rig:
            await rig.rest()
            start = now_ms() - 300_000
            for number in range(200):
                some = [key for place, key in enumerate(KEYS) if number % (place + 1) == 0]
                rig.append([Sample(key, float(number)) for key in some], start + number * 1000)
                if number % 60 == 0:
                    rig.store.compact()
            rig.go_on()
            await rig.caught_up()
            assert_all_there(rig, receiver)
            assert not rig.sender.tally.dropped


async def test_a_clock_that_is_set_back_loses_nothing_that_the_receiver_takes(tmp_path: Path) -> None:
    """This receiver refuses what is older than what it has, as Prometheus does; what follows arrives."""
    with receiving() as receiver:
        async with sending(tmp_path, receiver.url, history=60) as rig:
            append(rig, 3, now_ms() + 60_000)
            await rig.caught_up()
            before = receiver.samples
            append(rig, 3, now_ms() + 30_000)
            await until(lambda: rig.sender.tally.dropped)
            assert set(rig.sender.tally.dropped) == {"out_of_order"}
            append(rig, 2, now_ms() + 90_000)
            await rig.caught_up()
            assert receiver.samples == before + 40


async def test_what_is_too_old_is_dropped_counted_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with receiving() as receiver:
        async with sending(tmp_path, receiver.url, max_age=3 * 3600, batch_samples=100) as rig:
            await ready(rig)
            await rig.rest()
            start = now_ms() - 8 * HOUR
            for number in range(8 * 12):
                rig.append([Sample(KEYS[0], 1.0)], start + number * 300_000)
            while rig.store.compact():
                pass
            append(rig, 1, keys=[KEYS[0]])
            rig.store.save_bookmark(rig.sender._bookmark, Place.at(start - 1).to_text())
            rig.go_on()
            await rig.caught_up()
            tally = rig.sender.tally
            assert tally.dropped["expired"] + tally.delivered == 97
            assert 59 <= tally.dropped["expired"] <= 62
    (line,) = [record for record in caplog.records if record.message == "samples are given up"]
    assert vars(line)["samples"] == tally.dropped["expired"]


async def test_receivers_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with receiving() as good, receiving(*[503] * 1000) as bad:
        async with sending(tmp_path, good.url, history=60, name="good") as rig:
            first = rig.sender
            rig.settings = RemoteWriteSettings(url=bad.url, name="bad", every=0.02, history=60)
            other = rig.task
            rig.go_on()
            append(rig, 3)
            first.wake()
            await until(lambda: good.samples >= 60 and rig.sender.tally.retried)
            assert_all_there(rig, good)
            assert rig.sender.tally.delivered == 0
            assert rig.sender.tally.retried >= 60
            assert other is not None
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)


async def test_a_store_that_was_replaced_keeps_series_apart(tmp_path: Path) -> None:
    """In the new file ids count anew: labels must not be those of the old one's series."""
    with receiving() as receiver:
        async with sending(tmp_path, receiver.url, history=60) as rig:
            append(rig, 2, keys=KEYS[:5])
            await rig.caught_up()
            await rig.rest()
            with rig.store._lock:
                rig.store._replace_damaged()
            rig.go_on()
            append(rig, 2, now_ms() + 3000, keys=KEYS[4::-1])
            await rig.caught_up()
            assert set(receiver.held) == {
                tuple(sorted((("__name__", "m"), ("hostname", "node7"), ("instance", "node7"), *key.labels)))
                for key in KEYS[:5]
            }
            assert receiver.samples == 20


@pytest.mark.timed
async def test_after_an_outage_it_is_sent_at_a_bounded_rate(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with sending(tmp_path, receiver.url, history=600, batch_samples=100, max_rate=2000) as rig:
            await rig.rest()
            append(rig, 100)
            rig.go_on()
            started = time.monotonic()
            await rig.caught_up()
            assert 0.9 < time.monotonic() - started < 4
            assert receiver.samples == 2000


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(cert), *subject], check=True, capture_output=True)
    return cert, key


async def test_credentials_and_certificates(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(cert)
    context.verify_mode = ssl.CERT_REQUIRED
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    files = {"ca_file": cert, "cert_file": cert, "key_file": key}
    with receiving(tls=context) as receiver:
        async with sending(tmp_path, receiver.url, history=60, username="me", password_file=secret, **files) as rig:
            append(rig, 1)
            await rig.caught_up()
            assert receiver.requests[0][0]["Authorization"] == "Basic bWU6aHVudGVyMg=="
            await rig.rest()
            rig.settings = RemoteWriteSettings(url=receiver.url, every=0.02, bearer_token_file=secret, **files)
            rig.go_on()
            append(rig, 1, now_ms() + 2000)
            await rig.caught_up()
            assert receiver.requests[-1][0]["Authorization"] == "Bearer hunter2"
            await rig.rest()
            rig.settings = RemoteWriteSettings(url=receiver.url, every=0.02)
            rig.go_on()
            append(rig, 1, now_ms() + 4000)
            await until(lambda: rig.sender.tally.requests["tls"])
            assert rig.sender.tally.delivered == 0


@pytest.mark.parametrize(
    ("status", "words", "verdict"),
    [
        (200, "", "delivered"),
        (400, "out of order sample", "out_of_order"),
        (400, "duplicate sample for timestamp", "out_of_order"),
        (400, "out of bounds", "out_of_order"),
        (400, "invalid label", "refused"),
        (422, "", "refused"),
        (401, "", "retry"),
        (413, "", "too_large"),
        (429, "", "retry"),
        (500, "", "retry"),
        (301, "", "retry"),
    ],
)
def test_statuses(status: int, words: str, verdict: str) -> None:
    assert of_status(status, words).verdict == verdict


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "tcp://x"},
        {"url": "http://me:secret@x/"},
        {"url": "http://x/", "username": "me"},
        {"url": "http://x/", "bearer_token_file": "a", "username": "me", "password_file": "b"},
        {"url": "http://x/", "labels": {"__name__": "x"}},
        {"url": "http://x/", "labels": {"a-b": "x"}},
        {"url": "http://x/", "headers": {"Authorization": "x"}},
        {"url": "http://x/", "headers": {"X-A": "x\ny"}},
        {"url": "http://x/", "key_file": "a"},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RemoteWriteSettings(**settings)


def test_a_place_is_read_as_it_was_written() -> None:
    place = Place.at(7).begun(9, row=3).trying(12)
    assert Place.from_text(place.to_text()) == place
    assert np.all([place.in_span, place.delivered().series == 12, place.delivered().finished() == Place.at(9, 3)])


async def test_a_store_that_cannot_be_read_is_said_once_and_then_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with receiving() as receiver:
        async with sending(tmp_path, receiver.url, history=60) as rig:
            await ready(rig)
            file = rig.store.path
            file.rename(tmp_path / "elsewhere")
            rig.sender.wake()
            await until(lambda: rig.sender._trouble)
            await asyncio.sleep(0.1)
            (tmp_path / "elsewhere").rename(file)
            append(rig, 2)
            await rig.caught_up()
            assert_all_there(rig, receiver)
    messages = [record.message for record in caplog.records]
    assert messages.count("remote write cannot use the store") == 1
    assert messages.count("remote write can use the store again") == 1


async def test_a_bookmark_that_somebody_else_wrote_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with receiving() as receiver:
        async with sending(tmp_path, receiver.url) as rig:
            await ready(rig)
            await rig.rest()
            rig.store.save_bookmark(rig.sender._bookmark, "[1]")
            rig.go_on()
            await until(lambda: rig.sender._trouble)
            assert "is no bookmark of remote write" in rig.sender._trouble


async def test_a_receiver_that_says_a_lot_is_not_listened_to_for_long(tmp_path: Path) -> None:
    with receiving(503, 503, words="x" * 40_000_000) as receiver:
        async with sending(tmp_path, receiver.url, history=60) as rig:
            append(rig, 1)
            await rig.caught_up()
            assert_all_there(rig, receiver)
            assert rig.sender.tally.requests == {"503": 2, "204": 1}


async def test_one_connection_serves_many_requests(tmp_path: Path) -> None:
    with receiving(503) as receiver:
        async with sending(tmp_path, receiver.url, history=60, batch_samples=20) as rig:
            append(rig, 6)
            await rig.caught_up()
            pools = rig.sender._delivery._post._pools
            assert pools is not None
            pool = pools.connection_from_url(receiver.url)
            assert pool.num_requests > 2
            assert pool.num_connections == 1
