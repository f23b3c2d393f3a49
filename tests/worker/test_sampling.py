import math
import random
from collections import Counter

import pytest

pytestmark = pytest.mark.usefixtures("torch")
LIKELIHOODS = (0.1, 0.5, 0.15, 0.25)


def shares(count: int = 4000, **choice: float) -> dict[int, float]:
    import torch

    from worker.sampling import Choice, choose

    draws = random.Random(1)
    rows = torch.log(torch.tensor(LIKELIHOODS)).expand(count, -1)
    picked = Counter(choose(rows, [Choice(**choice)] * count, [draws.random() for _ in range(count)]))
    return {token: times / count for token, times in picked.items()}


def test_temperature_zero_takes_the_likeliest() -> None:
    assert shares(temperature=0) == {1: 1.0}


def test_draws_follow_the_distribution() -> None:
    found = shares()
    for token, share in enumerate(LIKELIHOODS):
        assert found[token] == pytest.approx(share, abs=4 * math.sqrt(share / 4000))


def test_temperature_flattens() -> None:
    flat = shares(temperature=2.0)
    weights = [math.sqrt(share) for share in LIKELIHOODS]
    assert flat[1] == pytest.approx(weights[1] / sum(weights), abs=0.04)


@pytest.mark.parametrize(("top_p", "kept"), [(0.0, {1}), (0.49, {1}), (0.7, {1, 3}), (0.8, {1, 2, 3})])
def test_top_p_keeps_the_likeliest_that_reach_it(top_p: float, kept: set[int]) -> None:
    assert set(shares(top_p=top_p)) == kept


def test_a_row_is_unmoved_by_its_neighbours() -> None:
    import torch

    from worker.sampling import Choice, choose

    rows = torch.randn(5, 50, generator=torch.Generator().manual_seed(3))
    choices = [Choice(), Choice(temperature=0), Choice(top_p=0.3), Choice(temperature=1.7), Choice()]
    draws = [0.1, 0.5, 0.9, 0.99999, 0.0]
    together = choose(rows, choices, draws)
    alone = [choose(rows[i : i + 1], [choices[i]], [draws[i]])[0] for i in range(5)]
    assert together == alone
