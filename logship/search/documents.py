"""Documents of Elasticsearch as lines: ours, and those of other shippers, whose fields may be of any form."""

from typing import Any

from forewarn.base.clock import parse_time, rfc3339
from logship.search.asked import Line

_SHOWN = ("@timestamp", "message", "log", "host", "event", "data_stream", "ecs")


def line_of(hit: dict[str, Any]) -> Line:
    """The line that a hit holds; its first sort key is its time in milliseconds."""
    source = hit["_source"]
    time_ms, time = _time(source.get("@timestamp"), hit["sort"][0])
    return Line(
        time_ms=time_ms,
        message=_text(source, "message"),
        level=_text(source, "log", "level"),
        host=_text(source, "host", "name"),
        dataset=_text(source, "data_stream", "dataset"),
        file=_text(source, "log", "file", "path"),
        offset=_number(source, "log", "offset"),
        template=_number(source, "log", "template"),
        name=f"{hit.get('_index')}/{hit.get('_id')}",
        time=time,
        more={name: value for name, value in source.items() if name.partition(".")[0] not in _SHOWN},
    )


def _time(written: Any, sorted_by: Any) -> tuple[int, str]:
    try:
        if isinstance(written, str) and "T" in written:
            return parse_time(written), written
    except (ValueError, OverflowError):
        pass  # another format of dates
    time_ms = sorted_by if isinstance(sorted_by, int) else 0
    return time_ms, rfc3339(time_ms)


def _field(source: Any, *path: str) -> Any:
    """A field, whether its parents are objects or dots in its name."""
    if not path or not isinstance(source, dict):
        return None if path else source
    for length in range(len(path), 0, -1):
        found = _field(source.get(".".join(path[:length])), *path[length:])
        if found is not None:
            return found
    return None


def _text(source: Any, *path: str) -> str:
    found = _field(source, *path)
    return "" if found is None else str(found)


def _number(source: Any, *path: str) -> int | None:
    found = _field(source, *path)
    return found if isinstance(found, int) else None
