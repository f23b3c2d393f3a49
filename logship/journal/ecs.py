"""Entries' fields as those of the Elastic Common Schema.

From https://www.freedesktop.org/software/systemd/man/systemd.journal-fields.html to
https://www.elastic.co/docs/reference/ecs; what that has no name for is named as Elastic's own shippers do.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Fields = Mapping[str, Sequence[bytes]]
"""By name the values of an entry's fields; a field may occur more than once."""
SEVERITIES = ("Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug")
LEVELS = ("critical", "critical", "critical", "error", "warning", "notice", "info", "debug")
"""By syslog severity: RFC 5424, 6.2.1."""
FACILITIES = (
    "kernel", "user-level", "mail", "daemon", "auth", "syslog", "printer", "network-news", "uucp", "clock",
    "authpriv", "ftp", "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5",
    "local6", "local7",
)  # fmt: skip
MESSAGE, SOURCE_TIME = "MESSAGE", "_SOURCE_REALTIME_TIMESTAMP"
FLEETING = frozenset(
    {
        "SYSLOG_TIMESTAMP", "SYSLOG_RAW", "_SOURCE_MONOTONIC_TIMESTAMP", "_SOURCE_BOOTTIME_TIMESTAMP", "_STREAM_ID",
        "_LINE_BREAK",
    }
)  # fmt: skip
"""Fields that say nothing new and differ with every entry; they are never kept."""
_LONGEST = 4096
"""Bytes of a field's value, but the message's."""


def _text(value: bytes) -> str:
    return value[:_LONGEST].decode(errors="ignore" if len(value) > _LONGEST else "replace")


def _number(value: bytes) -> int | None:
    return int(value) if value.isdigit() and len(value) < 19 else None


_PLACES: tuple[tuple[str, str, Callable[[bytes], Any]], ...] = (
    ("_PID", "process.pid", _number),
    ("SYSLOG_PID", "process.pid", _number),
    ("_COMM", "process.name", _text),
    ("_EXE", "process.executable", _text),
    ("_CMDLINE", "process.command_line", _text),
    ("TID", "process.thread.id", _number),
    ("_UID", "user.id", _text),
    ("_GID", "group.id", _text),
    ("_BOOT_ID", "host.boot.id", _text),
    ("_MACHINE_ID", "host.id", _text),
    ("_SYSTEMD_UNIT", "systemd.unit", _text),
    ("UNIT", "systemd.unit", _text),
    ("_SYSTEMD_USER_UNIT", "systemd.user_unit", _text),
    ("_SYSTEMD_SLICE", "systemd.slice", _text),
    ("_SYSTEMD_INVOCATION_ID", "systemd.invocation_id", _text),
    ("_TRANSPORT", "systemd.transport", _text),
    ("CONTAINER_ID_FULL", "container.id", _text),
    ("CONTAINER_ID", "container.id", _text),
    ("CONTAINER_NAME", "container.name", _text),
    ("IMAGE_NAME", "container.image.name", _text),
    ("MESSAGE_ID", "event.code", _text),
    ("CODE_FILE", "log.origin.file.name", _text),
    ("CODE_LINE", "log.origin.file.line", _number),
    ("CODE_FUNC", "log.origin.function", _text),
    ("SYSLOG_IDENTIFIER", "log.syslog.appname", _text),
    ("SYSLOG_PID", "log.syslog.procid", _text),
    ("_KERNEL_DEVICE", "kernel.device", _text),
    ("_KERNEL_SUBSYSTEM", "kernel.subsystem", _text),
)
"""Where a field goes; the first that an entry has takes the place."""
READ = frozenset({name for name, _, _ in _PLACES} | {"PRIORITY", "SYSLOG_FACILITY"})
"""Fields that are read whether everything is kept or not."""


def document_of(fields: Fields) -> dict[str, Any]:
    """The document of an entry but its time, message, level and offset."""
    document: dict[str, Any] = {}
    for name, place, read in _PLACES:
        if name in fields and (value := read(fields[name][0])) is not None:
            _put(document, place, value)
    if (severity := severity_of(fields)) is not None:
        _put(document, "log.syslog.severity", {"code": severity, "name": SEVERITIES[severity]})
    facility = _number(fields.get("SYSLOG_FACILITY", (b"",))[0])
    if facility is not None:
        _put(document, "log.syslog.facility.code", facility)
        if facility < len(FACILITIES):
            _put(document, "log.syslog.facility.name", FACILITIES[facility])
        if severity is not None:
            _put(document, "log.syslog.priority", 8 * facility + severity)
    return document


def severity_of(fields: Fields) -> int | None:
    """The syslog severity, 0 to 7; None where an entry has none."""
    severity = _number(fields.get("PRIORITY", (b"",))[0])
    return severity if severity is not None and severity < len(SEVERITIES) else None


def others_of(fields: Fields) -> dict[str, Any]:
    """All fields by their names in lower case without leading underscores; of the message only what is said twice."""
    found: dict[str, Any] = {}
    for name, values in fields.items():
        texts = [_text(value) for value in (values[1:] if name == MESSAGE else values)]
        if texts:
            found[name.lower().lstrip("_")] = texts[0] if len(texts) == 1 else texts
    return found


def unit_of(fields: Fields) -> str:
    """Whose entry it is: a unit, else the name it was logged under, else the transport."""
    for name in ("_SYSTEMD_USER_UNIT", "_SYSTEMD_UNIT", "UNIT", "SYSLOG_IDENTIFIER", "_COMM", "_TRANSPORT"):
        if name in fields:
            return _text(fields[name][0])
    return "journal"


def _put(document: dict[str, Any], place: str, value: Any) -> None:
    *path, last = place.split(".")
    for part in path:
        document = document.setdefault(part, {})
    document.setdefault(last, value)
