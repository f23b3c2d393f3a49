"""forewarn logs setup."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from forewarn.cli.options import ConfigOption, JsonOption, load
from forewarn.cli.output import print_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from logship.elastic.setup import Plan, Request
    from logship.settings import LogsSettings


def setup(
    *,
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the requests and send none.")] = False,
    roll_over: Annotated[
        bool, typer.Option("--roll-over", help="Begin a new index of the data streams that are there already.")
    ] = False,
    print_role: Annotated[
        bool, typer.Option("--print-role", help="Print the roles and the API key that it takes; asks no server.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Install the templates of the logs' data streams: fields, settings, how long documents are kept.

    Run it once, with an account that may; again after an upgrade or another retention. What a server does not offer is
    left out and said. Templates hold for indices made after them: --roll-over makes one at once.
    """
    from logship.elastic.product import connect
    from logship.elastic.role import role_requests
    from logship.elastic.setup import Setup

    settings = _settings(load(config).logs, asks=not print_role)
    if print_role:
        _print_requests(role_requests(settings.written), json=json)
        return
    product, caller = connect(settings)
    try:
        server = Setup(settings, product, caller)
        plan = server.plan(settings.written)
        if not dry_run:
            server.install(plan)
            server.roll_over(plan.streams if roll_over else ())
    finally:
        caller.close()
    if json:
        print_json(_as_json(str(product), plan, dry_run=dry_run, roll_over=roll_over))
        return
    if dry_run:
        _print_requests(plan.requests, json=False)
    else:
        for request in plan.requests:
            print(f"installed {request.path[1:]}")
    _say_more(plan, str(product), rolled=roll_over and not dry_run)


def _settings(settings: "LogsSettings", *, asks: bool) -> "LogsSettings":
    from forewarn.base.errors import ConfigError

    if asks and not settings.url:
        raise ConfigError("no Elasticsearch is configured", hint="set [logs] url")
    return settings


def _print_requests(requests: "Sequence[Request]", *, json: bool) -> None:
    """As Kibana's console takes them, or as JSON."""
    import orjson

    if json:
        print_json([request._asdict() for request in requests])
        return
    for number, request in enumerate(requests):
        body = orjson.dumps(request.body, option=orjson.OPT_INDENT_2).decode()
        print(f"{'' if number == 0 else chr(10)}{request.method} {request.path}\n{body}")


def _as_json(product: str, plan: "Plan", *, dry_run: bool, roll_over: bool) -> dict[str, Any]:
    return {
        "server": product,
        "installed": not dry_run,
        "requests": [request._asdict() for request in plan.requests],
        "existing_streams": list(plan.streams),
        "rolled_over": roll_over and not dry_run,
        "notes": list(plan.notes),
    }


def _say_more(plan: "Plan", product: str, *, rolled: bool) -> None:
    say(f"server: {product}")
    for note in plan.notes:
        say(f"note: {note}")
    if plan.streams:
        names = ", ".join(plan.streams)
        say(f"rolled over: {names}" if rolled else f"note: {names} take it over with their next index, or --roll-over")
