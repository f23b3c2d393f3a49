"""Documents of other shippers, in whatever form they are."""

from typing import Any

import pytest

from logship.search.documents import line_of

TIME_MS = 1_772_359_200_123
TIME = "2026-03-01T10:00:00.123Z"


def hit(**source: Any) -> dict[str, Any]:
    return {"_index": "i", "_id": "f-7", "_source": source, "sort": [TIME_MS, 0, "", ""]}


def test_fields_may_be_objects_or_names_with_dots() -> None:
    nested = {"level": "error", "file": {"path": "/a.log"}, "offset": 7}
    one = line_of(hit(**{"@timestamp": TIME, "message": "m", "log": nested, "host": {"name": "n"}, "user": "u"}))
    dotted = {"log.level": "error", "log.file.path": "/a.log", "log.offset": 7, "host.name": "n"}
    other = line_of(hit(**{"@timestamp": TIME, "message": "m", "user": "u", **dotted}))
    mixed = {"log": {"level": "error", "file.path": "/a.log", "offset": 7}, "host": {"name": "n"}}
    assert one == other == line_of(hit(**{"@timestamp": TIME, "message": "m", "user": "u", **mixed}))
    assert (one.level, one.file, one.offset, one.host, one.more) == ("error", "/a.log", 7, "n", {"user": "u"})


@pytest.mark.parametrize("written", [TIME_MS, "1772359200123 ms", None, [TIME], {}, True])
def test_a_time_in_another_format_is_that_of_the_sort(written: Any) -> None:
    found = line_of(hit(**{"@timestamp": written, "message": "m"}))
    assert (found.time_ms, found.time) == (TIME_MS, TIME)


@pytest.mark.parametrize("odd", [None, "text", 3, [1], {"name": [1]}, {"level": None, "offset": "7"}])
def test_fields_of_another_type_break_nothing(odd: Any) -> None:
    found = line_of(hit(**{"@timestamp": TIME, "message": odd, "log": odd, "host": odd, "data_stream": odd}))
    assert found.offset is None
    assert found.as_json()["time"] == TIME
