import numpy as np

from forecast.grid import GRID_HOURS, Grid

HOUR_MS = 3_600_000


def test_series_of_any_length_end_together() -> None:
    grid = Grid.of(900 * HOUR_MS, [np.arange(5.0), np.arange(1000.0)])
    assert grid.values.shape == (2, GRID_HOURS)
    assert grid.values[:, -1].tolist() == [4.0, 999.0]
    assert grid.length.tolist() == [5, GRID_HOURS]


def test_an_earlier_origin_has_not_seen_what_came() -> None:
    grid = Grid.of(900 * HOUR_MS, [np.arange(200.0)])
    earlier = grid.before(72)
    assert earlier.end_ms == 828 * HOUR_MS
    assert earlier.length.tolist() == [128]
    assert np.nanmax(earlier.values) == 127.0


def test_short_gaps_are_bridged_and_long_ones_take_the_day_before() -> None:
    values = np.tile(np.arange(24.0), 6)
    values[30:36] = np.nan
    values[60:100] = np.nan
    values[-5:] = np.nan
    bridged = Grid.of(0, [values]).bridged[0, -144:]
    np.testing.assert_allclose(bridged[29:37], np.arange(5.0, 13.0))
    np.testing.assert_allclose(bridged[60:100], np.tile(np.arange(24.0), 6)[60:100])
    np.testing.assert_allclose(bridged[-5:], np.arange(19.0, 24.0))


def test_where_there_is_no_day_before_the_last_value_stands() -> None:
    values = np.arange(30.0)
    values[3:18] = np.nan
    bridged = Grid.of(0, [values]).bridged[0]
    assert np.isnan(bridged[:-30]).all()
    np.testing.assert_allclose(bridged[-27:-12], 2.0)


def test_one_series_holes_do_not_touch_another() -> None:
    random = np.random.default_rng(1)
    values = random.random((4, GRID_HOURS))
    values[1, 300:340] = np.nan
    values[2, :500] = np.nan
    together = Grid(0, values).bridged
    for row in range(4):
        np.testing.assert_array_equal(together[row], Grid(0, values[row : row + 1]).bridged[0])
