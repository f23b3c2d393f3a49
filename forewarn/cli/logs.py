"""forewarn logs run."""

import typer

from forewarn.cli.options import ConfigOption, DataDirOption, data_dir, load

app = typer.Typer(no_args_is_help=True, help="Ship the node's logs to Elasticsearch.")


@app.callback()
def root() -> None:
    """Keep ``run`` a subcommand while it is the only one."""


@app.command()
def run(config: ConfigOption = None, data_dir_: DataDirOption = None) -> None:
    """Ship logs in a process of its own, as the systemd unit forewarn-logship does."""
    from forewarn.base.errors import ConfigError
    from forewarn.node import logship_settings
    from forewarn.standalone import run_alone
    from logship.child import main

    settings = load(config)
    if not settings.logs.enabled:
        raise ConfigError("no Elasticsearch is configured", hint="set [logs] url and [[logs.file]] path")
    data = data_dir(data_dir_)
    data.create()
    run_alone("logship", main, logship_settings(settings, data), data.control)
