"""The encoder against a decoder that was written apart from it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from collector.remote_write.parts import by_series, by_time, size, without
from collector.remote_write.wire import encode, encode_labels, varint
from collector.series import labels_of
from collector.store.bulk import Block
from tests.support.write_request import Decoded, decode_plain

NOW = 1_795_400_000_000
texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40)
label_sets = st.dictionaries(st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True), texts, max_size=5)
times = st.one_of(st.integers(NOW, NOW + 10**9), st.integers(-(2**63), 2**63 - 1))


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    ids = np.array(sorted(draw(st.sets(st.integers(1, 2**31), min_size=1, max_size=6))), np.int64)
    when = np.array(sorted(draw(st.sets(times, min_size=1, max_size=8))), np.int64)
    return Block(ids, when, draw(arrays.arrays(np.float64, (len(ids), len(when)))))


def expected(found: list[Block], labels: dict[int, dict[str, str]]) -> Decoded:
    return [
        (sorted({"__name__": "m", **labels[one]}.items()), list(zip(block.times.tolist(), line.tolist(), strict=True)))
        for block in found
        for one, line in zip(block.ids.tolist(), block.values, strict=True)
    ]


@given(st.lists(blocks(), min_size=1, max_size=3), st.lists(label_sets, min_size=1, max_size=5))
def test_what_is_encoded_is_decoded(found: list[Block], choices: list[dict[str, str]]) -> None:
    labels = {one: choices[one % len(choices)] for block in found for one in block.ids.tolist()}
    data = encode(found, lambda one: encode_labels("m", labels_of(labels[one])))
    np.testing.assert_equal(decode_plain(data), expected(found, labels))


@given(st.lists(blocks(), min_size=1, max_size=3))
def test_both_cuts_keep_everything_and_the_first_part_comes_first(found: list[Block]) -> None:
    times = {when for block in found for when in block.times.tolist()}
    ids = {one for block in found for one in block.ids.tolist()}
    cut = by_time(found)
    assert (cut is None) == (len(times) == 1)
    if cut is not None:
        assert size(cut.first) + size(cut.second) == size(found)
        assert max(block.times[-1] for block in cut.first) < min(block.times[0] for block in cut.second)
    cut = by_series(found)
    assert (cut is None) == (len(ids) == 1)
    if cut is not None:
        assert size(cut.first) + size(cut.second) == size(found)
        assert max(block.ids[-1] for block in cut.first) < min(block.ids[0] for block in cut.second)
    kept = without(found, [min(ids)])
    assert size(found) - size(kept) == sum(len(block.times) for block in found if min(ids) in block.ids)


def test_varints_are_those_of_the_specification() -> None:
    assert [varint(number) for number in (0, 1, 127, 128, 150, 300)] == [
        b"\x00",
        b"\x01",
        b"\x7f",
        b"\x80\x01",
        b"\x96\x01",
        b"\xac\x02",
    ]


def test_a_request_is_byte_for_byte_what_googles_protobuf_writes() -> None:
    block = Block(np.array([1]), np.array([1_600_000_000_000], np.int64), np.array([[1.0]]))
    data = encode([block], lambda _: encode_labels("up", (("job", "a"),)))
    assert data == bytes.fromhex(
        "0a2c"  # a series of 44 bytes
        "0a0e0a085f5f6e616d655f5f12027570"  # __name__="up"
        "0a080a036a6f62120161"  # job="a"
        "121009000000000000f03f108080babbc82e"  # 1.0 at 1600000000000
    )
