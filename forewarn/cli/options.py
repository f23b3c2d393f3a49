"""Options that commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from forewarn.config import Config
    from forewarn.datadir import DataDir

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Configuration file [default: ./forewarn.toml unless root, /etc/forewarn/forewarn.toml]."
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where series and states are kept [default: /var/lib/forewarn as root]."),
]
ListenOption = Annotated[
    str | None, typer.Option("--listen", help="Address of the page and the API.", metavar="HOST:PORT")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def load(config: Path | None, **flags: Any) -> "Config":
    """The configuration, flags that were not given left out."""
    from forewarn.cli.output import say
    from forewarn.config import find_file, left_unread, load_config

    if (unread := left_unread(config)) is not None:
        say(f"as root ./{unread} is not read by itself: name it with --config {unread}")
    return load_config(find_file(config), {name: value for name, value in flags.items() if value is not None})


def data_dir(given: Path | None) -> "DataDir":
    """The data directory that was given, or the default one."""
    from forewarn.datadir import DataDir, default_data_dir

    return DataDir(given or default_data_dir())
