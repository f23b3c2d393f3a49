"""forewarn worker run."""

import typer

from forewarn.cli.options import ConfigOption, DataDirOption, data_dir, load

app = typer.Typer(no_args_is_help=True, help="The bundled inference worker.")


@app.callback()
def root() -> None:
    """Keep ``run`` a subcommand while it is the only one."""


@app.command()
def run(config: ConfigOption = None, data_dir_: DataDirOption = None) -> None:
    """Serve the bundled model in a process of its own, as the systemd unit forewarn-worker does."""
    from forewarn.base.errors import ConfigError
    from forewarn.node import worker_settings
    from forewarn.standalone import run_alone
    from worker.child import main

    settings = load(config)
    if not settings.worker.enabled:
        raise ConfigError("the worker is switched off", hint="set [worker] enabled = true")
    data = data_dir(data_dir_)
    data.create()
    run_alone("worker", main, worker_settings(settings, data), data.control)
