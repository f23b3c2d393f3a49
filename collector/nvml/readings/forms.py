"""The forms in which the tables say what is asked of each GPU."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from collector.series import Labels

Pick = Callable[[Any], float | None]
"""Gets a number from an answer; None where this answer does not hold it."""


@dataclass(frozen=True, slots=True)
class Output:
    """One metric of an answer: its name without ``forewarn_gpu_``, how to get it, labels beside gpu and uuid."""

    metric: str
    pick: Pick
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One call for one GPU.

    Attributes:
        call: function of nvidia-ml-py; its first argument is the GPU's handle.
        outputs: the metrics in its answer.
        args: further arguments.
        structure: makes the structure that the call fills, where it does not return its answer.
        otherwise: what to ask where this is not offered.
    """

    call: str
    outputs: tuple[Output, ...]
    args: tuple[Any, ...] = ()
    structure: Callable[[], ctypes.Structure] | None = None
    otherwise: "Reading | None" = None

    @property
    def title(self) -> str:
        """Its name in the log."""
        told = self.args or ((self.structure.__name__,) if self.structure else ())
        return f"{self.call}({', '.join(map(str, told))})" if told else self.call


@dataclass(frozen=True, slots=True)
class Field:
    """A value of nvmlDeviceGetFieldValues.

    Attributes:
        number: the field's number.
        metric: the metric's name without ``forewarn_gpu_``.
        labels: labels beside gpu and uuid.
        factor: what to multiply by to be in the base unit.
        scope: what the number is asked of: a link, all links, or 0.
        wraps: whether it is a counter that begins anew at 2**32 where the driver gives it 32 bits.
        rate: the metric that tells its rate, which says how often it wrapped.
        by_link: the field that each link has for itself and that, summed, stands in where this is not offered; or 0.
        otherwise: what to ask, at medium cadence, where this is not offered, or wraps at a rate that nobody tells.
    """

    number: int
    metric: str
    labels: Labels = ()
    factor: float = 1.0
    scope: int = 0
    wraps: bool = False
    rate: str = ""
    by_link: int = 0
    otherwise: Reading | None = None


@dataclass(frozen=True, slots=True)
class GpmMetric:
    """A number of GPM: its id, the metric, and what it is divided by to be in the base unit."""

    number: int
    metric: str
    divisor: float = 100.0


def times(factor: float, pick: Callable[[Any], float] = float) -> Pick:
    """The picked number times a constant."""
    return lambda answer: pick(answer) * factor


def over(divisor: float, pick: Callable[[Any], float] = float) -> Pick:
    """The picked number over a constant: 94 over 100 is 0.94 to the last bit, 94 times 0.01 is not."""
    return lambda answer: pick(answer) / divisor


def bit(mask: int) -> Pick:
    """1 where the bit of the mask is set, else 0."""
    return lambda answer: float(bool(answer & mask))


def one(call: str, metric: str, pick: Pick = float, *args: Any, labels: Labels = ()) -> Reading:
    """A reading of a single metric."""
    return Reading(call, (Output(metric, pick, labels),), args)
