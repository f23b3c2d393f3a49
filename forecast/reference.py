"""Prophet's forecast and its parts, kept beside ours: what users know, and what ours is scored against."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.packing import pack, unpack
from forewarn.base.clock import parse_time, rfc3339

PARTS = ("trend", "weekly", "daily")


@dataclass(frozen=True, slots=True)
class Reference:
    """Prophet's model of one series, by the maximum of its posterior.

    Attributes:
        packed: trend, weekly and daily part of the 72 hours ahead, as ``forecast.packing`` packs rows.
        changepoints: times in milliseconds at which the slope of the trend changed, and by how much a day.
    """

    packed: bytes
    changepoints: tuple[tuple[int, float], ...] = ()

    @classmethod
    def of(cls, parts: dict[str, list[float]], changepoints: list[tuple[int, float]]) -> "Reference":
        """From the three parts."""
        return cls(pack([parts[name] for name in PARTS]), tuple(changepoints))

    @property
    def parts(self) -> dict[str, list[float]]:
        """Each part's 72 values."""
        return dict(zip(PARTS, unpack(self.packed), strict=True))

    @property
    def points(self) -> list[float]:
        """Prophet's expected values: the sum of the parts."""
        found: list[float] = np.sum(unpack(self.packed), axis=0).tolist()
        return found

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, with their sum as ``mean``."""
        changes = [{"time": rfc3339(time), "slope_change_a_day": change} for time, change in self.changepoints]
        return {"mean": self.points, **self.parts, "changepoints": changes}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Reference":
        """What ``to_dict`` wrote.

        Raises:
            KeyError: a field is missing.
        """
        changes = [(parse_time(change["time"]), change["slope_change_a_day"]) for change in data["changepoints"]]
        return cls.of({name: data[name] for name in PARTS}, changes)

    @property
    def changepoints_text(self) -> str:
        """The changepoints as the book keeps them."""
        return json.dumps(self.changepoints)

    @classmethod
    def stored(cls, packed: bytes | None, changepoints: str | None) -> "Reference | None":
        """From the book's columns."""
        if packed is None:
            return None
        return cls(packed, tuple((time, change) for time, change in json.loads(changepoints or "[]")))
