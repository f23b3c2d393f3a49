"""Which entries a data stream takes."""

import re
from collections.abc import Sequence
from fnmatch import translate

from logship.journal.ecs import LEVELS, Fields, severity_of
from logship.journal.settings import JournalSettings

_UNITS = ("_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT", "UNIT", "USER_UNIT", "OBJECT_SYSTEMD_UNIT")
_NAMES = ("SYSLOG_IDENTIFIER", "_COMM")
_DEFAULT_SEVERITY = 6


class Routes:
    """Finds the source of an entry.

    Args:
        sources: the first that takes an entry has it.
    """

    def __init__(self, sources: Sequence[JournalSettings]) -> None:
        self._rules = [(source, _Rule(source)) for source in sources]

    def source_of(self, fields: Fields) -> JournalSettings | None:
        """Whose entry it is; None where nobody takes it."""
        return next((source for source, rule in self._rules if rule.takes(fields)), None)


def names_of(sources: Sequence[JournalSettings]) -> frozenset[str]:
    """The fields on which the source of an entry depends."""
    return frozenset((*_UNITS, *_NAMES, "PRIORITY", *(name for source in sources for name in source.match)))


class _Rule:
    def __init__(self, source: JournalSettings) -> None:
        self._wanted = [
            (names, _pattern(globs, units=names is _UNITS))
            for names, globs in (
                (_UNITS, source.units),
                (_NAMES, source.identifiers),
                *(((name,), globs) for name, globs in source.match.items()),
            )
            if globs
        ]
        self._not = _pattern(source.exclude, units=True) if source.exclude else None
        self._severity = max(code for code, level in enumerate(LEVELS) if level == source.level)

    def takes(self, fields: Fields) -> bool:
        severity = severity_of(fields)
        if (_DEFAULT_SEVERITY if severity is None else severity) > self._severity:
            return False
        if self._not is not None and _any(self._not, fields, (*_UNITS, *_NAMES)):
            return False
        return all(_any(pattern, fields, names) for names, pattern in self._wanted)


def _any(pattern: re.Pattern[str], fields: Fields, names: Sequence[str]) -> bool:
    return any(pattern.match(value.decode(errors="replace")) for name in names for value in fields.get(name, ()))


def _pattern(globs: Sequence[str], *, units: bool) -> re.Pattern[str]:
    patterns = [translate(glob) for glob in globs]
    if units:
        patterns += [translate(glob + ".service") for glob in globs]
    return re.compile("|".join(patterns))
