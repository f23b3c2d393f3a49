"""Machine code: where it is kept, where it may not be run, what processors it is made for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from logship.patterns.compiled import AVAILABLE

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="no numba")

ENCODE = """
import hashlib
from datetime import UTC
import numpy as np
from logship.patterns.compiled import AVAILABLE, FORBIDDEN
from logship.engine.encoder import Encoder
from logship.engine.times import Carried
from logship.patterns.miner import Miner, line_starts
text = b"".join(
    b'2026-02-02 02:40:%02d,%d WARNING [a.py:%d] "quote" \\\\ caf\\xc3\\xa9 \\xff GET /v1/%d took %d ms, 5 6  7 s=%d\\n'
    % (n % 60, n, n, n, n * n, n) for n in range(2000)
)
data = np.frombuffer(bytearray(text) + bytes(64), np.uint8)
encoder = Encoder("f1", 0, "/a", {"x": 1}, zone=UTC, longest=1000, cap=1 << 21)
out = np.zeros(encoder.room, np.uint8)
ids = Miner().feed("a", text, line_starts(text))
body = encoder.encode(data, len(text), 7, out, carried=Carried(), read_ms=0, seen_ms=0, templates=ids)
print(AVAILABLE, FORBIDDEN, body.documents, hashlib.sha256(out[: body.size]).hexdigest())
"""
DENY = "import ctypes; assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0\n"  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN


def run(code: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return done.stdout.split()


def denies() -> bool:
    return subprocess.run([sys.executable, "-c", DENY], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not denies(), reason="this kernel has no PR_SET_MDWE")
def test_where_new_code_may_not_run_the_bytes_are_the_same() -> None:
    assert run(DENY + ENCODE) == ["False", "True", "2000", run(ENCODE)[-1]]


def test_a_processor_with_the_least_vectors_writes_the_same_bytes(tmp_path: Path) -> None:
    least = run(ENCODE, NUMBA_CPU_NAME="x86-64", NUMBA_CPU_FEATURES="", NUMBA_CACHE_DIR=str(tmp_path))
    assert least == run(ENCODE)


def test_machine_code_is_made_beforehand_kept_and_that_of_other_versions_goes(tmp_path: Path) -> None:
    old = tmp_path / "kept" / "0123456789abcdef"
    old.mkdir(parents=True)
    (old / "x.nbc").write_bytes(b"old")
    lately = tmp_path / "kept" / "fedcba9876543210"
    lately.mkdir()
    os.utime(old, (0, 0))
    begin = f"""
import os
os.environ.pop("NUMBA_CACHE_DIR", None)
from pathlib import Path
from logship.patterns.compiled import is_wanting, keep_in, note_made
keep_in(Path({str(tmp_path / "kept")!r}))
print(is_wanting())
"""
    assert run(begin + "from logship.warm import warm; warm(); note_made(); print(is_wanting())") == ["True", "False"]
    (folder,) = {*(tmp_path / "kept").iterdir()} - {lately}
    assert folder != old
    assert lately.exists()  # another version, which runs beside this one
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb?")}
    assert len(kept) > 50
    assert run(begin + ENCODE)[:4] == ["False", "True", "False", "2000"]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb?")} == kept
