"""forewarn status."""

from typing import Any

from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, print_table


def status(config: ConfigOption = None, data_dir_: DataDirOption = None, json: JsonOption = False) -> None:
    """Ask the running daemon how it is; exit 1 where something is wrong or none runs."""
    from forewarn.cli.daemon import ask_api

    if config is not None:
        load(config)
    answer = ask_api(data_dir(data_dir_), "/v1/status")
    if json:
        print_json(answer)
    else:
        _print(answer)
    raise SystemExit(0 if answer["healthy"] else 1)


def _print(answer: dict[str, Any]) -> None:
    store, forecasts = answer["store"], answer["forecasts"]
    print(f"{answer['state']['sentence']}\n")
    facts = {
        "address": answer["url"],
        "version": f"{answer['version']}, up {answer['uptime_seconds'] / 3600:.1f} h",
        "data": f"{answer['data_dir']}: {store['used_bytes'] / 2**20:.1f} MiB, {store['series']} series",
        "forecasts": f"{forecasts['targets']} targets, last run {forecasts['last_run'] or 'still to come'}",
        "receivers": ", ".join(answer["receivers"]) or "none: alerts show here and on the page only",
    }
    for name, value in (facts | _gpu_facts(answer.get("gpus"))).items():
        print(f"{name:>10}  {value}")
    _print_conditions(answer.get("gpus"))
    print_table(
        ("collector", "works", "last success", "errors so far"),
        (
            (
                each["name"],
                "yes" if each["success"] else "NO",
                each["last_success"] or "never",
                ", ".join(f"{code} {count}" for code, count in each["errors"].items()),
            )
            for each in answer["collectors"]
        ),
    )
    print_table(
        ("child", "state", "pid", "restarts"),
        ((each["name"], each["state"], str(each["pid"] or ""), str(each["restarts"])) for each in answer["children"]),
    )


def _gpu_facts(gpus: dict[str, Any] | None) -> dict[str, str]:
    if not gpus or not (gpus["expected"] or gpus["paused_until"]):
        return {}
    if gpus["paused_until"]:
        return {"GPUs": f"PAUSED until {gpus['paused_until']}; 'forewarn nvml resume' ends the pause"}
    there = "nothing is known of them" if gpus["present"] is None else f"{gpus['present']} answer"
    return {"GPUs": f"{gpus['expected']} expected, {there}; XIDs from {gpus['xid_witness']}"}


def _print_conditions(gpus: dict[str, Any] | None) -> None:
    for each in gpus["conditions"] if gpus else ():
        where = f"GPU {each['gpu']}: " if each["gpu"] else ""
        detail = f" ({each['detail']})" if each["detail"] else ""
        print(f"\n{each['severity'].upper()}  {where}{each['meaning']}{detail}, since {each['since']}")
        print(f"  next: {each['next_step']}")
