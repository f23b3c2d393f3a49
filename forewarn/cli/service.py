"""forewarn install-service."""

from typing import Annotated

import typer

from forewarn.cli.output import say


def install_service(
    source: Annotated[
        str | None,
        typer.Option("--from", help="What pip installs: a wheel, a source folder, or a requirement.", metavar="WHAT"),
    ] = None,
    worker: Annotated[bool, typer.Option("--worker", help="Install the bundled worker too (torch is large).")] = False,
    attribution: Annotated[
        bool, typer.Option("--attribution", help="Let the daemon see whose processes use the GPUs (a drop-in).")
    ] = False,
    clock: Annotated[
        bool, typer.Option("--clock", help="Let the daemon see whether the clock is synchronised (a drop-in).")
    ] = False,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Enable and start the units.")] = True,
) -> None:
    """Install Forewarn into /opt/forewarn and run it under systemd. Needs root; safe to repeat, upgrades in place."""
    from forewarn.service import ATTRIBUTION, CLOCK, Installation

    drop_ins = [name for name, wanted in ((ATTRIBUTION, attribution), (CLOCK, clock)) if wanted]
    Installation(source, worker=worker, drop_ins=drop_ins, say=say).install(start=start)
