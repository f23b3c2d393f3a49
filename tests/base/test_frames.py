import asyncio
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.base import frames
from forewarn.base.errors import ChildError
from forewarn.base.streams import read_frame

TEXT = st.text()
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=5))
def test_frames_come_back_as_they_were_sent(sent: list[dict[str, object]]) -> None:
    stream = io.BytesIO(b"".join(frames.encode(frame) for frame in sent))
    received = []
    while (frame := frames.read(stream)) is not None:
        received.append(frame)
    assert received == sent


async def test_a_stream_that_ends_inside_a_frame_is_an_end() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(frames.encode({"a": 1}) + frames.encode({"b": 2})[:-1])
    reader.feed_eof()
    assert await read_frame(reader) == {"a": 1}
    assert await read_frame(reader) is None


def test_a_length_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ChildError, match="over the limit"):
        frames.read(io.BytesIO(b"\xff\xff\xff\xff"))


def test_a_pipe_that_ends_inside_a_frame_is_an_end() -> None:
    whole = frames.encode({"a": 1})
    for length in range(len(whole)):
        assert frames.read(io.BytesIO(whole[:length])) is None
