"""How good earlier warnings were, as a warning says it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from forecast.scorecard import Figures, Scorecard

UNSCORED = "not scored yet"


@dataclass(frozen=True, slots=True)
class Record:
    """The score so far.

    Attributes:
        text: for people.
        notes: the same as annotations: ``score``, ``score_of`` (target or node), ``score_warnings``,
            ``score_came_true``, ``score_brier``; what is not known is left out.
    """

    text: str = UNSCORED
    notes: Mapping[str, str] = field(default_factory=lambda: {"score": UNSCORED})


def record(card: Scorecard, target: str, statistic: str) -> Record:
    """A target's own record where it has one, else that of all of this node's targets together."""
    own = next((one.figures for one in card.targets if (one.target, one.statistic) == (target, statistic)), None)
    if own is not None and own.judged:
        return _told(own, "target", "about this target")
    if card.overall.judged:
        return _told(card.overall, "node", "on this node")
    return Record()


def _told(figures: Figures, scope: str, where: str) -> Record:
    warned = figures.came_true + figures.false_warnings
    if warned:
        text = f"{figures.came_true} of {warned} earlier warnings {where} came true"
    else:
        text = f"no earlier warning {where}, {figures.missed or 'no'} missed in {figures.judged} forecasts"
    notes = {
        "score": text,
        "score_of": scope,
        "score_warnings": str(warned),
        "score_came_true": str(figures.came_true),
    }
    if figures.brier is not None:
        notes["score_brier"] = f"{figures.brier:.3f}"
    return Record(text, notes)
