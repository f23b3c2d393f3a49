"""From synthetic and measured series to the breach's weights."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from forecast import scores
from forecast.breach.turned import KNOTS
from forecast.combiner import weights
from forecast.grid import Flags, Ints
from forecast.sources import Floats
from forecast.train.breach.fitting import SHIPPED, Recipe, Share, fit, logits, platt
from forecast.train.breach.questions import MOST_WINDOWS, Questions, ask, measured, mixed, synthetic
from forecast.train.series import Hourly

log = logging.getLogger(__name__)

COUNT = 12_000
MIXED = 4_000
SYNTHETIC_PART, SUMS_PART = 0.4, 0.2
FOLDS = 3
STATISTICS = ("mean", "max")
_JUDGED = np.flatnonzero(np.isin(KNOTS, (24, 48, 72)))


def make(
    sets: Sequence[Hourly],
    path: Path,
    seed: int,
    *,
    count: int = COUNT,
    recipe: Recipe = SHIPPED,
    most: int = MOST_WINDOWS,
) -> None:
    """Train on synthetic and measured series, calibrate on measured ones out of fold, write the file.

    Args:
        sets: measured series.
        path: of the weights.
        seed: of everything that is drawn.
        count: synthetic windows.
        recipe: of the training.
        most: measured windows a series and statistic.
    """
    torch.set_num_threads(1)
    random = np.random.default_rng([seed, 1])
    log.info("%d synthetic windows, windows of %d measured series", count, len(sets))
    found = [measured(sets, statistic, random, most) for statistic in STATISTICS]
    material = _Material(
        drawn=ask(synthetic(count, random), random),
        sums=ask(mixed(found[0], sets, min(MIXED, 2 * len(found[0].values)), random), random),
        real=[ask(one, random) for one in found],
    )
    slope, offset = _calibration(_folds(sets), material, seed, recipe)
    network = fit(material.pools, seed, recipe)
    network.slope.fill_(slope)
    network.offset.fill_(offset)
    tensors = {name: tensor.numpy().astype(np.float32) for name, tensor in network.state_dict().items()}
    about = {
        "trained_on": ",".join(["synthetic", *sorted({one.source for one in sets})]),
        "seed": str(seed),
        "steps": str(recipe.steps),
    }
    weights.write(path, tensors, about)
    log.info("%s: %d bytes", path, path.stat().st_size)


@dataclass(frozen=True)
class _Material:
    """Questions on synthetic windows, on sums of measured ones, and on measured ones."""

    drawn: Questions
    sums: Questions
    real: Sequence[Questions]

    def of(self, kept: Flags) -> "_Material":
        """Without those of some of the measured series."""
        return _Material(
            self.drawn, self.sums.rows(kept[self.sums.source]), [each.rows(kept[each.source]) for each in self.real]
        )

    @property
    def pools(self) -> list[Share]:
        """What a batch is drawn from."""
        measured_part = (1 - SYNTHETIC_PART - SUMS_PART) / len(self.real)
        pools = [Share(self.drawn, SYNTHETIC_PART), Share(self.sums, SUMS_PART)]
        pools += [Share(each, measured_part) for each in self.real]
        return [pool for pool in pools if len(pool.questions.asked)]


def _folds(sets: Sequence[Hourly]) -> Ints:
    """The fold of each measured series, by hash."""
    names = [f"{one.source}/{one.name}" for one in sets]
    return np.array([hashlib.sha256(name.encode()).digest()[1] % FOLDS for name in names])


def _calibration(fold: Ints, material: _Material, seed: int, recipe: Recipe) -> tuple[float, float]:
    """Slope and offset of the logits, from nets that have not seen the series that they are asked about.

    Args:
        fold: of each measured series.
        material: what there is to learn from.
        seed: of everything that is drawn.
        recipe: of the training.
    """
    said, came, weight = [], [], []
    for left_out in np.unique(fold).tolist():
        network = fit(material.of(np.asarray(fold != left_out)).pools, seed, recipe)
        for each in material.real:
            asked = each.rows((fold[each.source] == left_out) & each.usual)
            said.append(logits(network, asked.series, asked.asked, asked.inputs)[:, _JUDGED])
            came.append(asked.crossed[:, _JUDGED])
            weight.append(asked.weight)
    logit, happened = np.concatenate(said), np.concatenate(came)
    slope, offset = platt(logit.ravel(), happened.ravel(), np.repeat(np.concatenate(weight), _JUDGED.size))
    log.info("out of fold: %s; slope %.3f, offset %.3f", _figures(logit, happened), slope, offset)
    return slope, offset


def _figures(said: Floats, came: Flags) -> str:
    probability, happened = 1 / (1 + np.exp(-said[:, -1])), came[:, -1]
    return f"AUC {scores.auc(probability, happened):.3f}, Brier {scores.brier(probability, happened):.3f}"
