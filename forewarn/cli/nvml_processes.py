"""forewarn nvml processes."""

from typing import Any

from forewarn.cli.options import DataDirOption, JsonOption, data_dir
from forewarn.cli.output import print_json, print_table

COLUMNS = ("gpu", "pid", "type", "user", "where", "command", "memory", "SM", "age", "idle for")


def processes(data_dir_: DataDirOption = None, json: JsonOption = False) -> None:
    """List who uses the GPUs, as the running daemon last saw it: the largest of each GPU first."""
    from forewarn.control import ControlClient

    with ControlClient(data_dir(data_dir_).control, timeout=10.0) as daemon:
        found = daemon.ask("gpu_processes")["processes"]
    if json:
        print_json(found)
    elif not found:
        print("no processes on the GPUs")
    else:
        print_table(COLUMNS, (_cells(each) for each in found))


def _cells(process: dict[str, Any]) -> tuple[str, ...]:
    from forewarn.base.words import quantity

    instance, memory, sm = process["gpu_instance_id"], process["memory_bytes"], process["sm_utilization_ratio"]
    return (
        process["gpu"] if instance is None else f"{process['gpu']} instance {instance}",
        str(process["pid"]),
        "+".join(process["kinds"]),
        process.get("user", ""),
        _where(process),
        process.get("command") or f"({process['state']})",
        "" if memory is None else quantity(memory, "bytes"),
        "" if sm is None else quantity(sm, "ratio"),
        _since(process.get("started")),
        _since(process["idle_since"]),
    )


def _where(process: dict[str, Any]) -> str:
    """Unit, container and pod, as far as there are any."""
    pod = process.get("pod_uid")
    parts = (process.get("unit"), process.get("container"), f"pod {pod}" if pod else "")
    return ", ".join(part for part in parts if part)


def _since(time: str | None) -> str:
    from forewarn.base.clock import SystemClock, parse_time
    from forewarn.base.words import duration

    return "" if time is None else duration(max(0.0, (SystemClock().now_ms() - parse_time(time)) // 1000))
