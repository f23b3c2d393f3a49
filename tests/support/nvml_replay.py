"""Plays a recording of ``forewarn nvml record`` back at the boundary to the driver's library.

``python -m tests.support.nvml_replay [--print] RECORDING``: the unmodified nvidia-ml-py asks the recording, and a
session of the nvml child makes the rounds that it holds. What they come to is written beside it, or printed.
"""

import gzip
import json
import math
import struct
import sys
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.nvml.recorder.cells import Cell, Handle, Names, take

SUCCESS, NOT_SUPPORTED = 0, 3

FIRST_ADDRESS = 0x7F0000000000

Key = tuple[Any, ...]

UNCERTAIN = {
    "nvmlDeviceGetProcessUtilization": {3},  # since when: it follows from answers before
    "nvmlGpmSampleGet": {1},
    "nvmlGpmMigSampleGet": {2},
    "nvmlGpmSampleFree": {0},  # which of the buffers: they are all alike
}
"""Arguments that make no other question, by call."""


@dataclass(frozen=True)
class Batch:
    """A call that asks many things at once: they are kept apart, so that another selection can be asked for later.

    Attributes:
        cell: which argument holds the elements; they begin at ``start`` and take ``size`` bytes each.
        count: which argument holds their number; None where it stands in the cell's second word.
        key: the bytes of an element that say what is asked; ``result`` those of its return code.
    """

    cell: int
    start: int
    size: int
    count: int | None
    key: slice
    result: slice

    def elements(self, args: list[Any], data: bytes) -> list[bytes]:
        number = struct.unpack_from("<I", data, 4)[0] if self.count is None else args[self.count]
        starts = range(self.start, self.start + number * self.size, self.size)
        return [data[start : start + self.size] for start in starts]


BATCHES = {
    "nvmlDeviceGetFieldValues": Batch(2, 0, 40, 1, slice(8), slice(28, 32)),
    "nvmlGpmMetricsGet": Batch(0, 24, 40, None, slice(4), slice(4, 8)),
}


class Replay:
    """A libnvidia-ml that answers what was recorded: to each question its answers in their order, the last on and on.

    What was never asked is a missing symbol; what was asked, but not of this or not in this way, is not supported.

    Attributes:
        unanswered: what was asked in vain.
    """

    def __init__(self, lines: Iterable[Mapping[str, Any]]) -> None:
        self._answers: defaultdict[Key, deque[Any]] = defaultdict(deque)
        self._calls: set[str] = set()
        self._names = Names()
        self._sampled: dict[str, str] = {}
        self.unanswered: set[str] = set()
        for line in lines:
            self._learn(line)
        self._sampled.clear()

    def __getattr__(self, name: str) -> Any:
        if name not in self._calls:
            self.unanswered.add(name)
            raise AttributeError(name)
        return lambda *args: self._answer(name, [take(argument) for argument in args])

    def _learn(self, line: Mapping[str, Any]) -> None:
        name, asked = line["call"], [_asked(argument) for argument in line["in"]]
        self._calls.add(name)
        for out in line["out"]:
            for _, title in (out or {}).get("handles", ()):
                if title not in self._names.address_of:
                    self._names.add(FIRST_ADDRESS + 16 * len(self._names.address_of), title)
        self._follow(name, asked)
        if name not in BATCHES:
            self._answers[_key(name, asked)].append(line)
            return
        batch, prefix = BATCHES[name], self._prefix(name, asked)
        self._answers[prefix].append(line["ret"])
        before = _bytes(line["in"][batch.cell])
        after = _bytes(line["out"][batch.cell] or line["in"][batch.cell])
        for question, answer in zip(batch.elements(asked, before), batch.elements(asked, after), strict=True):
            if line["ret"] == SUCCESS:
                self._answers[*prefix, question[batch.key]].append(answer)

    def _answer(self, name: str, taken: list[Any]) -> int:
        asked = [self._stripped(argument) for argument in taken]
        self._follow(name, asked)
        if name in BATCHES:
            return self._answer_batch(name, asked, taken)
        line = self._next(_key(name, asked))
        if line is None:
            self.unanswered.add(f"{name}{asked}")
            return NOT_SUPPORTED
        for cell, out in zip(taken, line["out"], strict=True):
            if out is not None:
                cell.write(self._names.fill(_bytes(out), out.get("handles", ())))
        return int(line["ret"])

    def _answer_batch(self, name: str, asked: list[Any], taken: list[Any]) -> int:
        batch, prefix = BATCHES[name], self._prefix(name, asked)
        ret = self._next(prefix)
        if ret != SUCCESS:
            return NOT_SUPPORTED if ret is None else int(ret)
        cell = taken[batch.cell]
        data = bytearray(cell.read())
        for place, question in enumerate(batch.elements(asked, bytes(data))):
            answer = self._next((*prefix, question[batch.key]))
            if answer is None:
                self.unanswered.add(f"{name}({question[batch.key].hex()})")
                answer = bytearray(question)
                answer[batch.result] = struct.pack("<I", NOT_SUPPORTED)
            start = batch.start + place * batch.size
            data[start : start + batch.size] = answer
        cell.write(bytes(data))
        return SUCCESS

    def _next(self, key: Key) -> Any:
        answers = self._answers.get(key)
        if not answers:
            return None
        return answers.popleft() if len(answers) > 1 else answers[0]

    def _stripped(self, argument: Any) -> Any:
        """An argument in the form that a recording has it in."""
        if isinstance(argument, Handle):
            return ("handle", self._names.of_address.get(argument.address, ""))
        if isinstance(argument, Cell):
            bare, handles = self._names.strip(argument.read(), argument.pointers())
            return ("cell", bare.rstrip(b"\0").hex(), tuple(handles))
        return argument

    def _follow(self, name: str, asked: list[Any]) -> None:
        """Remember of which GPU, or GPU instance, a buffer of GPM was filled."""
        if name in {"nvmlGpmSampleGet", "nvmlGpmMigSampleGet"}:
            *whose, (_, sample) = asked
            self._sampled[sample] = repr(whose)

    def _prefix(self, name: str, asked: list[Any]) -> Key:
        """Whose batch it is."""
        if name == "nvmlGpmMetricsGet":
            (_, _, handles) = asked[0]
            return (name, self._sampled.get(handles[-1][1], "") if handles else "")
        return (name, asked[0])


def _asked(written: Any) -> Any:
    """An argument of a recording, so that it can be compared."""
    if not isinstance(written, dict):
        return written
    if "handle" in written:
        return ("handle", written["handle"])
    return ("cell", written["hex"], tuple((offset, title) for offset, title in written.get("handles", ())))


def _key(name: str, asked: list[Any]) -> Key:
    return (name, *(one for place, one in enumerate(asked) if place not in UNCERTAIN.get(name, ())))


def _bytes(written: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(written["hex"]).ljust(written["size"], b"\0")


def read_recording(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, str]]]:
    """The header, the calls and the checks."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        header, *calls, last = (json.loads(line) for line in file)
    return header, calls, last["checks"]


def expected_path(recording: Path) -> Path:
    """Where it is written what a recording comes to."""
    return recording.with_name(f"{recording.name.split('.')[0]}.expected.json")


def play(path: Path) -> dict[str, Any]:
    """What each round of a recording comes to: samples by series, and the process lists where they were due."""
    import pynvml

    from collector.nvml.library import Nvml
    from collector.nvml.session import Session
    from collector.nvml.wire import Receiver

    header, calls, _ = read_recording(path)
    replay = pynvml.nvmlLib = Replay(calls)
    receiver, now, lists = Receiver(), 0.0, list[Any]()

    def take_frame(frame: dict[str, Any]) -> None:
        if frame["kind"] == "layout":
            receiver.take_layout(frame)
        elif frame["kind"] == "processes":
            lists.extend(frame["gpus"])

    session = Session(
        Nvml(), take_frame, look_again=math.inf, lists_every=header["interval"], monotonic=lambda: now
    ).open()
    rounds = []
    for _ in range(header["rounds"]):
        lists.clear()
        frame = session.round()
        samples = {str(sample.key): sample.value for sample in receiver.samples(frame)}
        rounds.append({"samples": dict(sorted(samples.items())), "processes": list(lists)})
        now += header["interval"]
    session.close()
    return {"rounds": rounds, "unanswered": sorted(replay.unanswered)}


def main() -> None:
    """Print what a recording comes to, or write down that it shall come to that."""
    *option, name = sys.argv[1:]
    found = play(Path(name))
    if option == ["--print"]:
        json.dump(found, sys.stdout)
    else:
        expected_path(Path(name)).write_text(json.dumps(found["rounds"], indent=1) + "\n")


if __name__ == "__main__":
    main()
