"""forewarn logs run, templates, sequences."""

import typer

from forewarn.cli import logs_sequences, logs_templates
from forewarn.cli.options import ConfigOption, DataDirOption, data_dir, load

app = typer.Typer(no_args_is_help=True, help="Ship the node's logs to Elasticsearch, and find patterns in them.")
app.command(short_help="The template of every line of log files.")(logs_templates.templates)
app.command(short_help="Sequences of events unlike all known ones.")(logs_sequences.sequences)


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
