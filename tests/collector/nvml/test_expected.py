import json
from pathlib import Path

import pytest

from collector.nvml.health.expected import ExpectedGpus


def gpu(number: int, *, uuid: str = "", slot: str = "") -> dict[str, str]:
    return {
        "gpu": str(number),
        "uuid": uuid or f"GPU-{number}",
        "pci_bus_id": slot or f"00000000:{number}0:00.0",
        "name": "NVIDIA H100 80GB HBM3",
        "serial": "1",
    }


def test_what_was_learned_is_there_after_a_restart(tmp_path: Path) -> None:
    expected = ExpectedGpus(tmp_path / "gpus.json")
    expected.learn([gpu(0), gpu(1)])
    assert expected.unsaved
    expected.save()
    again = ExpectedGpus(tmp_path / "gpus.json")
    assert set(again.gpus) == {"GPU-0", "GPU-1"}
    again.learn([gpu(0), gpu(1)])
    assert not again.unsaved
    assert [path.name for path in tmp_path.iterdir()] == ["gpus.json"]
    assert (tmp_path / "gpus.json").stat().st_mode & 0o777 == 0o600


def test_one_that_vanished_is_still_expected(tmp_path: Path) -> None:
    expected = ExpectedGpus(tmp_path / "gpus.json")
    expected.learn([gpu(0), gpu(1)])
    expected.save()
    expected.learn([gpu(0)])
    assert set(expected.gpus) == {"GPU-0", "GPU-1"}
    assert not expected.unsaved


def test_one_in_the_slot_of_a_missing_one_has_replaced_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = ExpectedGpus(tmp_path / "gpus.json")
    expected.learn([gpu(0), gpu(1)])
    expected.learn([gpu(0), gpu(1, uuid="GPU-new")])
    assert set(expected.gpus) == {"GPU-0", "GPU-new"}
    assert "GPU was replaced" in caplog.text


@pytest.mark.parametrize("text", ["{", '{"gpus": [{"id": 1}]}', "[]"])
def test_a_damaged_list_is_set_aside(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "gpus.json"
    path.write_text(text, encoding="utf-8")
    expected = ExpectedGpus(path)
    assert not expected.gpus
    assert (tmp_path / "gpus.json.damaged").read_text(encoding="utf-8") == text
    assert "damaged" in caplog.text
    expected.learn([gpu(0)])
    expected.save()
    assert json.loads(path.read_text(encoding="utf-8"))["gpus"][0]["uuid"] == "GPU-0"
