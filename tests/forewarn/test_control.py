import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forewarn.base.errors import ForewarnError
from forewarn.base.frames import Frame
from forewarn.control import ControlClient, ControlServer


async def double(request: Frame) -> Frame:
    return {"value": 2 * int(request["value"])}


async def refuse(_: Frame) -> Frame:
    raise ForewarnError("not today", hint="try tomorrow")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    folder = tmp_path / ("a long name " * 15)  # a unix address ends at 107 bytes
    folder.mkdir()
    server = ControlServer(folder / "control.sock", {"double": double, "refuse": refuse})
    await server.start()
    yield folder / "control.sock"
    await server.close()
    assert not (folder / "control.sock").exists()


def ask(path: Path, kind: str, **fields: object) -> Frame:
    with ControlClient(path) as client:
        return client.ask(kind, **fields)


async def test_a_request_is_answered(path: Path) -> None:
    assert (await asyncio.to_thread(ask, path, "double", value=21))["value"] == 42
    assert stat.S_IMODE((await asyncio.to_thread(path.stat)).st_mode) == 0o600


@pytest.mark.parametrize(
    ("kind", "message"),
    [("refuse", "not today"), ("nonsense", "unknown request 'nonsense'"), ("double", "malformed request")],
)
async def test_what_is_refused_is_told(path: Path, kind: str, message: str) -> None:
    with pytest.raises(ForewarnError, match=message):
        await asyncio.to_thread(ask, path, kind)


async def test_garbage_harms_nobody_else(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def throw_garbage() -> None:
        folder = os.open(path.parent, os.O_PATH)
        with socket.socket(socket.AF_UNIX) as thrower:
            thrower.connect(f"/proc/self/fd/{folder}/{path.name}")
            thrower.sendall(b"\xff\xff\xff\xff garbage")
        os.close(folder)

    await asyncio.to_thread(throw_garbage)
    assert (await asyncio.to_thread(ask, path, "double", value=1))["value"] == 2
    (told,) = caplog.records
    assert "garbage" in told.getMessage()


def test_no_daemon_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ForewarnError, match="forewarn run"):
        ControlClient(tmp_path / "control.sock")


async def test_a_daemon_that_hangs_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "control.sock"))
        server.listen()
        with (
            ControlClient(tmp_path / "control.sock", timeout=0.2) as client,
            pytest.raises(ForewarnError, match="the daemon does not answer: timed out"),
        ):
            client.ask("double", value=1)
