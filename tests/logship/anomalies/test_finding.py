"""Where a short text stands, compared with a regular expression."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from logship.anomalies.finding import Finder

LETTERS = st.sampled_from(b"ab-1")


@given(st.lists(LETTERS, min_size=2, max_size=6), st.lists(LETTERS, max_size=400))
def test_every_place_is_found_and_none_behind_the_end(text: list[int], data: list[int]) -> None:
    wanted, inside = bytes(text), bytes(data)
    behind = np.frombuffer(inside + wanted + bytes(64), np.uint8)
    expected = [found.start() for found in re.finditer(b"(?=" + re.escape(wanted) + b")", inside)]
    assert Finder(wanted).places(behind, len(inside)).tolist() == expected


def test_more_places_than_there_was_room_for() -> None:
    data = np.frombuffer(b"ab" * 3000 + bytes(64), np.uint8)
    finder = Finder(b"ab")
    assert len(finder.places(data, 6000)) == 3000
    assert finder.places(data, 6).tolist() == [0, 2, 4]
