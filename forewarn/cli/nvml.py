"""forewarn nvml: the GPUs, as their driver tells of them."""

import typer

from forewarn.cli.nvml_care import forget, pause, resume
from forewarn.cli.nvml_processes import processes
from forewarn.cli.nvml_record import record

app = typer.Typer(no_args_is_help=True, help="The GPUs: who uses them, letting go of them, forgetting them.")
app.command()(processes)
app.command(short_help="Let go of the GPUs for a while.")(pause)
app.command(short_help="Read the GPUs again.")(resume)
app.command(short_help="Miss a GPU no longer.")(forget)
app.command(short_help="Record what the driver answers.")(record)
