import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.text import TextStream
from worker.tokens import BYTE_BOS, BYTE_EOS, ByteTokenizer


def streamed(data: bytes, stops: list[str]) -> tuple[list[str], bool]:
    stream = TextStream(ByteTokenizer(), stops)
    pieces = []
    for byte in data:
        pieces.append(stream.push(byte))
        if stream.stopped:
            return pieces, True
    pieces.append(stream.finish())
    return pieces, stream.stopped


@given(st.text())
def test_any_text_comes_through_whole(text: str) -> None:
    pieces, stopped = streamed(text.encode(), [])
    assert ("".join(pieces), stopped) == (text, False)


@given(st.text(alphabet="abü", max_size=30), st.lists(st.text(alphabet="abü", min_size=1, max_size=4), max_size=3))
def test_text_ends_before_the_first_stop_string_that_completes(text: str, stops: list[str]) -> None:
    pieces, stopped = streamed(text.encode(), stops)
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    assert stopped == bool(ends)
    whole = text[: min(ends)] if ends else text
    cut = min((whole.find(stop) for stop in stops if stop in whole), default=len(whole))
    assert "".join(pieces) == whole[:cut]


def test_a_character_is_handed_out_with_its_last_byte() -> None:
    pieces, _ = streamed("a€b".encode(), [])
    assert pieces == ["a", "", "", "€", "b", ""]


def test_what_may_begin_a_stop_string_is_held_back_until_it_is_certain() -> None:
    pieces, stopped = streamed(b"xENy", ["END"])
    assert pieces == ["x", "", "", "ENy", ""]
    assert not stopped


def test_bytes_that_are_no_text_do_not_hold_the_rest_back() -> None:
    pieces, _ = streamed(b"\xff\xff\xff\xff\xffabc", [])
    assert "".join(pieces) == "\N{REPLACEMENT CHARACTER}" * 5 + "abc"


@pytest.mark.parametrize("text", ["", "plain", "ü€🙂"])
def test_bytes_round_trip_and_marks_are_silent(text: str) -> None:
    tokenizer = ByteTokenizer()
    ids = tokenizer.encode(text)
    assert ids[0] == BYTE_BOS
    assert tokenizer.decode([*ids, BYTE_EOS]) == text
