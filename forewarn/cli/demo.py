"""forewarn demo."""

from pathlib import Path
from typing import Annotated

import typer

from forewarn.cli.options import ListenOption
from forewarn.cli.output import progress, say
from forewarn.cli.signals import end_at_once_on_sigterm


def demo(
    listen: ListenOption = None,
    data_dir_: Annotated[
        Path | None,
        typer.Option("--data-dir", help="An empty directory, or an earlier demo's, to keep the data in."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed simulates another node.")] = 7,
) -> None:
    """Run the daemon on a simulated node of 8 GPUs with four weeks of history.

    Reads no configuration, keeps its data in a directory of its own that is removed at the end (unless --data-dir is
    given), marks every series simulated="true", and sends notifications to itself only.
    """
    end_at_once_on_sigterm()
    from forewarn.base.logs import configure_logging
    from forewarn.demo import run_demo

    configure_logging("ERROR")
    raise SystemExit(run_demo(listen=listen, directory=data_dir_, seed=seed, progress=progress, say=say))
