import numpy as np
import pytest

from forecast.chance import Chance


def rising(top: float) -> Chance:
    return Chance.of(np.linspace(top / 72, top, 72), crossed_lately=False)


def test_hours_are_counted_by_their_end_and_times_from_the_first_hour() -> None:
    chance = rising(0.72)
    assert (chance.p24, chance.p48, chance.p72) == (0.24, 0.48, 0.72)
    assert (chance.t10, chance.t50, chance.t90) == (9, 49, None)
    assert chance.curve[chance.t10] == 0.1  # type: ignore[index]  # the tenth hour's end


@pytest.mark.parametrize(("hours", "told"), [(0, 0.0), (0.9, 0.0), (1, 0.01), (1.9, 0.01), (72, 0.72), (100, 0.72)])
def test_only_whole_hours_count(hours: float, told: float) -> None:
    assert rising(0.72).within(hours) == told


def test_what_is_almost_sure_and_what_is_almost_out_of_the_question_is_kept() -> None:
    chance = Chance.of([0.00004] * 71 + [0.99996], crossed_lately=False)
    assert (chance.curve[0], chance.curve[71]) == (0.0, 1.0)


def test_a_curve_does_not_fall() -> None:
    assert Chance.of([0.3, 0.2] + [0.25] * 70, crossed_lately=False).curve[1] == 0.3


@pytest.mark.parametrize("curve", [[0.5] * 71, [0.5] * 71 + [1.1], [0.5] * 71 + [float("nan")], [-0.1] * 72])
def test_what_is_no_chance_is_refused(curve: list[float]) -> None:
    with pytest.raises(ValueError, match="72 probabilities"):
        Chance.of(curve, crossed_lately=False)


def test_it_survives_the_book() -> None:
    chance = rising(0.9)
    assert Chance.stored(chance.packed, 0) == chance
    assert Chance.stored(None, None) is None
