"""Logins, rights and TLS, on real servers with their security on, through the shipper as it runs."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from forewarn.cli.app import app
from logship.elastic.role import setup_role, shipping_role
from tests.support.elasticsearch import PASSWORD, LocalServer, local_server, started
from tests.support.elasticsearch_release import RELEASES
from tests.support.logship import ShipperChild, lines, shipping, wait_for
from tests.support.ports import free_port

pytestmark = [pytest.mark.elasticsearch, pytest.mark.slow]

STREAMS = ["logs-secure*-default"]
ROLES = {
    "shipping": shipping_role(STREAMS),
    "setting-up": setup_role(STREAMS),
    "nothing": {"cluster": [], "indices": []},
}


def make_certificate(certificate: Path, key: Path) -> None:
    """For this machine, and its own authority."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl not installed")
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
    subject = ["-subj", "/CN=elasticsearch.test", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [program, "req", "-x509", *kind, "-out", str(certificate), "-days", "2", *subject]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(
    scope="module", params=[pytest.param(major, marks=pytest.mark.xdist_group(f"secure-{major}")) for major in RELEASES]
)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp(f"secure-{request.param}")
    conf = folder / "conf"  # the server may read no other folder
    conf.mkdir()
    paths = conf / "cert.pem", conf / "key.pem"
    make_certificate(*paths)
    running = started(local_server(folder, RELEASES[request.param], roles=ROLES, certificate=paths))
    yield running
    running.close()


@pytest.fixture
def authority(server: LocalServer) -> Path:
    return server.folder / "conf" / "cert.pem"


def login(server: LocalServer, authority: Path, tmp_path: Path, user: str, password: str = PASSWORD) -> dict[str, Any]:
    secret = tmp_path / "password"
    secret.write_text(password + "\n")
    secret.chmod(0o600)
    return {"url": server.url, "ca_file": str(authority), "username": user, "password_file": str(secret)}


def follow(settings: dict[str, Any], dataset: str, tmp_path: Path, count: int = 100) -> dict[str, Any]:
    path = tmp_path / "server.log"
    path.write_bytes(b"\n".join(lines(count)) + b"\n")
    return {**settings, "dataset": dataset, "file": [{"path": str(path)}]}


def there(server: LocalServer, dataset: str) -> int:
    stream = f"logs-{dataset}-default"
    return server.count(stream) if server.exists(stream) else 0


def told(child: ShipperChild) -> str:
    return child.stderr.read_text()


def config_file(tmp_path: Path, settings: dict[str, Any]) -> Path:
    path = tmp_path / "forewarn.toml"
    rows = [f'{name} = "{value}"' for name, value in settings.items() if name != "file"]
    path.write_text("\n".join(["[logs]", *rows, "[[logs.file]]", f'path = "{settings["file"][0]["path"]}"\n']))
    return path


def test_set_up_by_one_role_and_shipped_by_another(
    server: LocalServer, authority: Path, dataset: str, tmp_path: Path
) -> None:
    """The roles that --print-role gives are enough, each for its part."""
    dataset = f"secure{dataset}"
    settings = follow(login(server, authority, tmp_path, "setting-up"), dataset, tmp_path)
    done = CliRunner().invoke(app, ["logs", "setup", "--config", str(config_file(tmp_path, settings))])
    assert done.exit_code == 0, (done.output, done.exception)
    settings = follow(login(server, authority, tmp_path, "shipping"), dataset, tmp_path)
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: there(server, dataset) == 100, "the documents")
        server.call("POST", f"/logs-{dataset}-default/_rollover")
        child.kill()
    with shipping(settings, tmp_path / "data") as child:
        with Path(settings["file"][0]["path"]).open("ab") as log:
            log.write(b"2026-03-02 00:00:00 INFO one more\n")
        wait_for(lambda: there(server, dataset) == 101, "one more")
        assert "may not be looked for" not in told(child)


def test_a_role_without_rights_is_waited_for_and_named(
    server: LocalServer, authority: Path, dataset: str, tmp_path: Path
) -> None:
    dataset = f"secure{dataset}"
    settings = follow(login(server, authority, tmp_path, "nothing"), dataset, tmp_path)
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: "security_exception" in told(child) or "unauthorized" in told(child), "the reason")
        wait_for(lambda: child.value("forewarn_logs_up") == 0, "the notice")
        assert child.value("forewarn_logs_lines_total", outcome="dead") in {0, None}
    assert there(server, dataset) == 0
    assert not (tmp_path / "data" / "logship-dead.jsonl").exists()


def test_a_wrong_password_is_told_and_the_right_one_is_taken_up(
    server: LocalServer, authority: Path, dataset: str, tmp_path: Path
) -> None:
    dataset = f"secure{dataset}"
    server.call("PUT", f"/_index_template/{dataset}", {"index_patterns": [f"logs-{dataset}-*"], "data_stream": {}})
    settings = follow(login(server, authority, tmp_path, "shipping", "bad-secret-77"), dataset, tmp_path)
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: "401" in told(child) or "authenticate" in told(child), "the reason")
        assert "bad-secret-77" not in told(child)
        login(server, authority, tmp_path, "shipping")
        wait_for(lambda: there(server, dataset) == 100, "the documents")


def test_an_authority_that_is_not_known_is_refused(server: LocalServer, dataset: str, tmp_path: Path) -> None:
    dataset = f"secure{dataset}"
    other = tmp_path / "other.pem"
    make_certificate(other, tmp_path / "key.pem")
    settings = follow(login(server, other, tmp_path, "shipping"), dataset, tmp_path)
    with shipping(settings, tmp_path / "data") as child:
        wait_for(lambda: "certificate" in told(child).lower(), "the reason")
        assert there(server, dataset) == 0


def test_one_of_two_addresses_is_enough(server: LocalServer, authority: Path, dataset: str, tmp_path: Path) -> None:
    dataset = f"secure{dataset}"
    server.call("PUT", f"/_index_template/{dataset}", {"index_patterns": [f"logs-{dataset}-*"], "data_stream": {}})
    settings = follow(login(server, authority, tmp_path, "shipping"), dataset, tmp_path)
    settings["url"] = [f"https://127.0.0.1:{free_port()}", server.url]
    with shipping(settings, tmp_path / "data"):
        wait_for(lambda: there(server, dataset) == 100, "the documents")
