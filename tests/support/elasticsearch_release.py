"""Releases of Elasticsearch for tests, fetched from Maven Central once and kept in a cache folder.

They lie in ``$XDG_CACHE_HOME/elasticsearch-test`` (``~/.cache`` without that variable); to fetch them beforehand run
``python -m tests.support.elasticsearch_release``.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent / "elasticsearch"


class CannotBeHadError(Exception):
    """There is no server and none can be fetched; the message says why."""


@dataclass(frozen=True)
class Release:
    """A version, the Java that it needs, and whether that must be a whole JDK with ``jlink``."""

    version: str
    java: int
    linked: bool = False

    @property
    def major(self) -> str:
        return self.version.partition(".")[0]

    @property
    def home(self) -> Path:
        return cache() / f"elasticsearch-{self.version}"


RELEASES = {release.major: release for release in (Release("8.19.21", 17), Release("9.5.3", 21, linked=True))}


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "elasticsearch-test"


def prepare(release: Release) -> Path:
    """A JDK for the unpacked server; the latter fetched and built where it is not there yet."""
    jdk = find_jdk(release)
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (release.home / "bin" / "elasticsearch").exists():
            _fetch(release)
        if not (release.home / "plugins" / "rest-root" / "plugin-descriptor.properties").exists():
            _build_plugin(jdk, release)
    return jdk


def find_jdk(release: Release) -> Path:
    java = shutil.which("java")
    places = [Path(name) for variable in ("ES_JAVA_HOME", "JAVA_HOME") if (name := os.environ.get(variable))]
    if java is not None:
        places.append(Path(java).resolve().parent.parent)
    places += sorted(Path("/usr/lib/jvm").glob("*"))
    needed = ("javac", "jlink") if release.linked else ("javac",)
    for place in places:
        if all((place / "bin" / program).exists() for program in needed) and _version_of(place) >= release.java:
            return place
    tools = " with jlink" if release.linked else ""
    raise CannotBeHadError(f"no JDK {release.java} or later{tools} is installed")


def _version_of(jdk: Path) -> int:
    environment = {key: value for key, value in os.environ.items() if key != "JAVA_TOOL_OPTIONS"}
    told = subprocess.run(
        [jdk / "bin" / "java", "-version"], capture_output=True, text=True, check=False, env=environment
    )
    version = re.search(r'version "(\d+)', told.stderr)
    return int(version[1]) if version else 0


def _fetch(release: Release) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise CannotBeHadError("mvn, which fetches the server, is not installed")
    told = [f"-Des.version={release.version}", f"-Des.cache={cache()}", "initialize"]
    command = [maven, "-q", "-B", "-f", str(_HERE / "pom.xml"), *told]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotBeHadError(f"mvn could not fetch the server: {done.stdout.strip()[-300:]}")


def _build_plugin(jdk: Path, release: Release) -> None:
    """GET / is missing from the integ-test distribution; this plugin answers it."""
    target = release.home / "plugins" / "rest-root"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source" / "RestRootPlugin.java"
        source.parent.mkdir()
        shutil.copy(_HERE / f"RestRootPlugin{release.major}.java", source)
        classes = Path(folder) / "classes"
        libraries = ["-cp", f"{release.home}/lib/*", "-d", classes]
        compiler = [jdk / "bin" / "javac", "--release", str(release.java), "-nowarn", *libraries]
        subprocess.run([*compiler, source], check=True, capture_output=True)
        subprocess.run([jdk / "bin" / "jar", "cf", target / "rest-root.jar", "-C", classes, "."], check=True)
    (target / "plugin-descriptor.properties").write_text(
        "name=rest-root\ndescription=GET / for the integ-test distribution\nversion=1\n"
        f"elasticsearch.version={release.version}\njava.version={release.java}\n"
        "classname=local.restroot.RestRootPlugin\n"
    )


if __name__ == "__main__":
    for each in RELEASES.values():
        prepare(each)
