"""A real OpenSearch for tests: its core and HTTP, put together from Maven Central, started on loopback."""

import fcntl
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.elasticsearch import OwnServer, give_up, started
from tests.support.elasticsearch_release import CannotBeHadError, Release, cache, find_jdk
from tests.support.ports import free_port

VERSION = "2.19.1"
_POM = Path(__file__).parent / "opensearch" / "pom.xml"
_HTTP = "transport-netty4-client-"
_DESCRIPTOR = f"""\
name=transport-netty4
description=HTTP
version={VERSION}
opensearch.version={VERSION}
java.version=11
classname=org.opensearch.transport.Netty4Plugin
"""
_POLICY = "grant { permission java.security.AllPermission; };\n"
_LOGGING = """\
appender.console.type = Console
appender.console.name = console
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def prepare() -> Path:
    """The folder of its parts, fetched where they are not there yet."""
    home = cache() / f"opensearch-{VERSION}"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "lib").exists():
            _fetch(home)
    return home


def _fetch(home: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotBeHadError("mvn, which fetches the server, is not installed")
    fresh = home.with_name(f"{home.name}.new")
    told = ["dependency:copy-dependencies", f"-DoutputDirectory={fresh / 'lib'}"]
    done = subprocess.run([maven, "-q", "-B", "-f", _POM, *told], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBeHadError(f"mvn could not fetch the server: {done.stdout.strip()[-300:]}")
    module = fresh / "modules" / "transport-netty4"
    module.mkdir(parents=True)
    for jar in (fresh / "lib").glob("*.jar"):
        if jar.name.startswith(("netty-", _HTTP)):
            jar.rename(module / jar.name)
    (module / "plugin-descriptor.properties").write_text(_DESCRIPTOR)
    (module / "plugin-security.policy").write_text(_POLICY)
    fresh.rename(home)


class OpenSearch(OwnServer):
    """One of our own."""

    END = signal.SIGKILL  # its orderly end takes half a minute without the rest of its distribution

    def __init__(self, folder: Path) -> None:
        self._jdk = find_jdk(Release(VERSION, 17))
        parts, port = prepare(), free_port()
        super().__init__(folder, port)
        for name in ("data", "logs", "tmp", "config", "plugins"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("lib", "modules"):
            (folder / name).symlink_to(parts / name)
        settings = {
            "node.name": "test-1",
            "path.data": folder / "data",
            "path.logs": folder / "logs",
            "http.host": "127.0.0.1",
            "http.port": port,
            "transport.host": "127.0.0.1",
            "transport.port": 0,
            "discovery.type": "single-node",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }
        (folder / "config" / "opensearch.yml").write_text("".join(f"{k}: {v}\n" for k, v in settings.items()))
        (folder / "config" / "log4j2.properties").write_text(_LOGGING)

    def _command(self) -> tuple[list[str], dict[str, str]]:
        options = ["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        own = {
            "java.security.manager": "allow",
            "java.io.tmpdir": self.folder / "tmp",
            "log4j2.disable.jmx": "true",
            "opensearch.path.home": self.folder,
            "opensearch.path.conf": self.folder / "config",
            "opensearch.distribution.type": "tar",
        }
        java = [str(self._jdk / "bin" / "java"), *options, *(f"-D{name}={value}" for name, value in own.items())]
        return [*java, "-cp", f"{self.folder}/lib/*", "org.opensearch.bootstrap.OpenSearch"], {}


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch]:
    """The session's server."""
    try:
        server = OpenSearch(tmp_path_factory.mktemp("opensearch"))
    except CannotBeHadError as error:
        give_up(error, "OpenSearch")
    yield started(server)
    server.close()
