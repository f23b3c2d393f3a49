"""forewarn logs search."""

from typing import TYPE_CHECKING, Annotated

import typer

from forewarn.cli.options import ConfigOption, load
from forewarn.cli.output import say
from forewarn.cli.reading import moment_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from logship.search.asked import Asked, Line
    from logship.search.both import Where
    from logship.settings import LogsSettings

FOLLOW_SECONDS = 1.0
_COLOURS = {
    "trace": "2",
    "debug": "2",
    "info": "32",
    "notice": "36",
    "warning": "33",
    "error": "31",
    "critical": "1;31",
}
_MARK = "1;4"


def search(
    text: Annotated[
        str, typer.Argument(help='Words that must all occur; "several words" in quotes are one phrase.', metavar="TEXT")
    ] = "",
    *,
    config: ConfigOption = None,
    since: Annotated[str, typer.Option(help="From when: an age such as 90m or 2d, or a time.")] = "1h",
    until: Annotated[str | None, typer.Option(help="To when, written alike [default: now].")] = None,
    level: Annotated[str | None, typer.Option(help="This level and those above: trace to critical.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Data set [default: those configured]; * for all.")] = None,
    file: Annotated[str | None, typer.Option(help="Path of the log file, or the end of it.")] = None,
    template: Annotated[int | None, typer.Option(help="Number of the lines' template.", min=0)] = None,
    host: Annotated[str | None, typer.Option(help="Name of the node [default: all].")] = None,
    limit: Annotated[int, typer.Option(help="Lines at most, the newest.", min=1, max=10_000)] = 100,
    context: Annotated[int, typer.Option(help="Lines of the same file around each.", min=0, max=100)] = 0,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with lines as they come.")] = False,
    local: Annotated[
        bool, typer.Option("--local", help="Search the node's own files, whatever they are shipped to.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, a line for each.")] = False,
) -> None:
    """Search the logs: in Elasticsearch, or in the node's own files while it is away.

    Which of them was asked is said on standard error. The files know no templates and no other nodes.
    """
    from forewarn.base.clock import SystemClock
    from logship.search.asked import Asked

    settings = _settings(load(config).logs, local=local, follow=follow)
    now_ms = SystemClock().now_ms()
    asked = Asked(
        text=text,
        since_ms=moment_of(since, now_ms, "--since"),
        until_ms=None if until is None else moment_of(until, now_ms, "--until"),
        level=_level(level),
        dataset=dataset,
        file=file,
        host=host,
        template=template,
        limit=limit,
        context=context,
    )
    _check(asked)
    shown = _Shown(asked, json=json)
    if follow:
        _follow(settings, asked, shown, local=local)
    else:
        _once(settings, asked, shown, "local" if local else "auto")


def _settings(settings: "LogsSettings", *, local: bool, follow: bool) -> "LogsSettings":
    from forewarn.base.errors import ConfigError

    if not settings.url and not settings.file:
        raise ConfigError("no logs are configured", hint="set [logs] url, or [[logs.file]] path")
    if local and not settings.file:
        raise ConfigError("no log file is configured", hint="set [[logs.file]] path")
    if follow and not settings.url and not local:
        raise ConfigError("no Elasticsearch is configured", hint="set [logs] url")
    return settings


def _level(name: str | None) -> str | None:
    from forewarn.base.errors import UsageError
    from logship.search.asked import LEVELS
    from logship.stamps import LEVEL_NAMES

    if name is None:
        return None
    level = LEVEL_NAMES.get(name.upper())
    if level is None:
        raise UsageError(f"--level: {name!r} is no level", hint=f"one of {', '.join(LEVELS)}")
    return level


def _check(asked: "Asked") -> None:
    import re

    from forewarn.base.errors import UsageError
    from logship.search.asked import DATASETS

    if asked.until_ms is not None and asked.until_ms <= asked.since_ms:
        raise UsageError("--until lies before --since", hint="--since 2h --until 1h is the hour before the last one")
    if asked.dataset is not None and not re.fullmatch(DATASETS, asked.dataset):
        raise UsageError(f"--dataset: {asked.dataset!r} is no data set", hint="one name; * stands for anything in it")


def _once(settings: "LogsSettings", asked: "Asked", shown: "_Shown", where: "Where") -> None:
    import socket

    from forewarn.base.clock import SystemClock
    from logship.search.both import search as search_both

    found = search_both(settings, asked, socket.gethostname(), SystemClock(), where)
    if found.reason:
        away = f"Elasticsearch does not answer ({found.reason})" if settings.url else found.reason
        say(f"{away}: this node's files were searched")
    else:
        say("searched this node's files" if found.place == "local" else f"searched {settings.url[0]}")
    shown.print(found.lines)
    if not found.lines:
        ahead = asked.since_ms > SystemClock().now_ms()
        say("nothing was found; " + ("--since lies in the future" if ahead else "--since reaches further back"))
    elif len([line for line in found.lines if not line.context]) == asked.limit:
        say(f"there may be older lines; --limit {asked.limit} shows the newest")


def _follow(settings: "LogsSettings", asked: "Asked", shown: "_Shown", *, local: bool) -> None:
    import contextlib
    import time

    from forewarn.base.errors import UsageError
    from logship.search.elastic import MOST_FOLLOWED, Elastic
    from logship.search.errors import UnreachableError

    if local or asked.context or asked.until_ms is not None:
        raise UsageError("--follow goes with none of --local, --context, --until", hint="tail -F follows a file")
    server, seen, away, most = Elastic(settings), dict[str, int](), False, asked.limit
    say(f"following {settings.url[0]}; Ctrl-C ends it")
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(server):
        while True:
            try:
                shown.print(server.follow(asked, seen, most))
            except UnreachableError as error:
                if not away:
                    say(f"Elasticsearch does not answer: {error.message}; it is asked again")
                away = True
            else:
                if away:
                    say("Elasticsearch answers again")
                away, most = False, MOST_FOLLOWED
            time.sleep(FOLLOW_SECONDS)


class _Shown:
    """Prints lines: JSON, plain, or with colours where a terminal shows them."""

    def __init__(self, asked: "Asked", *, json: bool) -> None:
        import os
        import sys

        self._json = json
        self._colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._expressions = asked.expressions()
        self._beside = asked.context > 0

    def print(self, lines: "Iterable[Line]") -> None:
        import orjson

        for line in lines:
            print(orjson.dumps(line.as_json()).decode() if self._json else self._row(line), flush=True)

    def _row(self, line: "Line") -> str:
        from pathlib import PurePath

        from forewarn.base.clock import rfc3339

        level = f"{line.level or '-':8}"
        place = " ".join(part for part in (line.host, PurePath(line.file).name or line.dataset) if part)
        time = self._painted(rfc3339(line.time_ms), "2")
        mark = "" if not self._beside else "  " if line.context else "> "
        level = self._painted(_printable(level), _COLOURS.get(line.level, ""))
        return f"{mark}{time} {level} {_printable(place)}: {self._marked(line)}"

    def _marked(self, line: "Line") -> str:
        text = _printable(line.message)
        if self._colours and not line.context:
            for expression in self._expressions:
                text = expression.sub(lambda found: self._painted(found[0], _MARK), text)
        return text

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours and colour else text


def _printable(text: str) -> str:
    """Text that moves no cursor and changes no colour."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
