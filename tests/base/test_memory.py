import subprocess
import sys

PROGRAM = """
import asyncio, sqlite3, ssl
import numpy as np
from forewarn.base.memory import settle, stay_small

def of_files():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssFile:"))

stay_small()
before = of_files()
settle()
print(before, of_files())
assert np.linalg.solve(np.eye(3) * 2, np.ones(3)).tolist() == [0.5, 0.5, 0.5]
assert sqlite3.connect(":memory:").execute("SELECT 6 * 7").fetchone() == (42,)
ssl.create_default_context()
asyncio.run(asyncio.sleep(0))
settle()
"""


def test_a_settled_process_lets_go_of_most_of_its_files_and_works_on() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert after < before / 2
