"""Refused documents: kept encrypted, shown, and sent again."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from forewarn.base.clock import SystemClock
from forewarn.base.errors import ConfigError
from forewarn.cli.app import app
from logship.delivery.answers import Item
from logship.delivery.bulk import Bulk
from logship.errors import DeadLetterFullError, LogshipError, SpoolKeyError
from logship.settings import LogsSettings
from logship.spool.keys import OWN_KEY, KeyRing
from logship.spool.letters import FOLDER, OLD_NAME, DeadLetters, Letter
from logship.spool.replay import Outcome, Replay, choice
from logship.spool.settings import SpoolSettings
from tests.support.bulk_sink import BulkSink
from tests.support.hand_clock import HandClock

REFUSED = Item(400, "document_parsing_exception", "failed to parse field [labels.age]")


class Refusing(BulkSink):
    """Refuses documents for what they are."""

    refuses: Callable[[str], bool] = staticmethod(lambda _name: False)

    def _keep(self, create: dict[str, str], source: bytes, stream: str, some: int) -> dict[str, Any]:
        if self.refuses(create["_id"]):
            return {"status": 400, "error": {"type": "document_parsing_exception", "reason": "still wrong"}}
        return super()._keep(create, source, stream, some)


def opened(directory: Path, limit: int = 1_000_000) -> DeadLetters:
    return DeadLetters(directory, limit, KeyRing(SpoolSettings(), directory, {}), HandClock())


def document(number: int, stream: str = "logs-app-default") -> bytes:
    _, dataset, namespace = stream.split("-")
    body = {
        "@timestamp": "2026-01-01T00:00:00Z",
        "message": f"line {number}",
        "noise": random.Random(number).randbytes(40).hex(),
        "data_stream": {"type": "logs", "dataset": dataset, "namespace": namespace},
    }
    return b'{"create":{"_id":"a-%d"}}\n%s\n' % (number, orjson.dumps(body))


def replay(directory: Path, url: str, chosen: Callable[[Letter], bool] | None = None) -> Outcome:
    settings = LogsSettings(url=(url,))
    work = Replay(
        opened(directory),
        Bulk(settings),
        clock=HandClock(1_800_000_100_000),
        chance=random.Random(1),
        gzip=True,
        stopping=threading.Event(),
    )
    return work.run(chosen or choice(None, None), lambda _done, _total: None)


def ids(letters: DeadLetters) -> list[str]:
    return [letter.id for letter in letters.letters()]


def test_what_is_refused_is_kept_byte_for_byte_and_encrypted(tmp_path: Path) -> None:
    letters = opened(tmp_path)
    letters.write("logs-app-default", [(document(1), REFUSED)])
    odd = b'{"create":{"_id":"a-2"}}\n{"n":123456789012345678901234567890,"n":1.10}\n'
    letters.write("logs-app-default", [(odd, Item(413, "request_too_large", "too large"))])
    first, second = opened(tmp_path).letters()
    assert (first.time, first.status, first.index, first.id) == ("2027-01-15T08:00:00Z", 400, "logs-app-default", "a-1")
    assert (first.type, first.reason) == (REFUSED.type, REFUSED.reason)
    assert first.document["message"] == "line 1"
    assert second.source == odd.splitlines()[1]
    for path in (tmp_path / FOLDER).iterdir():
        assert b"line 1" not in path.read_bytes()
        assert path.stat().st_mode & 0o77 == 0


def test_a_full_folder_takes_no_more(tmp_path: Path) -> None:
    letters = opened(tmp_path, limit=1500)
    for kept in range(100):
        if letters.size > 1400:
            break
        letters.write("s", [(document(kept), REFUSED)])
    with pytest.raises(DeadLetterFullError, match="1500 bytes"):
        letters.write("s", [(document(n), REFUSED) for n in range(kept, kept + 9)])
    assert 2 < kept < 10
    assert ids(letters) == [f"a-{number}" for number in range(kept)]


def test_a_full_disk_is_a_full_folder(tmp_path: Path) -> None:
    code = """
import os, resource, sys
from pathlib import Path
from typing import Any
from tests.logship.spool.test_letters import *
letters = opened(Path(sys.argv[1]), 10**9)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
source = b'{"create":{"_id":"big"}}\\n{"x":"%s"}\\n' % os.urandom(9000).hex().encode()
letters.write("s", [(document(1), REFUSED)])
try:
    letters.write("s", [(source, REFUSED)])
except DeadLetterFullError as error:
    print("full:", error)
letters.write("s", [(document(2), REFUSED)])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "full: " in done.stdout
    assert os.strerror(27) in done.stdout
    assert ids(opened(tmp_path)) == ["a-1", "a-2"]


def test_the_file_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    rows = [
        {"time": "2026-01-01T00:00:00Z", "status": 400, "type": "t", "reason": "r", "index": "logs-app-default"}
        | {"id": f"a-{number}", "document": {"message": str(number)}}
        for number in range(2500)
    ]
    old = tmp_path / OLD_NAME
    old.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows) + b'{"time":"2026')
    letters = opened(tmp_path, limit=100)
    assert not old.exists()
    assert ids(letters) == [f"a-{number}" for number in range(2500)]
    assert next(iter(letters.letters())).document == {"message": "0"}


def test_what_arrives_is_removed_and_what_is_refused_again_stays(tmp_path: Path) -> None:
    letters = opened(tmp_path)
    for number in range(0, 40, 4):
        letters.write("logs-app-default", [(document(n), REFUSED) for n in range(number, number + 4)])
    with Refusing() as sink:
        sink.refuses = lambda name: name.endswith("7")
        sink.take(b"".join(document(n) for n in (3, 5)), "logs-app-default", "")
        outcome = replay(tmp_path, sink.url)
        assert (outcome.arrived, outcome.there, outcome.left) == (34, 2, 0)
        assert outcome.refused == {"document_parsing_exception": 4}
        assert ids(letters) == ["a-7", "a-17", "a-27", "a-37"]
        assert next(iter(letters.letters())).time == "2027-01-15T08:01:40Z"
        sink.refuses = lambda _: False
        assert replay(tmp_path, sink.url).arrived == 4
        assert len(sink.documents) == 40
        assert replay(tmp_path, sink.url) == Outcome()
    assert letters.segments() == []


def test_only_some_may_be_sent(tmp_path: Path) -> None:
    letters = opened(tmp_path)
    letters.write("logs-app-default", [(document(1), REFUSED), (document(2), Item(400, "other", "Some Thing"))])
    with Refusing() as sink:
        outcome = replay(tmp_path, sink.url, choice("some thing", None))
        assert (outcome.arrived, outcome.left) == (1, 1)
        assert ids(letters) == ["a-1"]
        assert replay(tmp_path, sink.url, choice(None, "2027-01-15T08:00:01Z")).left == 1
        assert replay(tmp_path, sink.url, choice(None, "2027-01-15T08:00:00Z")).arrived == 1


def test_a_server_that_is_away_costs_nothing(tmp_path: Path) -> None:
    letters = opened(tmp_path)
    letters.write("logs-app-default", [(document(1), REFUSED)])
    with Refusing() as sink:
        sink.api_key = "another"
        with pytest.raises(LogshipError, match="does not take documents"):
            replay(tmp_path, sink.url)
        assert ids(letters) == ["a-1"]
        sink.api_key = ""
        assert replay(tmp_path, sink.url).arrived == 1


def test_one_too_large_request_is_halved(tmp_path: Path) -> None:
    letters = opened(tmp_path)
    letters.write("logs-app-default", [(document(n), REFUSED) for n in range(9)])
    with Refusing() as sink:
        sink.most = 350
        outcome = replay(tmp_path, sink.url)
        assert outcome.arrived == 9
        assert len(sink.documents) == 9


def test_a_shipper_may_add_while_a_replay_takes(tmp_path: Path) -> None:
    shipper, total = opened(tmp_path), 60
    over = threading.Event()

    def refuse() -> None:
        try:
            for number in range(total):
                shipper.write("logs-app-default", [(document(number), REFUSED)])
        finally:
            over.set()

    with Refusing() as sink:
        thread = threading.Thread(target=refuse)
        thread.start()
        arrived = 0
        while not over.is_set():
            arrived += replay(tmp_path, sink.url).arrived
        thread.join()
        arrived += replay(tmp_path, sink.url).arrived
        assert arrived == total == len(sink.documents)
    assert shipper.segments() == []


def test_a_replay_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    letters = opened(tmp_path)
    for number in range(30):
        letters.write("logs-app-default", [(document(number), REFUSED)])
    code = """
import sys
from pathlib import Path
from typing import Any
from tests.logship.spool.test_letters import replay
replay(Path(sys.argv[1]), sys.argv[2])
"""
    with Refusing() as sink:
        sink.fault, sink.every = "slow", 1
        sink.refuses = lambda name: name == "a-0"
        child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), sink.url])
        while len(sink.documents) < 3:
            assert child.poll() is None
            time.sleep(0.01)
        child.kill()
        child.wait(60)
        left = Counter(ids(letters))
        assert set(left) | set(sink.documents) == {f"a-{number}" for number in range(30)}
        assert set(left.values()) == {1}
        sink.every = 0
        outcome = replay(tmp_path, sink.url)
        assert outcome.refused.total() == 1
        assert ids(letters) == ["a-0"]
        assert len(sink.documents) == 29


def command(*arguments: str, directory: Path, config: str = "") -> Result:
    (directory / "forewarn.toml").write_text(config)
    places = ["--config", str(directory / "forewarn.toml"), "--data-dir", str(directory / "data")]
    return CliRunner().invoke(app, ["logs", *arguments, *places])


def test_the_commands(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert command("dead", directory=tmp_path).exit_code == 1
    assert not data.exists()
    data.mkdir()
    nothing = command("dead", directory=tmp_path)
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert command("replay", "--dry-run", directory=tmp_path).stdout == "0 documents would be sent\n"
    assert not any(data.iterdir()), "to look makes no key"
    letters = DeadLetters(data, 10**6, KeyRing(SpoolSettings(), data, {}), SystemClock())
    letters.write("logs-app-default", [(document(1), REFUSED), (document(2), REFUSED)])
    shown = command("dead", directory=tmp_path)
    assert "document_parsing_exception" in shown.stdout
    assert "labels.age" in shown.stdout
    listed = json.loads(command("dead", "--json", directory=tmp_path).stdout)
    assert [one["id"] for one in listed] == ["a-1", "a-2"]
    assert listed[0]["document"]["message"] == "line 1"
    assert json.loads(command("dead", "--json", "--reason", "nothing like it", directory=tmp_path).stdout) == []
    with Refusing() as sink:
        config = f'[logs]\nurl = "{sink.url}"\n'
        dry = command("replay", "--dry-run", "--since", "1h", directory=tmp_path, config=config)
        assert dry.stdout == "2 documents would be sent\n", dry.stderr
        assert sink.documents == {}
        sink.refuses = lambda name: name == "a-2"
        done = command("replay", "--json", directory=tmp_path, config=config)
        assert done.exit_code == 1
        answer = json.loads(done.stdout)
        assert (answer["arrived"], answer["refused"]) == (1, {"document_parsing_exception": 1})
        sink.refuses = lambda _: False
        last = command("replay", directory=tmp_path, config=config)
        assert (last.exit_code, last.stdout.split(",")[0]) == (0, "1 arrived")
    unset = command("replay", directory=tmp_path)
    assert isinstance(unset.exception, ConfigError)


def test_without_its_key_nothing_is_made_up(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    DeadLetters(data, 10**6, KeyRing(SpoolSettings(), data, {}), SystemClock()).write("s", [(document(1), REFUSED)])
    (data / OWN_KEY).unlink()
    assert isinstance(command("dead", directory=tmp_path).exception, SpoolKeyError)
    assert not (data / OWN_KEY).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_root_makes_belongs_to_the_shipper_s_user(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    os.chown(data, 12345, 12346)
    DeadLetters(data, 10**6, KeyRing(SpoolSettings(), data, {}), SystemClock()).write("s", [(document(1), REFUSED)])
    made = [data / OWN_KEY, data / FOLDER, *(data / FOLDER).iterdir()]
    assert len(made) == 4
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(12345, 12346)}
