"""Expected and observed default rates: by grade, by band of predicted probability, and in total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, betaincinv

from models.evaluation.calibration_quality import equal_count_bins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.evaluation.estimates import FloatArray, IntArray

JEFFREYS_PRIOR = 0.5


@dataclass(frozen=True)
class RateRow:
    """Default rate of one group of rows.

    ``expected`` is the mean predicted probability; ``observed`` is the share of bad rows, with its Jeffreys interval
    ``observed_lower`` .. ``observed_upper``. ``understated`` is the one-sided Jeffreys p-value that European
    supervisors ask for: the probability, given the outcomes, that the true rate is at or below the expected one. A
    small value means that the model understates risk. Rates are None for a group without rows. Rows are treated as
    independent here, so p-values are too small where related sellers default together.
    """

    name: str
    rows: int
    bad: int
    expected: float | None
    observed: float | None
    observed_lower: float | None
    observed_upper: float | None
    understated: float | None


def jeffreys_interval(bad: int, rows: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the equal-tailed interval of a default rate under Jeffreys' prior Beta(1/2, 1/2).

    Without bad rows the lower end is 0, without good rows the upper end is 1 (Brown, Cai, DasGupta 2001).
    """
    tail = (1 - confidence) / 2
    shape = (bad + JEFFREYS_PRIOR, rows - bad + JEFFREYS_PRIOR)
    lower = 0.0 if bad == 0 else float(betaincinv(*shape, tail))
    upper = 1.0 if bad == rows else float(betaincinv(*shape, 1 - tail))
    return lower, upper


def jeffreys_p_value(bad: int, rows: int, expected: float) -> float:
    """Return the probability that the true rate is at or below ``expected``, given the outcomes.

    The posterior under Jeffreys' prior (ECB reporting instructions, 2019).
    """
    return float(betainc(bad + JEFFREYS_PRIOR, rows - bad + JEFFREYS_PRIOR, expected))


def rate_row(name: str, label: IntArray, probability: FloatArray, confidence: float = 0.95) -> RateRow:
    """Return expected and observed rate of one group of rows."""
    rows, bad = int(label.size), int(label.sum())
    if rows == 0:
        return RateRow(name, 0, 0, None, None, None, None, None)
    expected = float(probability.mean())
    lower, upper = jeffreys_interval(bad, rows, confidence)
    return RateRow(name, rows, bad, expected, bad / rows, lower, upper, jeffreys_p_value(bad, rows, expected))


def rates_by_band(label: IntArray, probability: FloatArray, bands: int) -> tuple[RateRow, ...]:
    """Return rates in bands of equal count, named "1", "2", … from the lowest predicted probability to the highest."""
    band = equal_count_bins(probability, bands)
    return tuple(
        rate_row(str(number + 1), label[band == value], probability[band == value])
        for number, value in enumerate(np.unique(band))
    )


@dataclass(frozen=True)
class GradeTable:
    """Rates by grade from best to worst.

    ``concentration`` is the Herfindahl index of the grades' shares of rows (1 = all in one grade). ``largest_share`` is
    the share of the fullest grade. ``is_monotone`` says whether observed rates never fall from a grade to the next
    worse one that has rows.
    """

    rows: tuple[RateRow, ...]
    total: RateRow
    concentration: float
    largest_share: float
    is_monotone: bool


def grade_table(label: IntArray, probability: FloatArray, grade: Sequence[str], order: Sequence[str]) -> GradeTable:
    """Compute the rates by grade.

    Args:
        label: (rows,) 1 for a bad row.
        probability: (rows,) predicted.
        grade: (rows,) name of each row's grade.
        order: every grade, best first.

    Raises:
        ValueError: a row's grade is not in ``order``.
    """
    names = np.asarray(grade, dtype=object)
    unknown = sorted(set(names) - set(order))
    if unknown:
        raise ValueError(f"grades {unknown} are not on the scale {list(order)}")
    rows = tuple(rate_row(name, label[names == name], probability[names == name]) for name in order)
    shares = np.array([row.rows for row in rows]) / label.size
    observed = np.array([row.observed for row in rows if row.observed is not None])
    return GradeTable(
        rows=rows,
        total=rate_row("", label, probability),
        concentration=float((shares**2).sum()),
        largest_share=float(shares.max()),
        is_monotone=bool((np.diff(observed) >= 0).all()),
    )
