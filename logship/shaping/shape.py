"""How the lines of a source become documents."""

from typing import NamedTuple

from logship.shaping.multiline import Joiner
from logship.shaping.objects import Objects


class Shape(NamedTuple):
    """What the encoder of a source is to do beside writing lines.

    Attributes:
        joiner: tells which lines belong together; None: none do.
        objects: reads lines that are JSON objects; None: they are text like any other.
    """

    joiner: Joiner | None = None
    objects: Objects | None = None


LINES = Shape()
"""Every line is a document of its own."""
