"""Which lines become one document, however they are cut into chunks."""

import os
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.engine.documents import pieces_of
from logship.shaping.multiline import Joiner
from logship.shaping.settings import MultilineSettings

LIMITS = MultilineSettings()
LONGEST = 1 << 20
PYTHON = """\
2026-01-01 00:00:00 ERROR boom
Traceback (most recent call last):
  File "x.py", line 1, in <module>
    foo()
ValueError: bad

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "x.py", line 2, in <module>
    ~~^^
torch.AcceleratorError: CUDA error: device-side assert triggered
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.
"""
VLLM = """\
(EngineCore pid=4) ERROR 01-01 12:00:00 [core.py:390] EngineCore hit an exception: Traceback (most recent call last):
(EngineCore pid=4) ERROR 01-01 12:00:00 [core.py:390]   File "/usr/x.py", line 378, in run_engine_core
(EngineCore pid=4) ERROR 01-01 12:00:00 [core.py:390]     engine_core = EngineCoreProc()
(EngineCore pid=4) ERROR 01-01 12:00:00 [core.py:390] RuntimeError: CUDA error: out of memory
(EngineCore pid=4) ERROR 01-01 12:00:00 [core.py:390] CUDA kernel errors might be asynchronously reported
"""
RANKS = """\
[rank1]: Traceback (most recent call last):
[rank1]:   File "/usr/x.py", line 378, in step
[rank1]: torch.distributed.DistBackendError: NCCL error
"""
JAVA = """\
java.lang.IllegalStateException: not ready
\tat org.example.A.run(A.java:12)
\t... 3 more
Caused by: java.io.IOException: closed
\tat org.example.B.read(B.java:7)
"""
GO = """\
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4]

goroutine 1 [running]:
main.serve(...)
\t/tmp/x.go:12
main.main()
\t/tmp/x.go:8 +0x1d
"""
ASSERTS = """\
../aten/Indexing.cu:1284: indexSelect: block: [0,0,0], thread: [0,0,0] Assertion `i < n` failed.
../aten/Indexing.cu:1284: indexSelect: block: [0,0,0], thread: [1,0,0] Assertion `i < n` failed.
"""
OBJECT = '{\n  "a": 1,\n  "b": 2\n}\n'
TERMINATE = """\
terminate called after throwing an instance of 'c10::Error'
  what():  CUDA error: unspecified launch failure
Exception raised from c10_cuda_check at ../c10/cuda/CUDAException.cpp:43 (most recent call first):
frame #0: c10::Error::Error(c10::SourceLocation) + 0x57 (0x7f in /usr/lib/libc10.so)
frame #1: <unknown function> + 0x1 (0x7f in /usr/lib/libc10.so)

"""
JOINED = [PYTHON, VLLM, RANKS, JAVA, GO, ASSERTS, OBJECT, TERMINATE.removesuffix("\n")]
APART = [
    "2026-01-01 00:00:00 INFO a\n",
    "INFO 01-01 12:00:00 [x.py:1] an information\n",
    "INFO 01-01 12:00:00 [x.py:1] and another\n",
    "ERROR 01-01 12:00:00 [x.py:1] one error\n",
    "ERROR 01-01 12:00:00 [x.py:1] and another\n",
    '{"level":"info"}\n',
    "\n",
    "   2026-01-01 00:00:00 INFO a log whose lines are all indented\n",
    "  INFO another such\n",
    "Something\r\n",
]
FRAGMENTS = [*(line + "\n" for text in JOINED for line in text.splitlines()), *APART, "  indented\n", "\0\0\n", "\0x\n"]


def documents(
    text: bytes, *, mode: str = "auto", final: bool = True, limits: MultilineSettings = LIMITS, longest: int = LONGEST
) -> tuple[list[tuple[int, bytes, bool]], int]:
    """Offset, text and whether it was split; and bytes that are left over."""
    data = np.frombuffer(text + bytes(64), np.uint8)
    pieces = pieces_of(data, len(text), np.flatnonzero(data[: len(text)] == 10), longest)
    found, held = Joiner(mode, limits, longest).join(data, pieces, final=final)
    count = len(found.begins) - held
    rows = zip(found.origins.tolist(), found.begins.tolist(), found.stops.tolist(), found.split.tolist(), strict=True)
    left = len(text) - int(found.origins[count]) if held else 0
    return [(origin, text[begin:stop], split) for origin, begin, stop, split in rows][:count], left


def texts(text: str, **given_: Any) -> list[str]:
    return [found.decode() for _, found, _ in documents(text.encode(), **given_)[0]]


@pytest.mark.parametrize("text", JOINED)
def test_lines_of_one_trace_are_one_document(text: str) -> None:
    before, after = "2026-01-01 00:00:00 INFO before\n", "2026-01-01 00:00:09 INFO after\n"
    found = texts(before + text + after)
    assert found == [before.rstrip(), text.rstrip("\n"), after.rstrip()]


def test_other_lines_are_documents_of_their_own() -> None:
    assert texts("".join(APART)) == [line.rstrip("\r\n") for line in APART]


def test_traces_that_are_none_of_the_line_before() -> None:
    assert len(texts("all is well\n" + PYTHON[PYTHON.index("Trace") :])) == 2
    assert len(texts(RANKS.replace("[rank1]: torch", "[rank2]: torch"))) == 2
    assert len(texts(VLLM + VLLM.replace("pid=4", "pid=5"))) == 2
    assert len(texts(GO + "next line (of its own, with brackets)\n")) == 1
    assert len(texts(GO + "12:00 next line\n")) == 2


def test_the_last_document_waits_for_more() -> None:
    text = PYTHON.encode() + b"next\n"
    found, left = documents(text, final=False)
    assert (len(found), left) == (1, len(b"next\n"))
    found, left = documents(PYTHON.encode(), final=False)
    assert (found, left) == ([], len(PYTHON))
    for closed in (b'{"a":1}\n', b"\n"):
        assert documents(b"x\n" + closed, final=False)[1] == 0


def test_an_expression_says_where_documents_begin() -> None:
    text = "BEGIN a\nno\n\n{}\nBEGIN b\n  BEGIN c\nBEGIN d\n"
    assert texts(text, mode="start:BEGIN") == ["BEGIN a\nno\n\n{}", "BEGIN b\n  BEGIN c", "BEGIN d"]


def test_long_documents_are_split_and_say_so() -> None:
    text = b"head\n" + b"".join(b"  row %02d\n" % n for n in range(10))
    found, _ = documents(text, limits=MultilineSettings(lines=4))
    assert [one.count(b"\n") + 1 for _, one, _ in found] == [4, 4, 3]
    assert [split for _, _, split in found] == [True, True, False]
    found, _ = documents(text, longest=24)
    assert all(len(one) <= 24 for _, one, _ in found)
    assert b"\n".join(one for _, one, _ in found) == text.rstrip(b"\n")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_however_lines_are_cut_into_chunks(data: st.DataObject) -> None:
    lines = data.draw(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=40))
    limits = MultilineSettings(lines=data.draw(st.sampled_from([2, 3, 7, 500])))
    longest = data.draw(st.sampled_from([30, 200, LONGEST]))
    text = "".join(lines).encode()
    whole, _ = documents(text, limits=limits, longest=longest)
    ends = [end + 1 for end in range(len(text)) if text[end] == 10]
    cuts = sorted(data.draw(st.lists(st.sampled_from(ends), max_size=10)))
    found: list[tuple[int, bytes, bool]] = []
    at = 0
    for end, final in [*((cut, False) for cut in cuts), (len(text), True)]:
        if end <= at:
            continue
        some, left = documents(text[at:end], final=final, limits=limits, longest=longest)
        found += [(origin + at, one, split) for origin, one, split in some]
        at = end - left
    assert found == whole


def test_nothing_is_lost_and_nothing_moves() -> None:
    text = "".join(FRAGMENTS).encode()
    found, _ = documents(text)
    bounds = [*(origin for origin, _, _ in found), len(text)]
    for (begin, end), (_, one, _) in zip(pairwise(bounds), found, strict=True):
        assert text[begin:end].lstrip(b"\0").startswith(one)


def test_without_a_compiler_the_same() -> None:
    code = (
        "import sys; from tests.logship.shaping.test_multiline import FRAGMENTS, documents;"
        "sys.stdout.write(repr(documents(''.join(FRAGMENTS * 2).encode())))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": "."},
        timeout=60,
    )
    assert run.stdout == repr(documents("".join(FRAGMENTS * 2).encode())), run.stderr
