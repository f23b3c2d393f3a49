"""What the benchmark of hangs looks at."""

import time

from bench.hangs import _silent


def test_a_source_that_failed_or_gives_old_data_is_seen() -> None:
    now = time.time()
    metrics = {
        'forewarn_collector_success{collector="host"}': 1.0,
        'forewarn_collector_last_success_timestamp_seconds{collector="host"}': now - 10,
        'forewarn_collector_success{collector="nvml"}': 0.0,
        'forewarn_collector_success{collector="self"}': 1.0,
        'forewarn_collector_last_success_timestamp_seconds{collector="self"}': now - 1,
        "forewarn_nvml_stuck": 0.0,
    }
    assert _silent(metrics) == {"host", "nvml"}
