"""A daemon whose HTTP server is gone ends, so that it is started anew."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, sys
from pathlib import Path
from api.settings import ApiSettings
from forewarn.config import Config
from forewarn.daemon import Daemon
from forewarn.datadir import DataDir
from forewarn.node import RealNode
from forewarn.serve import HttpServer
from worker.settings import WorkerSettings
import gc

def lose(url):
    (server,) = [each for each in gc.get_objects() if isinstance(each, HttpServer)]
    server.should_exit = True  # as uvicorn does of its own accord
    print("serving", flush=True)

config = Config(api=ApiSettings(listen="127.0.0.1:0"), worker=WorkerSettings(enabled=False))
with DataDir(Path(sys.argv[1])) as data:
    sys.exit(asyncio.run(Daemon(config, data, RealNode(), reload=lambda: config, announce=lose).run()))
"""


def test_a_server_that_ends_by_itself_ends_the_daemon(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "serving\n"
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("the HTTP server ended by itself") == 1
    assert "Traceback" not in done.stderr
