import logging
import sys

import orjson

from forewarn.base.logs import TerminalFormatter, json_formatter


def _record(message: str, *args: object, **more: object) -> logging.LogRecord:
    record = logging.getLogger("room.part").makeRecord("room.part", logging.WARNING, __file__, 1, message, args, None)
    vars(record).update(more)
    return record


def _line(message: str, *args: object, **more: object) -> dict[str, object]:
    line: dict[str, object] = orjson.loads(json_formatter().format(_record(message, *args, **more)))
    return line


def test_a_line_says_what_happened_where_and_with_what() -> None:
    line = _line("reading %s failed", "power", gpu="3", code=15)
    assert str(line.pop("timestamp")).startswith("20")
    assert line == {"event": "reading power failed", "level": "WARNING", "logger": "room.part", "gpu": "3", "code": 15}


def test_values_that_json_does_not_know_are_written_as_text() -> None:
    assert _line("x", path=object)["path"]


def test_an_exception_brings_its_traceback() -> None:
    line: dict[str, object] = {}
    try:
        int("why")
    except ValueError:
        line = _line("broke", exc_info=sys.exc_info())
    assert "ValueError" in str(line["exc_info"])


def test_at_a_terminal_a_line_is_for_eyes() -> None:
    line = TerminalFormatter().format(_record("reading failed", gpu="3"))
    assert line.endswith("WARNING reading failed gpu=3\x1b[0m")
