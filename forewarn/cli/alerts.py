"""forewarn alerts."""

from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, print_table


def alerts(config: ConfigOption = None, data_dir_: DataDirOption = None, json: JsonOption = False) -> None:
    """List pending and firing alerts of the running daemon."""
    from forewarn.cli.daemon import ask_api

    if config is not None:
        load(config)
    found = ask_api(data_dir(data_dir_), "/v1/alerts")["alerts"]
    if json:
        print_json(found)
    elif not found:
        print("no alerts")
    else:
        print_table(
            ("state", "severity", "alert", "since", "what"),
            (
                (
                    each["state"],
                    each["labels"].get("severity", ""),
                    each["labels"]["alertname"],
                    each["activeAt"],
                    each["annotations"].get("summary", ""),
                )
                for each in found
            ),
        )
