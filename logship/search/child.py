"""A search of the node's files in a process of its own: ``python -P -m logship.search.child``.

The first frame holds ``logs`` (settings), ``asked`` (fields of ``Asked``), ``hostname``, ``nice``, ``deadline`` and
``log_level``. Sent is ``{"kind": "lines", "lines": [...]}`` or ``{"kind": "error", "message": ..., "hint": ...}``.
"""

from forewarn.base.child import Parent, answer_once, serve
from forewarn.base.clock import SystemClock


def main(parent: Parent) -> None:
    """Search once and hand over what was found."""
    answer_once(parent, _search)


def _search(parent: Parent) -> None:
    from logship.search.asked import Asked  # noqa: PLC0415
    from logship.search.local import Local  # noqa: PLC0415
    from logship.settings import LogsSettings  # noqa: PLC0415

    settings = parent.settings
    logs = LogsSettings.model_validate(settings["logs"])
    found = Local(logs, settings["hostname"], SystemClock()).search(Asked(**settings["asked"]))
    parent.send({"kind": "lines", "lines": [line.as_json() for line in found]})


if __name__ == "__main__":
    serve(main)
