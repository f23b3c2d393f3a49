"""Ordinary faults, smaller than ``bench/log_faults.py`` runs them: nothing lost, nothing twice, all in its place."""

from pathlib import Path

import pytest

from tests.support.fault_rows import ROWS, CannotBeRunError, Row, run


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_fault(row: Row, tmp_path: Path) -> None:
    try:
        found = run(row, tmp_path, scale=0.05)
    except CannotBeRunError as reason:
        pytest.skip(str(reason))
    assert found.good, found
    assert found.lines > 10_000
