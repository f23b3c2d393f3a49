"""Every text is found wherever it stands, on every kind of processor, and nothing else."""

import os
import platform
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logship.patterns.compiled import AVAILABLE
from logship.shaping.keys import KEY_TRIGGER
from logship.shaping.rules import DEFAULT
from logship.shaping.sieve import Sieve
from logship.shaping.triggers import Trigger

FAST = [pytest.param(True, marks=pytest.mark.skipif(not AVAILABLE, reason="no numba"), id="fast"), False]
TEXTS = sorted({trigger for rule in DEFAULT for trigger in rule.triggers} | {KEY_TRIGGER}, key=lambda one: one.text)
OWN = [
    Trigger(b"pass"),
    Trigger(b"word"),
    Trigger(b"tok", alone=True),
    Trigger(b"password", alone=True),
    Trigger(b"@@@"),
]
PIECES = [
    *(trigger.text for trigger in TEXTS),
    b"@",
    b" ",
    b"\n",
    b"x" * 61,
    b"_",
    b"/",
    bytes(range(256)),
    b"pass",
    b"oken=",
    b"passpassword",
    b"@" * 7,
    b"password \"': =",
    b"--my-secret_access_key \\\\'\t=",
    b"y" * 17,
]
VALUED = re.compile(rb"[\w-]{0,20}\\*[\"']?\s*[:=]")
SLACK = b"sk-" * 21 + b"s"


def found(texts: list[Trigger], text: bytes, *, fast: bool) -> list[tuple[int, ...]]:
    return [
        tuple(row) for row in Sieve(texts, fast=fast).find(np.frombuffer(text + SLACK, np.uint8), len(text)).tolist()
    ]


def plainly(texts: list[Trigger], text: bytes) -> list[tuple[int, ...]]:
    """What is to be found, by its definition: bytes are the same whose bits are, but for that of small letters."""
    letters = bytes(byte | 0x20 for byte in text)
    rows = []
    for number, trigger in enumerate(texts):
        looked = re.escape(bytes(byte | 0x20 for byte in trigger.text))
        for one in re.finditer(b"(?=%s)" % looked, letters):
            begin, end = one.start(), one.start() + len(trigger.text)
            if trigger.alone and re.search(rb"[A-Za-z0-9_]\Z", text[:begin]):
                continue
            if trigger.then and not re.match(
                rb"[^\x00-\x20\"'/%c]*+(?:/[^\x00-\x20\"'%c]{0,62})?%c" % ((trigger.then,) * 3), text[end:]
            ):
                continue
            if (
                trigger.valued
                and not VALUED.match(text[end:])
                and not (re.search(rb"[\w-]\Z", text[:begin]) and re.match(rb"[\w-]{0,20}[ \t]", text[end:]))
            ):
                continue
            rows.append((begin, end, number))
    return sorted(rows, key=lambda row: (row[0], row[2]))


@pytest.mark.parametrize("fast", FAST)
@pytest.mark.parametrize("texts", [TEXTS, TEXTS + OWN, OWN], ids=["rules", "rules and own", "own"])
@settings(max_examples=100, deadline=None)
@given(parts=st.lists(st.sampled_from(PIECES), max_size=30), upper=st.booleans())
def test_every_text_is_found_and_nothing_else(
    texts: list[Trigger], parts: list[bytes], *, upper: bool, fast: bool
) -> None:
    text = b"".join(parts)
    text = text.upper() if upper else text
    assert found(texts, text, fast=fast) == plainly(texts, text)


@pytest.mark.parametrize("fast", FAST)
@settings(max_examples=200, deadline=None)
@given(texts=st.lists(st.binary(min_size=3, max_size=12), min_size=1, max_size=20), data=st.data())
def test_any_texts_are(texts: list[bytes], data: st.DataObject, *, fast: bool) -> None:
    triggers = [Trigger(text, alone=bool(len(text) & 1)) for text in texts]
    parts = data.draw(st.lists(st.sampled_from(texts) | st.binary(max_size=3), max_size=20))
    text = b"".join(parts)
    assert found(triggers, text, fast=fast) == plainly(triggers, text)


@pytest.mark.parametrize("fast", FAST)
def test_at_every_place_up_to_the_last(*, fast: bool) -> None:
    for size in range(140):
        for text in (b"hf_", b"bearer "):
            for begin in range(size - len(text) + 1):
                line = b"." * begin + text + b"." * (size - len(text) - begin)
                assert len(found(TEXTS, line, fast=fast)) == 1
        assert found(TEXTS, b"." * size + b"hf", fast=fast) == []


@pytest.mark.parametrize("fast", FAST)
def test_a_great_many_texts_and_places(*, fast: bool) -> None:
    many = [Trigger(b"q%03dz" % number) for number in range(200)]
    text = b" ".join(trigger.text for trigger in many) * 40
    rows = found(many, text, fast=fast)
    assert [text[begin:stop] for begin, stop, _ in rows] == [trigger.text for trigger in many] * 40
    assert [number for _, _, number in rows] == [*range(200)] * 40


HOST = """
import sys
import numpy as np
from numba.core.registry import cpu_target
from logship.shaping.rules import DEFAULT
from logship.shaping.sieve import Sieve
from logship.shaping.spots import shuffle_of
text = sys.stdin.buffer.read()
triggers = [trigger for rule in DEFAULT for trigger in rule.triggers]
triple, _, features = cpu_target.target_context.codegen().magic_tuple()
shuffle = shuffle_of(triple, features)
rows = Sieve(triggers).find(np.frombuffer(text + bytes(64), np.uint8), len(text))
print(shuffle.width if shuffle else 0, *rows.ravel().tolist())
"""


@pytest.mark.skipif(not AVAILABLE, reason="no numba")
@pytest.mark.parametrize(("feature", "width"), [("", 0), ("ssse3", 16), ("avx2", 32)])
def test_every_kind_of_processor_finds_the_same(feature: str, width: int, tmp_path: Path) -> None:
    from llvmlite.binding import get_host_cpu_features

    if feature and not get_host_cpu_features().get(feature):
        pytest.skip(f"this processor has no {feature}")
    triggers = [trigger for rule in DEFAULT for trigger in rule.triggers]
    chance = random.Random(7)
    text = b"".join(chance.choice([*PIECES, b"took", b" \n"]) for _ in range(5_000))
    done = subprocess.run(
        [sys.executable, "-c", HOST],
        env={
            **os.environ,
            "NUMBA_CPU_NAME": "x86-64" if platform.machine() == "x86_64" else "generic",
            "NUMBA_CPU_FEATURES": f"+{feature}" if feature else "",
            "NUMBA_CACHE_DIR": str(tmp_path),
        },
        input=text,
        capture_output=True,
        timeout=300,
        check=True,
    )
    wanted = found(triggers, text, fast=False)
    assert len(wanted) > 3_000
    assert [int(number) for number in done.stdout.split()] == [width, *(number for row in wanted for number in row)]


@pytest.mark.skipif(not AVAILABLE, reason="no numba")
def test_code_can_be_made_for_every_kind_of_processor() -> None:
    from llvmlite import binding, ir

    from logship.shaping.spots import _SHUFFLES, _shuffled

    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    for shuffle in _SHUFFLES:
        triple = f"{shuffle.machine}-unknown-linux-gnu"
        try:
            target = binding.Target.from_triple(triple)
        except RuntimeError:
            continue  # this LLVM knows its own processor only
        byte = ir.IntType(8).as_pointer()
        module = ir.Module()
        module.triple = triple
        function = ir.Function(module, ir.FunctionType(ir.IntType(64), (byte, byte)), "spots")
        builder = ir.IRBuilder(function.append_basic_block())
        builder.ret(_shuffled(builder, *function.args, shuffle))
        machine = target.create_target_machine(features=f"+{shuffle.needed}", opt=3)
        code = machine.emit_assembly(binding.parse_assembly(str(module)))
        assert len(re.findall(r"\b(?:v?pshufb|tbl)\b", code)) == 8 * 64 // shuffle.width
