"""New templates that are still looked at, kept at once: what says most comes just before the end."""

import logging
from collections.abc import Collection
from dataclasses import astuple, dataclass
from pathlib import Path

import orjson

from forewarn.base.files import replacing
from logship.anomalies.novelty import Fresh
from logship.anomalies.tally import First

NEWS = "log-anomalies.new"
MOST_KEPT = 500
MOST_UNTOLD = 100
"""Where more templates than these were found with nobody looking, they are old news."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """What a process has seen of new templates.

    Attributes:
        newest: the newest template that it has seen.
        fresh: those that it looks at.
        firsts: those that it has not come to look at yet, with their first lines.
    """

    newest: int
    fresh: tuple[Fresh, ...] = ()
    firsts: tuple[First, ...] = ()

    def among(self, templates: Collection[int], followed: Collection[str]) -> "News":
        """What of it is about these templates, in these data sets."""
        return News(
            self.newest,
            tuple(one for one in self.fresh if one.template in templates and one.dataset in followed),
            tuple(one for one in self.firsts if one.template in templates and one.dataset in followed),
        )

    def untold(self, templates: Collection[int]) -> set[int]:
        """Those of the templates that it has not seen."""
        found = {template for template in templates if template > self.newest}
        return found if len(found) <= MOST_UNTOLD else set()


class NewsFile:
    """Where it is kept."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NEWS
        self._kept = b""

    def read(self) -> News | None:
        """What an earlier process left; None where it left nothing that can be read."""
        try:
            left = orjson.loads(self._path.read_bytes())
            fresh = tuple(Fresh(*row) for row in left["fresh"])
            return News(int(left["newest"]), fresh, tuple(First(*row) for row in left["firsts"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError) as error:
            log.warning("new log templates are not gone on with: %s cannot be read", NEWS, extra={"error": str(error)})
            return None

    def keep(self, news: News) -> None:
        """Keep it, durable on return, where something has changed.

        Raises:
            ForewarnError: the file cannot be written.
        """
        fresh, firsts = ([astuple(one) for one in part[:MOST_KEPT]] for part in (news.fresh, news.firsts))
        body = orjson.dumps({"newest": news.newest, "fresh": fresh, "firsts": firsts})
        if body != self._kept:
            with replacing(self._path) as file:
                file.write(body)
            self._kept = body
