from typing import Any

import pytest
from pydantic import ValidationError

from worker.settings import WorkerSettings


@pytest.mark.parametrize("listen", ["127.0.0.1:7471", "127.3.2.1:1", "localhost:0", "[::1]:7471"])
def test_loopback_is_taken(listen: str) -> None:
    assert WorkerSettings(listen=listen).listen == listen


@pytest.mark.parametrize(
    "listen",
    [
        "0.0.0.0:7471",
        "[::]:7471",
        "10.0.0.4:7471",
        "example.org:7471",
        "127.0.0.1",
        ":7471",
        "127.0.0.1:99999",
        "::1:7471",
    ],
)
def test_any_other_address_is_refused(listen: str) -> None:
    with pytest.raises(ValidationError, match=r"loopback|no address"):
        WorkerSettings(listen=listen)


@pytest.mark.parametrize(
    "wrong",
    [{"device": "tpu"}, {"min_batch": 65}, {"max_batch": 0}, {"nice": -1}, {"request_timeout": "0s"}, {"gpu": 1}],
)
def test_wrong_values_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WorkerSettings(**wrong)


def test_every_field_says_what_it_means() -> None:
    assert [name for name, field in WorkerSettings.model_fields.items() if not field.description] == []
