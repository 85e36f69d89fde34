"""Whether predicted default rates have the right level: for the whole sample, for each grade and for each segment.

A ranking can be good while every probability is three times too high, so the level is tested by itself. Observations of
related sellers default together, and one default can lie in the window of several observations, so all tests are
clustered by related-party component.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import erfc

from models.evaluation.bootstrap import Outcomes, ratio_draws
from models.evaluation.estimates import Estimate, estimate_from_draws
from models.evaluation.many_tests import holm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.evaluation.estimates import FloatArray, IntArray

Verdict = Literal["agrees", "too_low", "too_high", "too_few"]

SIGNIFICANT = 0.05
FEWEST_DEFAULTS_OF_A_GRADE = 10
FEWEST_DEFAULTS_OF_A_SEGMENT = 30
"""Fewer defaults, expected and observed, cannot show that a level is wrong."""

WHOLE = "whole"
GRADE = "grade"


@dataclass(frozen=True)
class Level:
    """Predicted against observed defaults of one group of rows.

    Attributes:
        column: what the group is a part of: ``whole``, ``grade``, or the column of a segment.
        part: the name of the group; empty for the whole sample.
        rows: number of rows.
        bad: number of observed defaults.
        expected: sum of the predicted probabilities.
        ratio: expected to observed defaults, with its bootstrap interval.
        p_value: that a difference this large is chance, adjusted by Holm's method for the number of groups of a kind.
        verdict: ``too_low`` if the probabilities are too low, ``too_high`` if they are too high, ``agrees`` if neither
            is shown, ``too_few`` if there are too few defaults to show it.
    """

    column: str
    part: str
    rows: int
    bad: int
    expected: float
    ratio: Estimate
    p_value: float
    verdict: Verdict


def whole_level(outcomes: Outcomes, probability: FloatArray, counts: IntArray) -> Level:
    """Return the level of the whole sample; it is wrong where the interval of expected to observed leaves out 1."""
    level = _level((WHOLE, ""), outcomes, probability, counts)
    if not np.isfinite(level.ratio.lower):
        return level
    verdict: Verdict = "too_high" if level.ratio.lower > 1 else "too_low" if level.ratio.upper < 1 else "agrees"
    return _with(level, level.p_value, verdict)


def levels_of_parts(
    column: str, part_of_row: Sequence[str], outcomes: Outcomes, probability: FloatArray, counts: IntArray
) -> tuple[Level, ...]:
    """Return the level of each part of the sample, in order of their names.

    Args:
        column: what the parts are parts of.
        part_of_row: (rows,) name of each row's part.
        outcomes: the whole sample.
        probability: (rows,) predicted.
        counts: (draws, components) bootstrap draws of the whole sample.
    """
    names = np.asarray(part_of_row, dtype=object)
    levels = []
    for part in sorted(set(names)):
        rows = np.flatnonzero(names == part)
        levels.append(_level((column, str(part)), outcomes.subset(rows), probability[rows], counts))
    return tuple(levels)


def judged_together(levels: Sequence[Level], fewest_defaults: int) -> tuple[Level, ...]:
    """Return levels with p-values adjusted for their number, and verdicts by them (Holm 1979)."""
    tested = {(one.column, one.part): one for one in levels if max(one.bad, one.expected) >= fewest_defaults}
    adjusted = holm({group: level.p_value for group, level in tested.items()})
    return tuple(
        _with(level, adjusted[group], _verdict(level, adjusted[group])) if group in adjusted else level
        for level in levels
        for group in ((level.column, level.part),)
    )


def clustered_p_value(outcomes: Outcomes, probability: FloatArray) -> float:
    """Return the two-sided p-value that outcomes have the predicted level.

    The excess of defaults over their expectation, divided by its standard error with rows clustered by component
    (Liang and Zeger 1986), which is taken to be at least that of independent rows: where few defaults were observed by
    chance, the clustered error is too small.
    """
    excess = np.bincount(outcomes.cluster, outcomes.label - probability)
    independent = float((probability * (1 - probability)).sum())
    error = float(np.sqrt(max(np.square(excess).sum(), independent)))
    return 1.0 if error == 0.0 else float(erfc(abs(float(excess.sum())) / error / np.sqrt(2.0)))


def _level(named: tuple[str, str], outcomes: Outcomes, probability: FloatArray, counts: IntArray) -> Level:
    expected, bad = float(probability.sum()), int(outcomes.label.sum())
    value = expected / bad if bad else float("nan")
    ratio = estimate_from_draws(value, ratio_draws(outcomes, probability, counts))
    p_value = clustered_p_value(outcomes, probability)
    return Level(*named, len(probability), bad, expected, ratio, p_value, "too_few")


def _verdict(level: Level, p_value: float) -> Verdict:
    if p_value >= SIGNIFICANT:
        return "agrees"
    return "too_high" if level.expected > level.bad else "too_low"


def _with(level: Level, p_value: float, verdict: Verdict) -> Level:
    return replace(level, p_value=p_value, verdict=verdict)
