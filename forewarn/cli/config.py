"""forewarn config check | show | schema."""

import typer

from forewarn.cli.options import ConfigOption, JsonOption, load
from forewarn.cli.output import print_json, say

app = typer.Typer(no_args_is_help=True, help="Check and show the configuration.")


@app.command()
def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Exit 0 where the configuration is right, 2 with one line where it is not."""
    from alerts.shipped import effective_rules
    from forewarn.base.errors import ConfigError
    from forewarn.config import find_file

    try:
        file = find_file(config)
        effective_rules(load(file).alerts)
    except ConfigError as error:
        if json:
            print_json({"ok": False, "error": error.message, "hint": error.hint})
        raise
    if json:
        print_json({"ok": True, "file": None if file is None else str(file)})
    else:
        say(
            f"{file} is right" if file else "there is no configuration file: the defaults and the environment are right"
        )


@app.command()
def show(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Print the configuration in force, defaults included, secrets redacted."""
    from forewarn.redact import redacted, to_toml

    shown = redacted(load(config).model_dump(mode="json"))
    if json:
        print_json(shown)
    else:
        print(to_toml(shown))


@app.command()
def schema() -> None:
    """Print the JSON schema of the configuration."""
    from forewarn.config import Config

    print_json(Config.model_json_schema())
