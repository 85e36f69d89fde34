"""Categories: a column of texts becomes one column of numbers, the risk of each level.

The matrix of a model holds the position of a text in the sorted levels of training. The risk of a level is its smoothed
log-odds of default less those of the sample. Rare levels share one risk, and a level never seen in training has that
risk too. In training no row's own outcome enters its number: the risk of its level comes from the other parts of the
sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from models.components.encoding import BoolArray, FloatArray

UNSEEN_LEVEL = -1.0
"""The entry of the matrix for a text that was not in the training sample."""


class LevelSettings(BaseModel):
    """How the risk of a level is estimated.

    Attributes:
        fewest_rows: a level with fewer rows is rare and shares the risk of all rare levels.
        smoothing_rows: rows at the overall default rate that are added to every level.
        parts: parts of the training sample; the risk of a row's level comes from the other parts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fewest_rows: int = Field(default=10, ge=1)
    smoothing_rows: float = Field(default=10.0, gt=0)
    parts: int = Field(default=5, ge=2)


class LevelColumn(NamedTuple):
    """A category in a sample: the place of its encoded column, and the level positions (n,) out of ``level_count``."""

    place: int
    positions: FloatArray
    level_count: int


class SampleLevels(NamedTuple):
    """The categories of a sample, the part (n,) that each row belongs to, and how risks are estimated."""

    columns: tuple[LevelColumn, ...]
    part: npt.NDArray[np.int64]
    settings: LevelSettings


def level_risks(
    positions: FloatArray, y: npt.NDArray[np.integer], count: int, settings: LevelSettings
) -> tuple[float, ...]:
    """Return the risk of each of ``count`` levels, and last the risk of a rare or unseen level.

    ``positions`` (n,) are level positions, NaN or out of range where there is none; ``y`` (n,) is 1 for default.
    """
    overall = float(np.mean(y)) if len(y) else 0.0
    if not 0.0 < overall < 1.0:
        return (0.0,) * (count + 1)
    present = is_level(positions, count)
    place = positions[present].astype(np.int64)
    rows = np.bincount(place, minlength=count).astype(np.float64)
    bads = np.bincount(place, weights=np.asarray(y, dtype=np.float64)[present], minlength=count)
    rare = rows < settings.fewest_rows
    rows, bads = (np.append(np.where(rare, counts[rare].sum(), counts), counts[rare].sum()) for counts in (rows, bads))
    rate = (bads + settings.smoothing_rows * overall) / (rows + settings.smoothing_rows)
    risk = np.log(rate / (1.0 - rate)) - np.log(overall / (1.0 - overall))
    return tuple(np.round(risk + 0.0, 9).tolist())


def is_level(positions: FloatArray, count: int) -> BoolArray:
    """Return (n,) which positions are those of one of ``count`` levels."""
    with np.errstate(invalid="ignore"):
        return np.asarray((positions >= 0) & (positions < count) & (positions == np.floor(positions)))


def risk_of_positions(positions: FloatArray, risks: Sequence[float]) -> FloatArray:
    """Return the risk (n,) of each position; the last risk where the position is not that of a level."""
    count = len(risks) - 1
    place = np.where(is_level(positions, count), positions, count).astype(np.int64)
    return np.asarray(risks, dtype=np.float64)[place]


def without_own_outcomes(
    encoded: FloatArray, levels: SampleLevels, y: npt.NDArray[np.integer], held_out: BoolArray
) -> FloatArray:
    """Return ``encoded`` (n, q) with risks of levels that owe nothing to the outcome of their row.

    Held-out rows (n,) receive the risks estimated on all other rows, as a new row would. Every other row receives those
    of the other parts that are not held out. Missing values stay as they are.
    """
    if not levels.columns:
        return encoded
    result = encoded.copy()
    receivers = [(held_out, ~held_out)]
    receivers += [(~held_out & (levels.part == p), ~held_out & (levels.part != p)) for p in np.unique(levels.part)]
    for column in levels.columns:
        known = ~np.isnan(encoded[:, column.place])
        for receiver, source in receivers:
            risks = level_risks(column.positions[source], y[source], column.level_count, levels.settings)
            rows = receiver & known
            result[rows, column.place] = risk_of_positions(column.positions[rows], risks)
    return result
