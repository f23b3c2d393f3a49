import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.daemon import RunningDaemon

HEAVY = {"pynvml", "pandas", "prophet", "torch", "pyarrow", "elasticsearch", "transformers", "cmdstanpy", "matplotlib"}
HELP_NEEDS = {"typer", "forewarn"}
HELP_MUST_NOT_LOAD = HEAVY | {"numpy", "fastapi", "pydantic", "uvicorn", "psutil", "urllib3", "apscheduler", "asyncio"}
ROOMS = {"collector", "forecast", "alerts", "logship", "api", "worker", "dashboards"}


def test_the_running_parent_has_loaded_nothing_heavy(tmp_path: Path) -> None:
    listing = tmp_path / "modules"
    runner = Path(__file__).with_name("modules_runner.py")
    arguments = ["run", "--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]
    settings = {"FOREWARN_WORKER__ENABLED": "false", "FOREWARN_COLLECTOR__INTERVAL": "1"}
    daemon = RunningDaemon([sys.executable, str(runner), str(listing), *arguments], {**os.environ, **settings})
    try:
        daemon.wait_ready()
        for path in ("/v1/status", "/v1/targets", "/v1/forecasts", "/v1/alerts", "/v1/rules", "/v1/metrics"):
            daemon.get(path)
        daemon.wait_for(lambda: daemon.get("/v1/status")["forecasts"]["last_run"])
        daemon.process.send_signal(signal.SIGUSR1)
        daemon.wait_for(listing.exists)
        loaded = {name.partition(".")[0] for name in listing.read_text().split()}
    finally:
        daemon.close()
    assert "fastapi" in loaded
    assert loaded & HEAVY == set()


def test_help_loads_little() -> None:
    lines = (
        "import sys",
        "try:",
        " from forewarn.cli import main; main()",
        "except SystemExit:",
        " print(*sys.modules)",
    )
    code = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert loaded >= HELP_NEEDS
    assert loaded & (HELP_MUST_NOT_LOAD | ROOMS) == set()
