import asyncio
import subprocess
import sys
import threading
import time

import pytest

from forewarn.base.crew import Crew


async def test_one_after_another_in_their_order() -> None:
    crew = Crew("test")
    seen: list[int] = []
    await asyncio.gather(*(crew.submit(seen.append, number) for number in range(50)))
    assert seen == list(range(50))
    assert crew.close()


async def test_what_is_raised_arrives() -> None:
    crew = Crew("test", 2)
    with pytest.raises(ZeroDivisionError):
        await crew.submit(lambda: 1 // 0)
    assert await crew.submit(lambda: 2) == 2
    assert crew.close()


async def test_a_call_that_does_not_come_back_holds_only_its_thread() -> None:
    crew = Crew("test", 2)
    begun, gate = threading.Event(), threading.Event()
    stuck = asyncio.create_task(crew.submit(lambda: begun.set() or gate.wait()))
    assert await asyncio.to_thread(begun.wait, 60)
    assert await asyncio.wait_for(crew.submit(lambda: 1), 60) == 1
    assert not crew.close(0.1)
    stuck.cancel()
    gate.set()


def test_the_exit_waits_for_no_query() -> None:
    program = (
        "import asyncio, time\nfrom api.queries import Queries\nasync def main():\n    queries = Queries()\n"
        "    task = asyncio.create_task(queries.run(time.sleep, 300))\n"
        "    await asyncio.sleep(0.1)\n    task.cancel()\n"
        "asyncio.run(main())\n"
    )
    started = time.monotonic()
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=250).returncode == 0
    assert time.monotonic() - started < 100
