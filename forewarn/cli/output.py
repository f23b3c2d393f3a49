"""What commands print: data on standard output, messages and progress on standard error."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import typer

T = TypeVar("T")
Progress = Callable[[int, int], None]

WHOLE = 10_000
"""Characters: wider than any row, so that nothing is cut off or folded for a pipe."""


def print_json(data: Any) -> None:
    """Indented JSON."""
    import orjson

    sys.stdout.write(orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())


def print_json_items(items: Iterable[T], shown: Callable[[T], Any]) -> Iterator[T]:
    """A JSON array, each item printed when it comes and handed on; nothing where the first one fails."""
    import orjson

    count = 0
    for count, item in enumerate(items, 1):
        sys.stdout.write("[" if count == 1 else ",")
        sys.stdout.write("\n" + orjson.dumps(shown(item), option=orjson.OPT_INDENT_2).decode())
        yield item
    sys.stdout.write("\n]\n" if count else "[]\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table; as wide as the terminal, and whole where there is none."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(*(Column(name, overflow="fold") for name in columns), box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else WHOLE, markup=False, highlight=False).print(table, crop=False)


def tell(text: str) -> None:
    """A message of the daemon: for the person at a terminal, else a line of the log like any other."""
    if sys.stderr.isatty():
        say(text)
    else:
        logging.getLogger("forewarn").info(text)


def say(text: str) -> None:
    """A message for the person, not for the pipe."""
    typer.echo(text, err=True)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A progress bar where standard error is a terminal; call it with how much is done and how much there is."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
