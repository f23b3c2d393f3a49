from collections import Counter

import pytest

from collector.nvml.readings.rota import Rota


def turns(rota: Rota[str], times: list[float]) -> list[list[str]]:
    """What was done at each time."""
    found = []
    for now in times:
        done: list[str] = []

        def do(piece: str, done: list[str] = done) -> list[str]:
            done.append(piece)
            return [piece]

        rota.run(now, do)
        found.append(done)
    return found


def test_everything_is_due_in_the_first_round() -> None:
    assert turns(Rota(30.0, "abc"), [100.0]) == [["a", "b", "c"]]


def test_without_a_period_everything_is_due_every_round() -> None:
    assert turns(Rota(0.0, "ab"), [0.0, 0.1, 7.0]) == [["a", "b"]] * 3


@pytest.mark.parametrize("count", [1, 7, 26, 30, 41])
@pytest.mark.parametrize("interval", [0.25, 1.0, 5.0])
def test_each_has_one_turn_a_period_and_no_round_has_a_heap(count: int, interval: float) -> None:
    pieces = [str(number) for number in range(count)]
    rounds = round(120 / interval)
    done = turns(Rota(30.0, pieces), [number * interval for number in range(rounds + 1)])
    later = Counter(piece for one in done[1:] for piece in one)
    assert set(later) == set(pieces)
    assert set(later.values()) <= {3, 4, 5}
    fair = count * interval / 30.0
    assert max(len(one) for one in done[1:]) <= fair + 1


def test_after_a_long_pause_each_is_due_once() -> None:
    done = turns(Rota(30.0, "abcd"), [0.0, 3600.0, 3601.0])
    assert [len(one) for one in done] == [4, 4, 0]


def test_lines_that_are_shifted_are_at_different_pieces() -> None:
    times = [float(second) for second in range(5)]
    first, second = (turns(Rota(4.0, "abcd", shift=shift), times) for shift in (0, 2))
    assert first[1:] == [["a"], ["b"], ["c"], ["d"]]
    assert second[1:] == [["c"], ["d"], ["a"], ["b"]]


def test_a_piece_may_be_replaced_or_dropped_and_others_added() -> None:
    rota = Rota(0.0, ["drop", "replace"])
    seen: list[list[str]] = []

    def do(piece: str) -> list[str]:
        seen[-1].append(piece)
        return {"drop": [], "replace": ["other", "more"]}.get(piece, [piece])

    for now in (0.0, 1.0, 2.0):
        seen.append([])
        rota.run(now, do)
        if now == 1.0:
            rota.add("late")
    assert seen == [["drop", "replace"], ["other", "more"], ["late", "other", "more"]]
