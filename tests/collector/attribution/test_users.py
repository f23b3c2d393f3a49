import os
import pwd
import threading

import pytest

from collector.attribution.users import Users
from tests.support.hand_clock import HandClock

ANN, NOBODY_KNOWS = 1001, 99999


async def test_names_are_asked_for_once_an_hour() -> None:
    clock, asked = HandClock(), list[int]()

    def look_up(uid: int) -> str | None:
        asked.append(uid)
        return {ANN: "ann"}.get(uid)

    users = Users(clock, 5.0, look_up)
    for _ in range(2):
        assert await users.names([ANN, NOBODY_KNOWS, ANN]) == {ANN: "ann", NOBODY_KNOWS: "99999"}
    assert asked == [ANN, NOBODY_KNOWS]
    await clock.advance(400)
    await users.names([ANN, NOBODY_KNOWS])
    assert asked == [ANN, NOBODY_KNOWS, NOBODY_KNOWS]
    await clock.advance(3600)
    await users.names([ANN])
    assert asked[-1] == ANN
    users.close()


async def test_a_directory_that_does_not_answer_costs_the_names_only(caplog: pytest.LogCaptureFixture) -> None:
    clock, answers = HandClock(), threading.Event()
    answers.set()

    def look_up(_: int) -> str | None:
        answers.wait(20)
        return "ann"

    users = Users(clock, 0.2, look_up)
    assert await users.names([ANN]) == {ANN: "ann"}
    answers.clear()
    await clock.advance(4000)
    assert await users.names([ANN, 1002]) == {ANN: "ann", 1002: "1002"}  # what was known stays
    await clock.advance(4000)
    assert await users.names([ANN, 1002]) == {ANN: "ann", 1002: "1002"}
    answers.set()
    assert len([record for record in caplog.records if "name service" in record.getMessage()]) == 1
    users.close()


async def test_the_real_name_of_this_user() -> None:
    users = Users(HandClock(), 5.0)
    assert await users.names([os.geteuid()]) == {os.geteuid(): pwd.getpwuid(os.geteuid()).pw_name}
    users.close()
