"""forewarn demo."""

from typing import Annotated

import typer

from forewarn.cli.options import DataDirOption, ListenOption
from forewarn.cli.output import progress, say


def demo(
    listen: ListenOption = None,
    data_dir_: DataDirOption = None,
    seed: Annotated[int, typer.Option(help="Another seed simulates another node.")] = 7,
) -> None:
    """Run the daemon on a simulated node of 8 GPUs with four weeks of history.

    Reads no configuration, keeps its data in a directory of its own that is removed at the end (unless --data-dir is
    given), marks every series simulated="true", and sends notifications to itself only.
    """
    from forewarn.base.logs import configure_logging
    from forewarn.demo import run_demo

    configure_logging("ERROR")
    raise SystemExit(run_demo(listen=listen, directory=data_dir_, seed=seed, progress=progress, say=say))
