"""The program ``forewarn``: its commands, and the one place where errors become a line and an exit status."""

import sys
from typing import Annotated

import typer

from forewarn import __version__
from forewarn.base.errors import ForewarnError
from forewarn.cli import (
    alerts,
    backfill,
    backtest,
    config,
    demo,
    forecast,
    logs,
    nvml,
    plan,
    query,
    run,
    service,
    status,
    store,
    worker,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Records what a GPU node does, forecasts it three days ahead, and warns before capacity runs out.",
    epilog="Start with 'forewarn run', or look at a simulated node with 'forewarn demo'.",
)
app.command(short_help="Run the daemon until SIGTERM or Ctrl-C.")(run.run)
app.command(short_help="Run it on a simulated node of 8 GPUs.")(demo.demo)
app.command(short_help="How the running daemon is.")(status.status)
app.command(short_help="What lies ahead of every capacity.")(forecast.forecast)
app.command(short_help="When resources are full, and how many more GPUs are needed.")(plan.plan)
app.command(short_help="What was recorded, in windows of time.")(query.query)
app.command()(alerts.alerts)
app.command()(backfill.backfill)
app.command(short_help="How good forecasts of a file's past would have been.")(backtest.backtest)
app.add_typer(config.app, name="config")
app.add_typer(logs.app, name="logs")
app.add_typer(nvml.app, name="nvml")
app.add_typer(store.app, name="store")
app.add_typer(worker.app, name="worker")
app.command("install-service", short_help="Run it under systemd, from /opt/forewarn.")(service.install_service)


@app.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=lambda on: _print_version(on=on))
    ] = False,
) -> None:
    """What every command shares."""


def _print_version(*, on: bool) -> None:
    if on:
        typer.echo(f"forewarn {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a command; exit 0 when it went well, 1 on a problem, 2 on wrong usage."""
    try:
        app()
    except ForewarnError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)  # whoever read our output has gone
