"""What refusing below a grade would have cost and saved on the test sample: approvals, defaults and profit.

One amount and one price for everybody: the table compares cut-offs, it is no forecast of a lender's profit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.discrimination import rank_rows, step_weights
from models.evaluation.estimates import Estimate, estimate_from_draws

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.evaluation.bootstrap import Outcomes
    from models.evaluation.estimates import BoolArray, FloatArray, IntArray

CURVE_POINTS = 100
BINS = 30
_TAIL = 0.005


@dataclass(frozen=True)
class CutOff:
    """What approving a grade and all better ones would have meant.

    Attributes:
        grade: the worst grade approved.
        approved: share of applicants approved.
        default_rate: share of the approved that defaulted; its figures are NaN if nobody is approved.
        defaults_refused: share of all defaults among the refused.
        profit: for 100 applicants who each ask for an amount of 1: margin on the approved that paid, less the loss on
            those that defaulted.
        earns_most: whether no other cut-off earned more on this sample.
    """

    grade: str
    approved: float
    default_rate: Estimate
    defaults_refused: Estimate
    profit: Estimate
    earns_most: bool


@dataclass(frozen=True)
class Curve:
    """The ROC curve of a model: shares of good and of bad rows refused, from nobody to everybody."""

    model: str
    good_refused: tuple[float, ...]
    bad_refused: tuple[float, ...]


@dataclass(frozen=True)
class ScoreDistribution:
    """Shares of good and of bad rows by predicted log-odds of default.

    ``edges`` are the edges of bins of equal width, ascending; rows beyond the ends count in the outermost bins.
    """

    edges: tuple[float, ...]
    good: tuple[float, ...]
    bad: tuple[float, ...]


def cut_offs(
    outcomes: Outcomes, grade: Sequence[str], order: Sequence[str], counts: IntArray, economics: Mapping[str, float]
) -> tuple[CutOff, ...]:
    """Return the table of cut-offs, from the best grade that has rows to everybody.

    Args:
        outcomes: the whole sample.
        grade: (rows,) name of each row's grade.
        order: every grade, best first.
        counts: (draws, components) bootstrap draws.
        economics: ``margin`` on a loan that is paid and ``loss_given_default``, as shares of the amount.
    """
    place = np.array([order.index(name) for name in grade])
    found = [_cut_off(outcomes, place <= worst, order[worst], counts, economics) for worst in np.unique(place).tolist()]
    most = max((one.profit.value for one in found), default=0.0)
    return tuple(replace(one, earns_most=one.profit.value == most) for one in found)


def roc_curve(model: str, label: IntArray, probability: FloatArray) -> Curve:
    """Return a ROC curve of at most about a hundred points; tied rows are refused together."""
    steps = step_weights(label, rank_rows(probability), np.ones((1, label.size)))
    shares = []
    for weight in (steps.good[0], steps.bad[0]):
        refused = np.concatenate([[0.0], np.cumsum(weight[::-1])])
        shares.append(refused / max(float(refused[-1]), 1.0))
    kept = np.unique(np.linspace(0, len(shares[0]) - 1, CURVE_POINTS).round().astype(np.int64))
    good, bad = (tuple(float(value) for value in share[kept].round(5)) for share in shares)
    return Curve(model, good, bad)


def score_distribution(label: IntArray, log_odds: FloatArray) -> ScoreDistribution:
    """Return how predictions of good and of bad rows are distributed; shares of each kind add up to 1."""
    low, high = np.quantile(log_odds, [_TAIL, 1 - _TAIL])
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    inside = np.clip(log_odds, low, high)
    good, bad = (_shares(inside[label == kind], edges) for kind in (0, 1))
    return ScoreDistribution(tuple(float(edge) for edge in edges.round(6)), good, bad)


def _shares(values: FloatArray, edges: FloatArray) -> tuple[float, ...]:
    count, _ = np.histogram(values, edges)
    return tuple(float(share) for share in (count / max(len(values), 1)).round(6))


def _cut_off(
    outcomes: Outcomes, is_approved: BoolArray, grade: str, counts: IntArray, economics: Mapping[str, float]
) -> CutOff:
    """Return one line; a share is a ratio of sums by component, so a draw is one product of matrices."""
    bad, rows = outcomes.label.astype(np.float64), np.ones(outcomes.label.size)
    paid = economics["margin"] * (1 - bad) - economics["loss_given_default"] * bad
    parts = {
        "default_rate": (bad * is_approved, is_approved.astype(np.float64)),
        "defaults_refused": (bad * ~is_approved, bad),
        "profit": (100 * paid * is_approved, rows),
    }
    weights = counts.astype(np.float64)
    found = {}
    for name, (over, under) in parts.items():
        sums = [np.bincount(outcomes.cluster, values, minlength=counts.shape[1]) for values in (over, under)]
        with np.errstate(divide="ignore", invalid="ignore"):
            draws = (weights @ sums[0]) / (weights @ sums[1])
            value = float(np.float64(sums[0].sum()) / np.float64(sums[1].sum()))
        found[name] = estimate_from_draws(value, draws)
    return CutOff(grade, float(is_approved.mean()), **found, earns_most=False)
