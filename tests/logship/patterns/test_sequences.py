import random

import pytest

from logship.errors import LogshipError
from logship.patterns.sequences import EventSequence, Known, read_sequences, scores


def normal(count: int, seed: int = 1) -> list[EventSequence]:
    rnd = random.Random(seed)
    return [EventSequence(str(i), ("1", *["2"] * rnd.randrange(3, 8), "3", "4")) for i in range(count)]


def test_what_was_seen_is_not_flagged() -> None:
    known = Known(normal(400), 0.0025)
    assert not any(one.flagged for one in known.judge(normal(300, seed=2)))


@pytest.mark.parametrize(
    "events", [("9",), ("1", "2", "2", "2", "9", "9", "3", "4"), ("1", "2"), ("1", *["2"] * 60, "3", "4")]
)
def test_what_is_unlike_is_flagged(events: tuple[str, ...]) -> None:
    found = Known(normal(400), 0.0025).judge([EventSequence("x", events)])[0]
    assert found.flagged
    assert 0 < found.distance <= 1


def test_order_counts_with_pairs_only() -> None:
    swapped = [EventSequence("x", ("4", "3", "2", "2", "2", "1"))]
    assert not Known(normal(400), 0.0025).judge(swapped)[0].flagged
    assert Known(normal(400), 0.0025, pairs=True).judge(swapped)[0].flagged


def test_the_rate_holds_on_what_was_learned() -> None:
    rnd = random.Random(5)
    sequences = [EventSequence(str(i), tuple(str(rnd.randrange(30)) for _ in range(12))) for i in range(200)]
    strict, loose = Known(sequences, 0.0), Known(sequences, 0.2)
    assert loose.distance_limit < strict.distance_limit
    more = [EventSequence(str(i), tuple(str(rnd.randrange(30)) for _ in range(12))) for i in range(300)]
    assert 0.02 < sum(one.flagged for one in loose.judge(more)) / 300 < 0.35


def test_reading() -> None:
    text = "a,1 2\n\nb,abnormal,3\nc,normal,4 4\n5 6\n"
    assert read_sequences(text, "f") == [
        EventSequence("a", ("1", "2")),
        EventSequence("b", ("3",), abnormal=True),
        EventSequence("c", ("4", "4"), abnormal=False),
        EventSequence("5", ("5", "6")),
    ]
    with pytest.raises(LogshipError, match="line 1"):
        read_sequences("a,perhaps,1", "f")
    with pytest.raises(LogshipError, match="too few"):
        Known(normal(1), 0.1)


def test_scores() -> None:
    known = Known(normal(400), 0.0025)
    verdicts = known.judge([*normal(8), EventSequence("x", ("9",)), EventSequence("y", normal(1)[0].events)])
    found = scores(verdicts, [False] * 8 + [True, True])
    assert found["recall"] == 0.5
    assert found["false_positive_rate"] == 0
    assert found["precision"] == 1
    assert found["f1"] == pytest.approx(2 / 3)
    assert "recall" not in scores(verdicts[:8], [False] * 8)
