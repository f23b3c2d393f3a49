"""A real Elasticsearch for tests: fetched from Maven Central once, started on loopback.

It lies in ``$XDG_CACHE_HOME/elasticsearch-test`` (``~/.cache`` without that variable); to fetch it beforehand run
``python -m tests.support.elasticsearch``. ``ELASTICSEARCH_URL`` names another server instead. Where there is none and
none can be fetched, tests skip with the reason, unless ``CI`` is set and Maven is there: then that is a failure.
"""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import urllib3

from tests.support.ports import free_port

VERSION = "8.19.21"
JAVA = 17
START_SECONDS = 150
MAX_CONTENT = "1mb"
_HERE = Path(__file__).parent / "elasticsearch"
_HEALTH = "/_cluster/health?wait_for_status=yellow&timeout=1s"


class CannotBeHadError(Exception):
    """There is no server and none can be fetched; the message says why."""


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "elasticsearch-test"


def find_jdk() -> Path:
    java = shutil.which("java")
    named = [os.environ.get("ES_JAVA_HOME"), os.environ.get("JAVA_HOME")]
    places = [Path(name) for name in named if name]
    if java is not None:
        places.append(Path(java).resolve().parent.parent)
    places += sorted(Path("/usr/lib/jvm").glob("*"))
    for place in places:
        if (place / "bin" / "javac").exists():
            environment = {key: value for key, value in os.environ.items() if key != "JAVA_TOOL_OPTIONS"}
            told = subprocess.run(
                [place / "bin" / "java", "-version"], capture_output=True, text=True, check=False, env=environment
            )
            version = re.search(r'version "(\d+)', told.stderr)
            if version is not None and int(version[1]) >= JAVA:
                return place
    raise CannotBeHadError(f"no JDK {JAVA} or later is installed")


def prepare() -> tuple[Path, Path]:
    """The unpacked server and a JDK for it; fetched and built where they are not there yet."""
    jdk, home = find_jdk(), cache() / f"elasticsearch-{VERSION}"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "bin" / "elasticsearch").exists():
            _fetch()
        if not (home / "plugins" / "rest-root" / "plugin-descriptor.properties").exists():
            _build_plugin(jdk, home)
    return jdk, home


def _fetch() -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotBeHadError("mvn, which fetches the server, is not installed")
    command = [maven, "-q", "-B", "-f", str(_HERE / "pom.xml"), f"-Des.version={VERSION}", f"-Des.cache={cache()}"]
    done = subprocess.run([*command, "initialize"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBeHadError(f"mvn could not fetch the server: {done.stdout.strip()[-300:]}")


def _build_plugin(jdk: Path, home: Path) -> None:
    """GET / is missing from the integ-test distribution; this plugin answers it."""
    target = home / "plugins" / "rest-root"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = _HERE / "RestRootPlugin.java"
        compiler = [jdk / "bin" / "javac", "--release", str(JAVA), "-nowarn", "-cp", f"{home}/lib/*", "-d", folder]
        subprocess.run([*compiler, source], check=True, capture_output=True)
        subprocess.run([jdk / "bin" / "jar", "cf", target / "rest-root.jar", "-C", folder, "."], check=True)
    (target / "plugin-descriptor.properties").write_text(
        "name=rest-root\ndescription=GET / for the integ-test distribution\nversion=1\n"
        f"elasticsearch.version={VERSION}\njava.version={JAVA}\nclassname=local.restroot.RestRootPlugin\n"
    )


class Server:
    """An Elasticsearch and the few calls that tests make to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(30))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"}
        data = orjson.dumps(body) if body is not None else None
        response = self._http.request(method, self.url + path, body=data, headers=headers)
        answer = orjson.loads(response.data) if response.data else None
        assert response.status < 300, (response.status, answer)
        return answer

    def count(self, stream: str) -> int:
        self.call("POST", f"/{stream}/_refresh")
        return int(self.call("GET", f"/{stream}/_count")["count"])

    def exists(self, stream: str) -> bool:
        return bool(self.call("GET", f"/_resolve/index/{stream}*")["data_streams"])

    def documents(self, stream: str) -> list[dict[str, Any]]:
        """All documents of a stream (10,000 at most), in the order of the file."""
        self.call("POST", f"/{stream}/_refresh")
        found = self.call(
            "POST", f"/{stream}/_search", {"size": 10_000, "sort": [{"log.file.path": "asc"}, {"log.offset": "asc"}]}
        )
        return [hit["_source"] | {"_id": hit["_id"]} for hit in found["hits"]["hits"]]

    def close(self) -> None:
        self._http.clear()


class LocalServer(Server):
    """A server of our own, which can be killed and started again with the same data and address."""

    def __init__(self, folder: Path) -> None:
        self._jdk, self._home = prepare()
        self._folder = folder
        self._port = free_port()
        super().__init__(f"http://127.0.0.1:{self._port}")
        self._process: subprocess.Popen[bytes] | None = None
        self._configure()

    def _configure(self) -> None:
        for name in ("data", "logs", "tmp", "conf"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        settings = {
            "cluster.name": "test",
            "node.name": "test-1",
            "path.data": self._folder / "data",
            "path.logs": self._folder / "logs",
            "http.host": "127.0.0.1",
            "http.port": self._port,
            "http.max_content_length": MAX_CONTENT,
            "transport.host": "127.0.0.1",
            "transport.port": 0,
            "discovery.type": "single-node",
            "xpack.security.enabled": "false",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "cluster.info.update.interval": "1h",  # each update lifts the blocks that a test has put on an index
        }
        conf = self._folder / "conf"
        (conf / "elasticsearch.yml").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
        (conf / "jvm.options").write_text(
            "-Xms256m\n-Xmx256m\n-XX:+UseSerialGC\n-XX:TieredStopAtLevel=1\n-XX:+ExitOnOutOfMemoryError\n"
            f"-Djava.io.tmpdir={self._folder / 'tmp'}\n"
        )
        for name in ("log4j2.properties", "roles.yml", "role_mapping.yml", "users", "users_roles"):
            shutil.copy(self._home / "config" / name, conf / name)

    def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "ES_JAVA_HOME": str(self._jdk),
            "ES_PATH_CONF": str(self._folder / "conf"),
            "ES_TMPDIR": str(self._folder / "tmp"),
            "HOME": str(self._folder),
        }
        command = [*self._not_root(), str(self._home / "bin" / "elasticsearch")]
        with (self._folder / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self._process.poll() is None, (self._folder / "server.log").read_text()[-2000:]
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if self._http.request("GET", self.url + _HEALTH, timeout=2).status == 200:
                    return
            time.sleep(0.1)
        raise AssertionError(f"the server did not start in {START_SECONDS} s")

    def _not_root(self) -> list[str]:
        """Elasticsearch refuses to be root: a user namespace in which the same user has another number."""
        if os.getuid() != 0:
            return []
        unshare = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
        if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
            raise CannotBeHadError("the server refuses to run as root and user namespaces are not allowed here")
        return unshare

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the server and its launcher, which share a process group of their own."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
        self._process.wait(30)
        self._process = None

    def close(self) -> None:
        super().close()
        if self._process is not None:
            self.kill(signal.SIGTERM)


def _give_up(error: CannotBeHadError) -> None:
    if os.environ.get("CI", "").lower() in {"1", "true"} and shutil.which("mvn") is not None:
        pytest.fail(f"no Elasticsearch: {error}")
    pytest.skip(f"no Elasticsearch: {error}")


@pytest.fixture(scope="session")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The session's server."""
    url = os.environ.get("ELASTICSEARCH_URL")
    if url:
        server = Server(url.rstrip("/"))
        yield server
        server.close()
        return
    try:
        local = LocalServer(tmp_path_factory.mktemp("elasticsearch"))
        local.start()
    except CannotBeHadError as error:
        _give_up(error)
        return
    yield local
    local.close()


@pytest.fixture
def dataset() -> str:
    """A name for a data stream that no other test writes to."""
    return f"t{uuid.uuid4().hex[:16]}"


if __name__ == "__main__":
    prepare()
