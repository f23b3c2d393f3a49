"""forewarn status."""

from typing import Any

from forewarn.cli.options import DataDirOption, JsonOption, data_dir
from forewarn.cli.output import print_json, print_table


def status(data_dir_: DataDirOption = None, json: JsonOption = False) -> None:
    """Ask the running daemon how it is; exit 1 where something is wrong or none runs."""
    from forewarn.control import ControlClient

    with ControlClient(data_dir(data_dir_).control) as daemon:
        answer = daemon.ask("status")["status"]
    if json:
        print_json(answer)
    else:
        _print(answer)
    raise SystemExit(0 if answer["healthy"] else 1)


def _print(answer: dict[str, Any]) -> None:
    print(f"{answer['sentence']}\n")
    facts = {
        "address": answer["url"],
        "version": answer["version"],
        "uptime": f"{answer['uptime_seconds'] / 3600:.1f} h",
        "data": f"{answer['data_dir']} ({answer['store']['bytes'] / 2**20:.1f} MiB, {answer['store']['series']} series)",
        "forecasts": answer["forecasts"]["summary"],
        "alerts": f"{answer['alerts']['firing']} firing, {answer['alerts']['pending']} pending",
    }
    for name, value in facts.items():
        print(f"{name:>10}  {value}")
    print_table(
        ("collector", "works", "last success", "error"),
        (
            (each["name"], "yes" if each["success"] else "NO", each["last_success"] or "never", each["error"] or "")
            for each in answer["collectors"]
        ),
    )
    print_table(
        ("child", "state", "pid", "restarts"),
        ((each["name"], each["state"], str(each["pid"] or ""), str(each["restarts"])) for each in answer["children"]),
    )
