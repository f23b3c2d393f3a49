"""Work on many at once, in which what breaks it is alone in failing."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


def apart(items: Sequence[T], work: Callable[[Sequence[T]], list[R]], failed: Callable[[T, str], R]) -> list[R]:
    """One result for each item, in order.

    Args:
        items: what there is.
        work: results of some of them at once.
        failed: the result of an item on which the work fails also when it is alone, from the error's text.
    """
    if not items:
        return []
    try:
        return work(items)
    except Exception as error:  # a number that linear algebra cannot take must cost one series, not all
        if len(items) == 1:
            log.warning("a plan's part failed", exc_info=True)
            return [failed(items[0], f"failed: {error or type(error).__name__}")]
    middle = len(items) // 2
    return apart(items[:middle], work, failed) + apart(items[middle:], work, failed)
