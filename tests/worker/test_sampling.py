import math
import random
from collections import Counter

import pytest

torch = pytest.importorskip("torch")

from worker.sampling import Choice, choose  # noqa: E402  after the skip

LOGITS = torch.log(torch.tensor([0.1, 0.5, 0.15, 0.25]))


def shares(choice: Choice, count: int = 4000) -> dict[int, float]:
    draws = random.Random(1)
    rows = LOGITS.expand(count, -1)
    picked = Counter(choose(rows, [choice] * count, [draws.random() for _ in range(count)]))
    return {token: times / count for token, times in picked.items()}


def test_temperature_zero_takes_the_likeliest() -> None:
    assert shares(Choice(temperature=0)) == {1: 1.0}


def test_draws_follow_the_distribution() -> None:
    found = shares(Choice())
    for token, share in enumerate((0.1, 0.5, 0.15, 0.25)):
        assert found[token] == pytest.approx(share, abs=4 * math.sqrt(share / 4000))


def test_temperature_flattens() -> None:
    flat = shares(Choice(temperature=2.0))
    weights = [math.sqrt(share) for share in (0.1, 0.5, 0.15, 0.25)]
    assert flat[1] == pytest.approx(weights[1] / sum(weights), abs=0.04)


@pytest.mark.parametrize(("top_p", "kept"), [(0.0, {1}), (0.49, {1}), (0.7, {1, 3}), (0.8, {1, 2, 3})])
def test_top_p_keeps_the_likeliest_that_reach_it(top_p: float, kept: set[int]) -> None:
    assert set(shares(Choice(top_p=top_p))) == kept


def test_a_row_is_unmoved_by_its_neighbours() -> None:
    rows = torch.randn(5, 50, generator=torch.Generator().manual_seed(3))
    choices = [Choice(), Choice(temperature=0), Choice(top_p=0.3), Choice(temperature=1.7), Choice()]
    draws = [0.1, 0.5, 0.9, 0.99999, 0.0]
    together = choose(rows, choices, draws)
    alone = [choose(rows[i : i + 1], [choices[i]], [draws[i]])[0] for i in range(5)]
    assert together == alone
