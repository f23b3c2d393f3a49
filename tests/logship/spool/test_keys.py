"""Where the spool's key comes from, and what becomes of it."""

import base64
import logging
from pathlib import Path

import pytest

from forewarn.base.errors import ConfigError
from logship.errors import SpoolKeyError
from logship.spool.keys import CREDENTIAL, OLD_CREDENTIAL, OWN_KEY, Key, KeyRing, read_key
from logship.spool.settings import SpoolSettings

SECRETS = [bytes((7 * i + n) % 256 for i in range(32)) for n in range(3)]


def test_without_any_a_key_is_made_once_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = KeyRing(SpoolSettings(), tmp_path, {})
    assert (tmp_path / OWN_KEY).stat().st_mode & 0o777 == 0o600
    assert KeyRing(SpoolSettings(), tmp_path, {}).current == first.current
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "not from whoever reads the whole data directory" in told[0]


def test_a_key_never_shows(tmp_path: Path) -> None:
    key = KeyRing(SpoolSettings(), tmp_path, {}).current
    shown = repr(key) + str(key) + key.name
    assert key.secret.hex() not in shown
    assert key.name == key.id.hex()
    assert key.id not in key.secret


@pytest.mark.parametrize(
    "written", [SECRETS[0], SECRETS[0].hex().encode() + b"\n", base64.b64encode(SECRETS[0]) + b"\n"]
)
def test_a_key_may_be_written_in_three_ways(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "k").write_bytes(written)
    assert read_key(tmp_path / "k") == Key(SECRETS[0])


@pytest.mark.parametrize("written", [b"", b"secret", bytes(32), b"00" * 32, SECRETS[0][:31], SECRETS[0] + b"12"])
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "k").write_bytes(written)
    with pytest.raises(ConfigError, match="holds no key of 32 bytes") as caught:
        read_key(tmp_path / "k")
    assert "secret" not in str(caught.value)


def test_the_credential_goes_before_the_file_and_that_before_an_own_one(tmp_path: Path) -> None:
    KeyRing(SpoolSettings(), tmp_path, {})
    (tmp_path / "named").write_bytes(SECRETS[0])
    settings = SpoolSettings(key_file=tmp_path / "named")
    assert KeyRing(settings, tmp_path, {}).current == Key(SECRETS[0])
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / CREDENTIAL).write_bytes(SECRETS[1])
    (credentials / OLD_CREDENTIAL).write_bytes(SECRETS[2])
    ring = KeyRing(settings, tmp_path, {"CREDENTIALS_DIRECTORY": str(credentials)})
    assert ring.current == Key(SECRETS[1])
    for secret in SECRETS:
        assert ring.find(Key(secret).id) == Key(secret)


def test_a_key_that_everybody_may_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(range(32)))
    for mode, said in ((0o640, 0), (0o644, 1)):
        path.chmod(mode)
        KeyRing(SpoolSettings(key_file=path), tmp_path, {})
        assert caplog.text.count("may be read by everybody") == said


def test_a_key_that_is_missing_is_named(tmp_path: Path) -> None:
    ring = KeyRing(SpoolSettings(), tmp_path, {})
    with pytest.raises(SpoolKeyError, match=Key(SECRETS[0]).name):
        ring.find(Key(SECRETS[0]).id)


def test_rotation_keeps_the_old_key_for_reading_until_nothing_needs_it(tmp_path: Path) -> None:
    ring = KeyRing(SpoolSettings(), tmp_path, {})
    running = KeyRing(SpoolSettings(), tmp_path, {})
    before = ring.current
    after = ring.rotate()
    assert after != before
    assert running.refresh()
    assert not running.refresh()
    assert running.current == after
    assert running.find(before.id) == before
    running.drop_unused([before.id])
    assert KeyRing(SpoolSettings(), tmp_path, {}).find(before.id) == before
    running.drop_unused([])
    with pytest.raises(SpoolKeyError):
        KeyRing(SpoolSettings(), tmp_path, {}).find(before.id)


def test_a_key_from_elsewhere_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "named").write_bytes(SECRETS[0])
    ring = KeyRing(SpoolSettings(key_file=tmp_path / "named"), tmp_path, {})
    with pytest.raises(ConfigError, match="old_key_files"):
        ring.rotate()
    assert not (tmp_path / OWN_KEY).exists()


def test_a_running_shipper_goes_on_where_its_key_file_is_taken_away_or_spoilt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named = tmp_path / "named"
    named.write_bytes(SECRETS[0])
    named.chmod(0o600)
    ring = KeyRing(SpoolSettings(key_file=named), tmp_path, {})
    named.unlink()
    assert not ring.refresh()
    named.write_bytes(b"nonsense")
    caplog.set_level(logging.WARNING)
    assert not ring.refresh()
    assert not ring.refresh()
    assert ring.current == Key(SECRETS[0])
    assert len(caplog.records) == 1
    named.write_bytes(SECRETS[1])
    assert ring.refresh()
    assert ring.current == Key(SECRETS[1])
    assert ring.find(Key(SECRETS[0]).id) == Key(SECRETS[0]), "what was sealed with it must be read"
