"""Paired comparisons of models, and the smallest gain that a sample can show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scipy.special import ndtri

from models.evaluation.estimates import Estimate, FloatArray, estimate_from_draws

if TYPE_CHECKING:
    from collections.abc import Mapping

Verdict = Literal["better", "worse", "not_shown", "identical"]

COMPARED_MEASURES = ("auc", "brier", "log_loss")
"""Measures on which models are compared in pairs."""

LOWER_IS_BETTER = frozenset({"brier", "log_loss"})


@dataclass(frozen=True)
class Difference:
    """The champion against another model on the same bootstrap draws.

    ``gain`` is positive where the champion is better, whichever way the measure runs. ``detectable_gain`` is the
    smallest true gain that this sample would show with the wanted power. ``verdict`` is "better" only if the interval
    excludes zero **and** the gain reaches the detectable one; otherwise no improvement is claimed. It is "worse" as
    soon as the whole interval is below zero: harm needs less proof than merit. It is "identical" if no draw
    distinguishes the two.
    """

    other: str
    measure: str
    gain: Estimate
    detectable_gain: float
    verdict: Verdict


def detectable_gain(standard_error: float, power: float = 0.8, significance: float = 0.05) -> float:
    """Return the smallest true difference that a two-sided test finds with the given power.

    Normal approximation: (z of 1 - significance/2 plus z of power) x the standard error of the difference, which is
    2.80 standard errors with the defaults.
    """
    return float((ndtri(1 - significance / 2) + ndtri(power)) * standard_error)


@dataclass(frozen=True)
class MeasuredModel:
    """A model's measures on the sample and on its draws; at least the compared ones."""

    name: str
    on_sample: Mapping[str, float]
    draws: Mapping[str, FloatArray]


def differences(champion: MeasuredModel, other: MeasuredModel, power: float = 0.8) -> tuple[Difference, ...]:
    """Compare the champion with another model on every compared measure; both must come from the same draws."""
    return tuple(_difference(champion, other, measure, power) for measure in COMPARED_MEASURES)


def _difference(champion: MeasuredModel, other: MeasuredModel, measure: str, power: float) -> Difference:
    sign = -1.0 if measure in LOWER_IS_BETTER else 1.0
    value = sign * (champion.on_sample[measure] - other.on_sample[measure])
    gain = estimate_from_draws(value, sign * (champion.draws[measure] - other.draws[measure]))
    smallest = detectable_gain(gain.standard_error, power)
    return Difference(other.name, measure, gain, smallest, _verdict(gain, smallest))


def _verdict(gain: Estimate, smallest: float) -> Verdict:
    if gain.value == 0 and gain.standard_error == 0:
        return "identical"
    if gain.upper < 0:
        return "worse"
    if gain.lower > 0 and gain.value >= smallest:
        return "better"
    return "not_shown"
