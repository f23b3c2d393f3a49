"""Searching the node's own log files and their generations, newest lines first, while no server answers."""

import heapq
import itertools
import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from forewarn.base.clock import Clock
from logship.files.globs import Patterns
from logship.files.listing import Listings
from logship.files.rotation import by_family
from logship.search.asked import Asked, Line
from logship.search.backwards import around, decompressed, from_end, is_compressed
from logship.search.errors import AskedError, SearchError
from logship.search.masking import Mask
from logship.search.matching import Match, Matcher
from logship.search.reach import check_local
from logship.settings import FileSettings, LogsSettings

SLACK_MS = 60_000
"""Lines of several writers stand in no strict order of time: this much further back is looked."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """A followed path.

    Attributes:
        path: the live one.
        generations: the files that it has become and is, the newest first.
        settings: what is said of it.
        dataset: of its data stream.
    """

    path: Path
    generations: tuple[Path, ...]
    settings: FileSettings
    dataset: str


class Local:
    """Searches files.

    Args:
        settings: which files.
        hostname: the node's name.
        clock: the time.
    """

    def __init__(self, settings: LogsSettings, hostname: str, clock: Clock) -> None:
        self._settings = settings
        self._hostname = hostname
        self._clock = clock

    def search(self, asked: Asked) -> list[Line]:
        """The newest lines that fit, in the order of their time.

        Raises:
            AskedError: something is asked for that the files do not know.
            SearchError: there are no files.
        """
        check_local(asked, self._settings, self._hostname)
        sources = self._sources(asked)
        if not sources and asked.file is not None:
            raise AskedError(
                f"no log file is called {asked.file}", hint="see [[logs.file]]; its name, or its whole path"
            )
        if not sources:
            raise SearchError("none of the configured log files is there", hint="see [[logs.file]] path")
        newest = heapq.merge(*(self._lines(source, asked) for source in sources), key=lambda line: -line.time_ms)
        found = list(itertools.islice(newest, asked.limit))
        found.reverse()
        found.sort(key=lambda line: line.time_ms)  # where one file's own order is another: stable
        return self._surrounded(found, sources, asked) if asked.context else found

    def _sources(self, asked: Asked) -> list[Source]:
        patterns = Patterns(file.path for file in self._settings.file)
        listings, found = Listings(self._clock, patterns.apart), []
        for file, pattern in zip(self._settings.file, patterns, strict=True):
            dataset = file.dataset or self._settings.dataset
            if asked.dataset is not None and not fnmatchcase(dataset, asked.dataset):
                continue
            paths = pattern.find(listings.names)
            if not paths and pattern.literal is not None:
                paths = [pattern.literal]
            for path in by_family(paths, (), patterns.apart):
                if asked.file is not None and not _ends(path, asked.file):
                    continue
                if there := _generations(path, listings):
                    found.append(Source(path, tuple(there), file, dataset))
        return found

    def _lines(self, source: Source, asked: Asked) -> Iterator[Line]:
        """The lines of a path that fit, the newest first."""
        for path in source.generations:
            try:
                modified_ms = path.stat().st_mtime_ns // 1_000_000
                if modified_ms < asked.since_ms - SLACK_MS:
                    return
                matcher = self._matcher(source, asked, modified_ms)
                for match in _matches(path, matcher, asked):
                    yield self._line(source, path, match, modified_ms)
            except OSError as error:
                log.warning("cannot search %s: %s; the other files are searched", path, error.strerror)

    def _matcher(self, source: Source, asked: Asked, modified_ms: int) -> Matcher:
        mask = Mask(self._settings.redact, prompts=source.settings.is_access(str(source.path)))
        return Matcher(asked, source.settings.timezone, modified_ms, mask)

    def _line(self, source: Source, path: Path, match: Match, modified_ms: int) -> Line:
        return Line(
            time_ms=modified_ms if match.time_ms is None else match.time_ms,
            message=match.text,
            level=match.level,
            host=self._hostname,
            dataset=source.dataset,
            file=str(source.path),
            offset=match.offset,
            name=f"{path}/{match.offset}",
        )

    def _surrounded(self, found: list[Line], sources: list[Source], asked: Asked) -> list[Line]:
        """Lines with those beside them in their file, each once."""
        now_ms = self._clock.now_ms()
        matchers = {str(source.path): self._matcher(source, asked, now_ms) for source in sources}
        shown: dict[str, Line] = {}
        for line in found:
            for each in _beside(line, asked.context, matchers[line.file]):
                if each.name not in shown or not each.context:
                    shown[each.name] = each
        return list(shown.values())


def _generations(path: Path, listings: Listings) -> list[Path]:
    """The files of a log, the newest first; itself where one may not look, so that reading it says why."""
    try:
        older = [each.path for each in reversed(listings.generations(path))]
        return [path, *older] if path.is_file() else older
    except OSError:
        return [path]


def _ends(path: Path, wanted: str) -> bool:
    return str(path) == wanted or str(path).endswith(f"/{wanted.lstrip('/')}")


def _matches(path: Path, matcher: Matcher, asked: Asked) -> Iterator[Match]:
    if is_compressed(path):
        kept: deque[Match] = deque(maxlen=asked.limit)  # it cannot be read from its end
        for block in decompressed(path):
            kept.extend(reversed(list(matcher.newest_first(block))))
        yield from reversed(kept)
        return
    for block in from_end(path):
        first = matcher.first_time(block.data)
        if asked.until_ms is not None and first is not None and first > asked.until_ms + SLACK_MS:
            continue
        yield from matcher.newest_first(block)
        if first is not None and first < asked.since_ms - SLACK_MS:
            return


def _beside(line: Line, count: int, matcher: Matcher) -> list[Line]:
    """A line and those around it, as they stand in its file."""
    path, offset = Path(line.name.rpartition("/")[0]), line.offset or 0
    block = around(path, offset)
    begin = offset - block.start
    before = block.data[:begin].splitlines(keepends=True)[-count:]
    after = block.data[begin:].splitlines(keepends=True)[: count + 1]
    at, lines = begin - sum(map(len, before)), []
    for text in (*before, *after):
        if at == begin:
            lines.append(line)
        else:
            beside = matcher.line(block, at, at + len(text.rstrip(b"\r\n")))
            time_ms = line.time_ms if beside.time_ms is None else beside.time_ms
            found = replace(line, time_ms=time_ms, message=beside.text, offset=beside.offset, level=beside.level)
            lines.append(replace(found, context=True, name=f"{path}/{beside.offset}"))
        at += len(text)
    return lines or [line]
