"""forewarn nvml pause, resume, forget."""

from typing import Annotated, Any

import typer

from forewarn.cli.options import ConfigOption, DataDirOption, JsonOption, data_dir, load
from forewarn.cli.output import print_json, say


def pause(
    for_: Annotated[
        str, typer.Option("--for", help="End of the pause, at most a day away.", metavar="DURATION")
    ] = "30m",
    config: ConfigOption = None,
    data_dir_: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Stop reading the GPUs, so that one can be reset, MIG changed, or the driver unloaded.

    Returns once the daemon has shut NVML down and holds no /dev/nvidia* any more; exit 1 where a driver call hangs.
    The pause ends by itself, also over a restart of the daemon.
    """
    from forewarn.base.errors import UsageError
    from forewarn.base.types import parse_duration

    try:
        seconds = parse_duration(for_)
    except ValueError as error:
        raise UsageError(f"--for: {error}", hint="write it like 30m") from None
    answer = _ask("nvml_pause", config, data_dir_, seconds=seconds)
    if json:
        print_json({name: answer[name] for name in ("until", "released", "hanging")})
    elif answer["released"]:
        print(f"the GPUs are let go of until {answer['until']}; 'forewarn nvml resume' ends the pause before")
    else:
        print(f"paused until {answer['until']}, but the GPUs are NOT let go of: {answer['hanging']}")
        say("hint: they are once that call comes back; it is not interrupted, for that can freeze a GPU")
    raise SystemExit(0 if answer["released"] else 1)


def resume(config: ConfigOption = None, data_dir_: DataDirOption = None, json: JsonOption = False) -> None:
    """End a pause now; everything about the GPUs is found out anew."""
    answer = _ask("nvml_resume", config, data_dir_)
    if json:
        print_json({"was_paused": answer["was_paused"]})
    else:
        print("GPU collection goes on" if answer["was_paused"] else "it was not paused")


def forget(
    uuid: Annotated[list[str] | None, typer.Argument(help="GPUs to forget, by UUID.")] = None,
    missing: Annotated[bool, typer.Option("--missing", help="All known GPUs that do not answer now.")] = False,
    config: ConfigOption = None,
    data_dir_: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Take GPUs that were removed for good off the list of those that this node is known to have."""
    from forewarn.base.errors import UsageError

    if bool(uuid) == missing:
        raise UsageError("name the GPUs by UUID, or say --missing", hint="'forewarn status' shows what is missing")
    forgotten = _ask("nvml_forget", config, data_dir_, uuids=None if missing else uuid)["forgotten"]
    if json:
        print_json(forgotten)
    elif not forgotten:
        print("no known GPU is missing")
    for gpu in () if json else forgotten:
        print(f"forgotten: {gpu['uuid']} (GPU {gpu['gpu']}, {gpu['name']})")


def _ask(kind: str, config: ConfigOption, given: DataDirOption, **fields: object) -> dict[str, Any]:
    from forewarn.control import ControlClient

    if config is not None:
        load(config)
    with ControlClient(data_dir(given).control) as daemon:
        return daemon.ask(kind, **fields)
