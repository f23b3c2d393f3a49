"""The planning process: one plan at low priority, one frame, then it ends.

The first frame holds ``store`` and ``state`` (paths), ``targets`` (rows), ``ask`` (fields of ``Ask``), ``as_of_ms``,
``nice``, ``deadline`` and ``log_level``. Sent is ``{"kind": "plan", "plan": {...}}`` or ``{"kind": "error", "message":
..., "hint": ...}``.
"""

from pathlib import Path

from forewarn.base.child import Parent, answer_once, serve


def main(parent: Parent) -> None:
    """Make one plan and hand it over."""
    answer_once(parent, _plan)


def _plan(parent: Parent) -> None:
    from collector.store import StoreReader  # noqa: PLC0415
    from forecast.plan.asking import Ask  # noqa: PLC0415
    from forecast.plan.making import make_plan  # noqa: PLC0415
    from forecast.plan.stored import read_chances  # noqa: PLC0415
    from forecast.settings import TargetSettings  # noqa: PLC0415
    from forecast.targets import find_targets  # noqa: PLC0415

    settings = parent.settings
    rows = [TargetSettings.model_validate(row) for row in settings["targets"]]
    as_of_ms = settings["as_of_ms"]
    reader = StoreReader(Path(settings["store"]))
    try:
        chances = read_chances(Path(settings["state"]), as_of_ms)
        found = find_targets(reader, rows, as_of_ms)
        made = make_plan(reader, found, as_of_ms, Ask(**settings["ask"]), chances=chances)
    finally:
        reader.close()
    parent.send({"kind": "plan", "plan": made.to_dict()})


if __name__ == "__main__":
    serve(main)
