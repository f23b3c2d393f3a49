"""Rounds from the child's rows to the parent's samples, through the bytes of the pipe."""

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st

from collector.nvml.wire import Cell, Receiver, Row, Sender
from forewarn.base import frames
from forewarn.base.frames import Frame

GPU = (("gpu", "0"), ("uuid", "GPU-a"))
METRICS = ("power_watts", "energy_joules_total", "utilization_ratio", "memory_used_bytes")


def through_the_pipe(frame: Frame) -> Frame:
    back = frames.read(BytesIO(frames.encode(frame)))
    assert back is not None
    return back


class Line:
    """A child's sender and its parent's receiver."""

    def __init__(self) -> None:
        self.sender = Sender()
        self.receiver = Receiver()
        self.layouts = 0

    def round(self, *rows: Row) -> dict[str, float]:
        layout = self.sender.layout(rows)
        if layout is not None:
            self.layouts += 1
            self.receiver.take_layout(through_the_pipe(layout))
        samples = self.receiver.samples(through_the_pipe(self.sender.values(rows)))
        return {str(sample.key): sample.value for sample in samples}


def test_a_series_begins_with_its_first_value() -> None:
    line, row = Line(), Row("forewarn_gpu_", GPU)
    power, energy = Cell(row, "power_watts"), Cell(row, "energy_joules_total")
    power.put(300.0)
    energy.put(None)
    assert line.round(row) == {'forewarn_gpu_power_watts{gpu="0",uuid="GPU-a"}': 300.0}
    energy.put(5.0)
    assert len(line.round(row)) == 2
    power.put(None)
    assert line.round(row) == {'forewarn_gpu_energy_joules_total{gpu="0",uuid="GPU-a"}': 5.0}
    assert line.layouts == 2


def test_a_layout_is_sent_for_what_comes_and_what_goes_and_not_else() -> None:
    line = Line()
    one, other = Row("forewarn_gpu_", GPU), Row("forewarn_gpu_", (("gpu", "1"), ("uuid", "GPU-b")))
    for row in (one, other):
        Cell(row, "power_watts").put(1.0)
    for rows, layouts in (((one, other), 1), ((one, other), 1), ((one,), 2), ((one, other), 3), ((), 4), ((), 4)):
        assert len(line.round(*rows)) == len(rows)
        assert line.layouts == layouts


def test_two_cells_of_one_series_share_its_place() -> None:
    line, row = Line(), Row("forewarn_gpu_", GPU)
    measured, told = Cell(row, "pcie_transmit_bytes_per_second"), Cell(row, "pcie_transmit_bytes_per_second")
    told.put(None)
    measured.put(1.0)
    assert list(line.round(row).values()) == [1.0]
    told.put(None)
    assert list(line.round(row).values()) == [1.0]
    told.put(2.0)
    assert list(line.round(row).values()) == [2.0]
    assert line.layouts == 1


def test_labels_without_a_value_stay_away_and_all_are_in_order() -> None:
    row = Row("forewarn_gpu_", GPU)
    row.add("info", (("serial", ""), ("name", "H100"), ("driver_version", "590")), 1.0)
    labels = (("driver_version", "590"), ("gpu", "0"), ("name", "H100"), ("uuid", "GPU-a"))
    assert row.series == [("forewarn_gpu_info", labels, False)]


@given(
    st.lists(st.dictionaries(st.sampled_from(METRICS), st.none() | st.floats(allow_nan=False, allow_infinity=False)))
)
def test_what_is_put_is_what_arrives(rounds: list[dict[str, float | None]]) -> None:
    line, row = Line(), Row("forewarn_gpu_", GPU)
    cells = {metric: Cell(row, metric) for metric in METRICS}
    for told in rounds:
        for metric, cell in cells.items():
            cell.put(told.get(metric))
        expected = {
            f'forewarn_gpu_{metric}{{gpu="0",uuid="GPU-a"}}': value
            for metric, value in told.items()
            if value is not None
        }
        assert line.round(row) == expected
