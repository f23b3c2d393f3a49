"""forewarn logs run, templates, sequences."""

import typer

from forewarn.cli import (
    logs_anomalies,
    logs_replay,
    logs_search,
    logs_sequences,
    logs_setup,
    logs_spool,
    logs_templates,
    logs_try,
)
from forewarn.cli.options import ConfigOption, DataDirOption, data_dir, load

app = typer.Typer(no_args_is_help=True, help="Ship the node's logs to Elasticsearch, and find patterns in them.")
app.command(short_help="Search logs, wherever they are.")(logs_search.search)
app.command(short_help="Install what Elasticsearch needs for our logs.")(logs_setup.setup)
app.command("try", short_help="What the lines of a file would become.")(logs_try.try_file)
app.command(short_help="The template of every line of log files.")(logs_templates.templates)
app.command(short_help="What has been unusual in the logs.")(logs_anomalies.anomalies)
app.command(short_help="Sequences of events unlike all known ones.")(logs_sequences.sequences)
app.command(short_help="Documents that Elasticsearch refused.")(logs_replay.dead)
app.command(short_help="Send refused documents again.")(logs_replay.replay)
app.add_typer(logs_spool.app, name="spool")


@app.command()
def run(config: ConfigOption = None, data_dir_: DataDirOption = None) -> None:
    """Ship logs in a process of its own, as the systemd unit forewarn-logship does."""
    from forewarn.base.errors import ConfigError
    from forewarn.node import logship_settings
    from forewarn.standalone import run_alone
    from logship.child import main

    settings = load(config)
    if not settings.logs.enabled:
        hint = "set [logs] url, and [[logs.file]] path or [[logs.journal]]"
        raise ConfigError("no Elasticsearch is configured", hint=hint)
    data = data_dir(data_dir_)
    data.create()
    run_alone("logship", main, logship_settings(settings, data), data.control)
