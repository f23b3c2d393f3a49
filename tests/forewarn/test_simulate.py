import numpy as np

from collector.catalogue import CATALOGUE, metric_of_sample
from forewarn.base.clock import DAY
from forewarn.simulate import DISK_SIZE, GPU_MEMORY, LEAKING_GPU, STEP_MS, Node

NOW = 1_800_000_000_000


def test_history_and_live_samples_are_the_same_curves() -> None:
    node = Node(NOW)
    times, history = node.history()
    assert (times[0], times[-1], len(times)) == (NOW - 28 * DAY, NOW - STEP_MS, 28 * 288)
    live = {sample.key: sample.value for sample in node.samples(int(times[-1]))}
    assert {series.key: values[-1] for series, values in history} == live


def test_every_series_is_in_the_catalogue_and_marked() -> None:
    for series in Node(NOW).series:
        metric = metric_of_sample(series.key.name)
        assert metric is not None, series.key
        assert series.counter == (metric.type != "gauge")
        labels = dict(series.key.labels)
        assert labels.pop("simulated") == "true"
        assert set(labels) - {"le"} <= set(CATALOGUE[metric.name].labels)


def test_counters_only_grow_and_gauges_stay_possible() -> None:
    _, history = Node(NOW).history()
    for series, values in history:
        assert np.isfinite(values).all(), series.key
        if series.counter:
            assert (np.diff(values) >= 0).all(), series.key
        elif series.key.name.endswith("_ratio"):
            assert values.min() >= 0
            assert values.max() <= 1
        elif series.key.name == "forewarn_gpu_memory_used_bytes":
            assert values.max() <= GPU_MEMORY


def test_two_resources_run_out_within_three_days() -> None:
    ahead = np.array([NOW, NOW + 3 * DAY])
    curves = {series.key: series for series in Node(NOW).series}
    for key, series in curves.items():
        if key.name == "forewarn_gpu_memory_used_bytes":
            leaks = key.label("gpu") == str(LEAKING_GPU)
            assert (series.at(ahead)[1] > 0.93 * GPU_MEMORY) == leaks
        if key.name == "forewarn_node_filesystem_avail_bytes" and key.label("mountpoint") != "/":
            now, later = series.at(ahead)
            assert now > 0.05 * DISK_SIZE > later


def test_the_seed_decides() -> None:
    first, again, other = (Node(NOW, seed).samples(NOW) for seed in (1, 1, 2))
    assert first == again
    assert first != other
