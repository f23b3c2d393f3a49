"""Documents that may be there already stay in doubt until it is known what became of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.bulk_sink import BulkSink
from tests.support.logship import shipping, wait_for


def refuse_each(sink: BulkSink) -> str:
    sink.refuse_every = 1
    return ""


def refuse_all(_: BulkSink) -> str:
    return "429"


@pytest.mark.parametrize("refuse", [refuse_each, refuse_all])
def test_a_refusal_is_no_answer_to_whether_documents_are_there(
    tmp_path: Path, refuse: Callable[[BulkSink], str]
) -> None:
    """Arrived, the answer lost, then refused for a while, and meanwhile a roll-over."""
    path = tmp_path / "app.log"
    path.write_bytes(b"one\ntwo\nthree\n")
    with BulkSink() as sink:
        over = False

        def plan() -> str:
            if len(sink.times) == 1:
                return "answer lost"
            return "" if over else refuse(sink)

        sink.plan = plan
        with shipping({"url": sink.url, "file": [{"path": str(path)}]}, tmp_path / "data") as child:
            wait_for(lambda: len(sink.times) >= 3, "a refusal")
            wait_for(sink.roll_over, "a moment for it")
            over, sink.refuse_every = True, 0
            wait_for(lambda: child.value("forewarn_logs_lag_bytes", path=str(path)) == 0, "the end")
    assert (len(sink.documents), sink.doubles) == (3, set())
