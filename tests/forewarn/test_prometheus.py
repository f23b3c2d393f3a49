import subprocess
from pathlib import Path

import pytest
import urllib3

from tests.support.daemon import running
from tests.support.nvml import FakeNvml, shared_fake
from tests.support.ports import free_port

pytestmark = pytest.mark.prometheus


def test_a_real_prometheus_scrapes_it_and_promtool_finds_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nvml = FakeNvml(tmp_path / "nvml.state", shared_fake(tmp_path_factory))
    nvml.set_gpus(8)
    config = '[collector]\ninterval = 1\n[metrics]\nlisten = "127.0.0.1:{port}"\n'
    with running(tmp_path / "data", config=config.format(port=free_port()), env=nvml.environ()) as daemon:
        daemon.wait_for(lambda: sum("gpu_utilization_ratio{" in series for series in daemon.metrics()) == 8)
        page = urllib3.request("GET", f"{daemon.url}/metrics").data
        checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")

        port = free_port()
        scrape = tmp_path / "prometheus.yml"
        target = daemon.url.removeprefix("http://")
        scrape.write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: forewarn, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        prometheus = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={scrape}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stderr=subprocess.DEVNULL,
        )
        try:

            def asked(query: str) -> list[dict[str, object]]:
                url = f"http://127.0.0.1:{port}/api/v1/query"
                try:
                    answer = urllib3.request("GET", url, fields={"query": query}, retries=False)
                except urllib3.exceptions.HTTPError:
                    return []
                if answer.status == 503:  # it listens, and is not ready
                    return []
                found: list[dict[str, object]] = answer.json()["data"]["result"]
                return found

            daemon.wait_for(lambda: len(asked('forewarn_gpu_utilization_ratio{hostname!=""}')) == 8)
            assert len(asked("forewarn_node_memory_total_bytes")) == 1
            assert asked("up")[0]["value"][1] == "1"  # type: ignore[index]
        finally:
            prometheus.terminate()
            prometheus.wait()


def test_the_second_socket_serves_metrics_and_health_only(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path / "data", config=f'[metrics]\nlisten = "127.0.0.1:{port}"\n'):
        address = f"http://127.0.0.1:{port}"
        assert b"forewarn_build_info" in urllib3.request("GET", f"{address}/metrics").data
        assert urllib3.request("GET", f"{address}/healthz").status == 200
        assert {urllib3.request("GET", address + path).status for path in ("/", "/v1/status", "/docs")} == {404}
