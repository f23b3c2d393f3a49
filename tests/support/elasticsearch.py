"""A real Elasticsearch for tests, started on loopback: see ``elasticsearch_release`` for where it comes from.

``ELASTICSEARCH_URL`` names another server instead. Where there is none and none can be fetched, tests skip with the
reason, unless ``CI`` is set and Maven is there: then that is a failure (but for a JDK that is too old for a release).
"""

import base64
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import orjson
import psutil
import pytest
import urllib3

from tests.support.elasticsearch_release import RELEASES, CannotBeHadError, Release, find_jdk, prepare
from tests.support.ports import free_port

__all__ = ["CannotBeHadError", "LocalServer", "Server", "dataset", "each_elasticsearch", "elasticsearch"]

T = TypeVar("T", bound="OwnServer")

START_SECONDS = 300
USER, PASSWORD = "tests", "tests-only"
"""Of servers with security: may do everything."""
_HEALTH = "/_cluster/health?wait_for_status=yellow&timeout=1s"


class Server:
    """An Elasticsearch and the few calls that tests make to it."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, ca_file: Path | None = None) -> None:
        self.url = url
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        pool = {"ca_certs": str(ca_file)} if ca_file else {}
        self._http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(90), **pool)  # type: ignore[arg-type]

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """The status, and what the answer holds."""
        data = orjson.dumps(body) if body is not None else None
        response = self._http.request(method, self.url + path, body=data, headers=self._headers)
        return response.status, orjson.loads(response.data) if response.data else None

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What an answer holds that must be a good one."""
        status, answer = self.ask(method, path, body)
        assert status < 300, (status, answer)
        return answer

    def bulk(self, stream: str, documents: Mapping[str, dict[str, Any]]) -> list[int]:
        """Create documents by id; the status of each."""
        lines = [part for name, source in documents.items() for part in ({"create": {"_id": name}}, source)]
        body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        headers = self._headers | {"Content-Type": "application/x-ndjson"}
        response = self._http.request("POST", f"{self.url}/{stream}/_bulk?refresh=true", body=body, headers=headers)
        return [item["create"]["status"] for item in orjson.loads(response.data)["items"]]

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


class OwnServer(Server):
    """A server that we start, and can kill and start again with the same data and address.

    Args:
        folder: where it lives.
        more: see ``Server``.
    """

    END = signal.SIGTERM

    def __init__(self, folder: Path, port: int, *, scheme: str = "http", **more: Any) -> None:
        super().__init__(f"{scheme}://127.0.0.1:{port}", **more)
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self) -> tuple[list[str], dict[str, str]]:
        """What is run, and in which environment."""
        raise NotImplementedError

    def start(self) -> None:
        command, environment = self._command()
        environment |= {
            "PATH": os.environ["PATH"],
            "ES_TMPDIR": str(self.folder / "tmp"),
            "HOME": str(self.folder),
        }
        with (self.folder / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*self._not_root(), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        end, fault = time.monotonic() + START_SECONDS, None
        while time.monotonic() < end:
            assert self._process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            try:
                found = self._http.request("GET", self.url + _HEALTH, headers=self._headers, timeout=10).status
                if found == 200:
                    return
                fault = found
            except urllib3.exceptions.HTTPError as error:
                fault = error
            time.sleep(0.1)
        self.kill()
        raise AssertionError(f"the server did not start in {START_SECONDS} s: {fault!r}")

    def _not_root(self) -> list[str]:
        """Elasticsearch refuses to be root: a user namespace in which the same user has another number."""
        if os.getuid() != 0:
            return []
        unshare = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
        if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
            raise CannotBeHadError("the server refuses to run as root and user namespaces are not allowed here")
        return unshare

    def cpu_seconds(self) -> float:
        """Processor time of the server since its start."""
        assert self._process is not None
        of_group = [p for p in psutil.Process().children(recursive=True) if os.getpgid(p.pid) == self._process.pid]
        return sum(sum(process.cpu_times()[:2]) for process in of_group)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the server and its launcher, which share a process group of their own."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
        self._process.wait(60)
        self._process = None

    def close(self) -> None:
        super().close()
        if self._process is not None:
            self.kill(self.END)


class LocalServer(OwnServer):
    """An Elasticsearch of our own.

    Args:
        folder: where it lives.
        release: which one.
        settings: further lines of ``elasticsearch.yml``.
        roles: with security: what each role may do; there is a user of each role, with its name and PASSWORD.
        certificate: files of a certificate, which stands for itself as authority, and its key: HTTPS.
        max_content: longest request.
        heap: of the Java machine.
        tiered: whether it compiles as well as it can, which a short test does not live to see.
    """

    def __init__(
        self,
        folder: Path,
        release: Release = RELEASES["8"],
        *,
        settings: Mapping[str, Any] | None = None,
        roles: Mapping[str, Any] | None = None,
        certificate: tuple[Path, Path] | None = None,
        max_content: str = "1mb",
        heap: str = "256m",
        tiered: bool = False,
    ) -> None:
        self.release = release
        self._jdk = prepare(release)
        self._port = free_port()
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        super().__init__(
            folder,
            self._port,
            scheme="https" if certificate else "http",
            headers={"Authorization": f"Basic {login}"} if roles is not None else None,
            ca_file=certificate[0] if certificate else None,
        )
        more = {"http.max_content_length": max_content, **(settings or {}), **_security(roles, certificate)}
        self._configure(more, heap, 4 if tiered else 1)
        if roles is not None:
            self.allow(roles)

    def _configure(self, more: Mapping[str, Any], heap: str, tier: int) -> None:
        for name in ("data", "logs", "tmp", "conf"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        settings = {
            "cluster.name": "test",
            "node.name": "test-1",
            "path.data": self.folder / "data",
            "path.logs": self.folder / "logs",
            "http.host": "127.0.0.1",
            "http.port": self._port,
            "transport.host": "127.0.0.1",
            "transport.port": 0,
            "discovery.type": "single-node",
            "xpack.security.enabled": "false",
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "cluster.info.update.interval": "1h",  # each update lifts the blocks that a test has put on an index
        } | more
        conf = self.folder / "conf"
        (conf / "elasticsearch.yml").write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
        (conf / "jvm.options").write_text(
            f"-Xms{heap}\n-Xmx{heap}\n-XX:+UseSerialGC\n-XX:TieredStopAtLevel={tier}\n-XX:+ExitOnOutOfMemoryError\n"
            f"-Djava.io.tmpdir={self.folder / 'tmp'}\n"
        )
        for name in ("log4j2.properties", "roles.yml", "role_mapping.yml", "users", "users_roles"):
            shutil.copy(self.release.home / "config" / name, conf / name)

    def allow(self, roles: Mapping[str, Any]) -> None:
        """Roles of the file realm, and a user of each; the server reads them anew within five seconds."""
        names = [USER, *roles]
        given = {"superuser": USER, **{role: role for role in roles}}
        conf = self.folder / "conf"
        for file, text in (
            ("roles.yml", "".join(f"{name}: {orjson.dumps(role).decode()}\n" for name, role in roles.items())),
            ("users", "".join(f"{name}:{_hashed(PASSWORD)}\n" for name in names)),
            ("users_roles", "".join(f"{role}:{user}\n" for role, user in given.items())),
        ):
            (conf / file).write_text(text)

    def _command(self) -> tuple[list[str], dict[str, str]]:
        environment = {"ES_JAVA_HOME": str(self._jdk), "ES_PATH_CONF": str(self.folder / "conf")}
        return [str(self.release.home / "bin" / "elasticsearch")], environment


def _security(roles: Mapping[str, Any] | None, certificate: tuple[Path, Path] | None) -> dict[str, Any]:
    if roles is None:
        return {}
    tls = {"certificate": certificate[0], "key": certificate[1]} if certificate else {}
    return {
        "xpack.security.enabled": "true",
        "xpack.security.http.ssl.enabled": str(bool(certificate)).lower(),
        **{f"xpack.security.http.ssl.{key}": value for key, value in tls.items()},
        "resource.reload.interval.high": "1s",
    }


def _hashed(password: str) -> str:
    salt, rounds = os.urandom(32), 1000
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, 32)
    return f"{{PBKDF2}}{rounds}${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


class Servers:
    """Servers of one session, each started when it is first asked for."""

    def __init__(self, folder: Callable[[str], Path]) -> None:
        self._folder = folder
        self._running: dict[str, Server] = {}

    def get(self, major: str) -> Server:
        """The one of a release, or the one that ELASTICSEARCH_URL names."""
        url = os.environ.get("ELASTICSEARCH_URL")
        if url is not None and major not in self._running:
            self._running[major] = Server(url.rstrip("/"))
        if major not in self._running:
            self._running[major] = self._started(RELEASES[major])
        return self._running[major]

    def close(self) -> None:
        for server in self._running.values():
            server.close()

    def _started(self, release: Release) -> Server:
        return started(local_server(self._folder(f"elasticsearch-{release.major}"), release))


def local_server(folder: Path, release: Release = RELEASES["8"], **more: Any) -> LocalServer:
    """A server that is not started yet; skips the test where there can be none."""
    try:
        find_jdk(release)
    except CannotBeHadError as error:
        if release.linked:
            pytest.skip(f"no Elasticsearch {release.version}: {error}")
        give_up(error)
    try:
        return LocalServer(folder, release, **more)
    except CannotBeHadError as error:
        give_up(error)


def started(server: T) -> T:
    """The server, started; skips the test where it cannot run."""
    try:
        server.start()
    except CannotBeHadError as error:
        give_up(error)
    return server


def give_up(error: CannotBeHadError, what: str = "Elasticsearch") -> NoReturn:
    """Skip the test, unless the server could have been fetched."""
    if os.environ.get("CI", "").lower() in {"1", "true"} and shutil.which("mvn") is not None:
        pytest.fail(f"no {what}: {error}")
    pytest.skip(f"no {what}: {error}")


@pytest.fixture(scope="session")
def elasticsearch_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The session's servers."""
    servers = Servers(tmp_path_factory.mktemp)
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def elasticsearch(elasticsearch_servers: Servers) -> Server:
    """The session's server of the older release."""
    return elasticsearch_servers.get("8")


@pytest.fixture(
    scope="session",
    params=[pytest.param(major, marks=pytest.mark.xdist_group(f"elasticsearch-{major}")) for major in RELEASES],
)
def each_elasticsearch(request: pytest.FixtureRequest, elasticsearch_servers: Servers) -> Server:
    """The session's server of every release in turn."""
    return elasticsearch_servers.get(request.param)


@pytest.fixture
def dataset() -> str:
    """A name for a data stream that no other test writes to."""
    return f"t{uuid.uuid4().hex[:16]}"
