"""forewarn nvml: the GPUs, as their driver tells of them."""

import typer

from forewarn.cli.nvml_processes import processes

app = typer.Typer(no_args_is_help=True, help="The GPUs: who uses them.")
app.command()(processes)


@app.callback()
def root() -> None:
    """Keep its commands subcommands while there is one."""
