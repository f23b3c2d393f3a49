"""The keys of the spool: where they come from, their names, and giving out a new one."""

import base64
import binascii
import hashlib
import logging
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forewarn.base.errors import ConfigError
from forewarn.base.files import sync
from logship.errors import SpoolKeyError
from logship.spool.private import open_private
from logship.spool.settings import SpoolSettings

CREDENTIAL = "forewarn-spool-key"
OLD_CREDENTIAL = "forewarn-spool-key-old"
OWN_KEY = "spool.key"
KEY_BYTES = 32
ID_BYTES = 8

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of 256 bits; its secret is never shown."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        """Its name in headers: nothing of the key can be told from it."""
        return hashlib.sha256(b"forewarn spool key id:" + self.secret).digest()[:ID_BYTES]

    @property
    def name(self) -> str:
        """The name for people."""
        return self.id.hex()


class KeyRing:
    """The key that is written with, and all that can be read with.

    It is read from: the systemd credential ``forewarn-spool-key``, else ``key_file``, else a file in the data
    directory, which is made once. Earlier keys: the credential ``forewarn-spool-key-old``, ``old_key_files``, and what
    of the above does not come first.

    Args:
        settings: names the files.
        directory: the data directory.
        environ: names the folder of systemd's credentials.

    Attributes:
        current: what is written with.
        source: the file that holds it.
    """

    def __init__(self, settings: SpoolSettings, directory: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._settings = settings
        self._own = directory / OWN_KEY
        credentials = environ.get("CREDENTIALS_DIRECTORY")
        self._credentials = Path(credentials) if credentials else None
        self._seen: tuple[int, int] = (0, 0)
        self.current: Key
        self.source: Path
        self._keys: dict[bytes, Key] = {}
        self.reload()

    def reload(self) -> None:
        """Read the keys again.

        Raises:
            ConfigError: a file that was named cannot be read or holds no key, or none can be made.
        """
        named = self._named()
        if not named and not self._own.exists():
            make_key(self._own)
            log.warning(
                "a key for the spool was made: %s. It keeps a copied spool secret, but not from whoever reads the"
                " whole data directory; a systemd credential does that too",
                self._own,
            )
        found = [*named, *([self._own] if self._own.exists() else [])]
        self.source = found[0]
        self._seen = _stamp(self.source)
        self.current = read_key(self.source)
        earlier = [*found[1:], *self._settings.old_key_files, *retired(self._own)]
        if (old := self._credential(OLD_CREDENTIAL)) is not None:
            earlier.append(old)
        keys = [self.current, *map(read_key, earlier)]
        for path in {self.source, *earlier}:
            if path.stat().st_mode & stat.S_IROTH:
                log.warning("the spool's key %s may be read by everybody: chmod o= it, and use another one", path)
        self._keys |= {key.id: key for key in keys}

    def refresh(self) -> bool:
        """Read the keys again where the current one's file has changed; whether there is another one now.

        A file that is gone or holds no key changes nothing: the key that is known is used on.
        """
        try:
            if _stamp(self.source) == self._seen:
                return False
            self._seen = _stamp(self.source)
            before = self.current
            self.reload()
        except FileNotFoundError:
            return False
        except ConfigError as error:
            log.warning("the spool's key stays as it was: %s", error)
            return False
        return self.current != before

    def find(self, key_id: bytes) -> Key:
        """The key of this name.

        Raises:
            SpoolKeyError: it is not among those that were given.
        """
        key = self._keys.get(key_id)
        if key is None:
            raise SpoolKeyError(
                f"the key {key_id.hex()} of the spool is not given",
                hint="name its file in logs.spool.old_key_files; what it sealed is kept meanwhile",
            )
        return key

    def rotate(self) -> Key:
        """Make a new key and keep the old one for reading; only the key in the data directory can be replaced here.

        Raises:
            ConfigError: the key comes from elsewhere, or cannot be written.
        """
        if self.source != self._own:
            raise ConfigError(
                f"the key of the spool comes from {self.source}",
                hint="put a new key there and name the old one's file in logs.spool.old_key_files,"
                f" or give it as the credential {OLD_CREDENTIAL}",
            )
        aside = self._own.with_name(f"{OWN_KEY}.{self.current.name}")
        try:
            aside.unlink(missing_ok=True)
            os.link(self._own, aside)
            make_key(self._own)
        except OSError as error:
            raise ConfigError(
                f"cannot write {self._own}: {error.strerror}", hint="run this as the data directory's owner, or as root"
            ) from error
        self.reload()
        return self.current

    def drop_unused(self, used: Iterable[bytes]) -> None:
        """Remove keys of the data directory that were replaced and that no segment needs any more."""
        needed = {*used, self.current.id}
        for path in retired(self._own):
            if read_key(path).id not in needed:
                path.unlink(missing_ok=True)

    def _named(self) -> list[Path]:
        found = [self._credential(CREDENTIAL), self._settings.key_file]
        return [path for path in found if path is not None]

    def _credential(self, name: str) -> Path | None:
        path = self._credentials / name if self._credentials is not None else None
        return path if path is not None and path.exists() else None


def is_there(settings: SpoolSettings, directory: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether there is a key, or one was named; else opening a ring would make one."""
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    given = credentials is not None and (Path(credentials) / CREDENTIAL).exists()
    return given or settings.key_file is not None or (directory / OWN_KEY).exists()


def read_key(path: Path) -> Key:
    """The key in a file: 32 bytes as they are, in hexadecimal, or in base64.

    Raises:
        ConfigError: it cannot be read, or holds no key; its content is not shown.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the key file {path}: {error.strerror}",
            hint="the user that runs this must be able to read it: chown root:forewarn FILE && chmod 640 FILE",
        ) from error
    secret = data if len(data) == KEY_BYTES else _decoded(data.strip())
    if secret is None or len(set(secret)) < KEY_BYTES // 4:  # a file of zeros is no key
        raise ConfigError(
            f"{path} holds no key of {KEY_BYTES} bytes",
            hint=f"make one with: head -c {KEY_BYTES} /dev/urandom | base64",
        )
    return Key(secret)


def make_key(path: Path) -> Key:
    """Write a new key, 0600, in the place of what was there; durable on return.

    Raises:
        ConfigError: it cannot be written.
    """
    key = Key(os.urandom(KEY_BYTES))
    scratch = path.with_name(f".{path.name}.new")
    try:
        scratch.unlink(missing_ok=True)
        handle = open_private(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(key.secret) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        sync(path.parent)
    except OSError as error:
        raise ConfigError(
            f"cannot write the key file {path}: {error.strerror}",
            hint="is the data directory there, and this user's? --data-dir names another one",
        ) from error
    return key


def retired(own: Path) -> list[Path]:
    """Keys of the data directory that were replaced."""
    return sorted(path for path in own.parent.glob(f"{own.name}.*") if re.fullmatch(r"[0-9a-f]{16}", path.suffix[1:]))


def _decoded(text: bytes) -> bytes | None:
    for decode in (binascii.unhexlify, lambda data: base64.b64decode(data, validate=True)):
        try:
            secret = decode(text)
        except (binascii.Error, ValueError):
            continue
        if len(secret) == KEY_BYTES:
            return secret
    return None


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns
