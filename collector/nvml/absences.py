"""What GPUs do not offer, gathered so that the log names each reading once for all of them."""

import logging
from collections import defaultdict

from collector.nvml.library import code_name

log = logging.getLogger(__name__)


class Absences:
    """The readings that are not offered: told of while a round goes on, written down at its end."""

    def __init__(self) -> None:
        self._named: set[tuple[str, str]] = set()
        self._new: dict[str, list[str]] = defaultdict(list)

    def add(self, gpu: str, title: str, code: int) -> None:
        """Note that the GPU does not offer the reading."""
        if (gpu, title) not in self._named:
            self._named.add((gpu, title))
            self._new[f"{title}: {code_name(code)}"].append(gpu)

    def report(self) -> None:
        """Write down what is new."""
        new, self._new = self._new, defaultdict(list)
        for title, gpus in new.items():
            log.info("not offered, its series stay away", extra={"reading": title, "gpus": ",".join(gpus)})
