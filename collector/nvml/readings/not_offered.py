"""What GPUs do not offer, gathered so that the log names each reading once, and all that are alike in one line."""

import logging
from collections import defaultdict

from collector.nvml.codes import code_name

log = logging.getLogger(__name__)


class NotOffered:
    """The readings that are not offered: told of while a round goes on, written down at its end."""

    def __init__(self) -> None:
        self._named: set[tuple[str, str]] = set()
        self._new: dict[tuple[str, int], list[str]] = defaultdict(list)

    def add(self, gpu: str, title: str, code: int) -> None:
        """Note that the GPU does not offer the reading."""
        if (gpu, title) not in self._named:
            self._named.add((gpu, title))
            self._new[title, code].append(gpu)

    def report(self) -> None:
        """Write down what is new: a line for each reason and set of GPUs."""
        if not self._new:
            return
        new, self._new = self._new, defaultdict(list)
        lines: dict[tuple[str, str], list[str]] = defaultdict(list)
        for (title, code), gpus in new.items():
            lines[code_name(code), ",".join(gpus)].append(title)
        for (why, gpus_named), titles in lines.items():
            facts = {"why": why, "gpus": gpus_named, "readings": ", ".join(titles)}
            log.info("not offered, these series stay away", extra=facts)
