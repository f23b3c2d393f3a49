"""Runs forewarn as its console script does, and writes the names of the loaded modules to a file on SIGUSR1."""

import signal
import sys
from pathlib import Path

from forewarn.cli import main

target = Path(sys.argv.pop(1))
signal.signal(signal.SIGUSR1, lambda *_: target.write_text("\n".join(sorted(sys.modules))))
main()
