"""Leaks that hide in how the values of one column were made: imputed by class, rates of the own label, digits as marks.

Each test compares a column with what it would look like if it were honest but as strong, so that a good variable is no
leak. Probabilities are judged against ``largest_probability``, divided by the number of tests made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.stats import chi2, gamma

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from models.components.encoding import FloatArray
    from models.settings import LeakSettings
    from models.training.leaks.sample import LeakSample, Ordered, ValueGroups

FEWEST_IN_A_SPIKE: Final = 5
FEWEST_NEIGHBOURS: Final = 20
FEWEST_VALUES: Final = 8
FEWEST_VALUES_WITH_DIGITS: Final = 50
MOST_DECIMALS: Final = 6
STRATA: Final = 20
FEWEST_VALUES_DRAWN: Final = 20
SHARE_DRAWN: Final = 0.95
SIMULATIONS: Final = (60, 1000)
CLOSE_TO_ITS_RATES: Final = 0.8
SHARE_EXPLAINED_BY_DIGITS: Final = 0.1
SHARE_TO_LOOK_AT: Final = 0.06
OFTEN: Final = 5
LARGEST_MODULUS: Final = 16


def opposite_spikes(column: Ordered, settings: LeakSettings, columns: int) -> Iterator[tuple[str, str]]:
    """Find repeated values of one outcome each amid values of both, as imputing the mean of the class leaves them.

    A value is compared with the values next to it: at the end of an honest ranking the neighbours are nearly pure too.
    """
    (bad, seller, _), groups = column.part, column.groups
    ends = np.cumsum(groups.rows)
    spikes: dict[bool, tuple[float, int]] = {}
    pure = (groups.rows >= FEWEST_IN_A_SPIKE) & ((groups.bads == 0) | (groups.bads == groups.rows))
    pure &= _out_of_pattern(groups)
    for at in np.flatnonzero(pure).tolist():
        begin, end, is_bad = int(ends[at] - groups.rows[at]), int(ends[at]), bool(groups.bads[at])
        reach = max(int(groups.rows[at]), FEWEST_NEIGHBOURS)
        beside = np.concatenate([bad[max(begin - reach, 0) : begin], bad[end : end + reach]])
        if len(beside) >= FEWEST_NEIGHBOURS:
            alike = (float((beside == is_bad).sum()) + 1.0) / (len(beside) + 2.0)
            log_p = len(np.unique(seller[begin:end])) * float(np.log(alike))
            spikes[is_bad] = min(spikes.get(is_bad, (0.0, -1)), (log_p, at))
    tests = columns * max(int(pure.sum()), 1)
    if len(spikes) == 2 and sum(log_p for log_p, _ in spikes.values()) < np.log(settings.largest_probability / tests):
        worst, best = (spikes[is_bad][1] for is_bad in (True, False))
        evidence = (
            f"value {groups.level[worst]:.6g} for {groups.rows[worst]} rows, all of them defaulters, and value "
            f"{groups.level[best]:.6g} for {groups.rows[best]}, all of them non-defaulters, amid values of both"
        )
        yield "opposite spikes", evidence


def _out_of_pattern(groups: ValueGroups) -> npt.NDArray[np.bool_]:
    """Return which values the column does not explain: repeated far more often than others, or with more decimals.

    In a column of codes every value is repeated, and some are rightly pure.
    """
    decimals = _decimals(groups.level)
    usual = np.repeat(decimals, groups.rows)
    return (groups.rows >= OFTEN * np.median(groups.rows)) | (decimals > np.quantile(usual, 0.5, method="lower"))


def own_rates(column: Ordered, settings: LeakSettings, columns: int) -> Iterator[tuple[str, str]]:
    """Find a column of default rates of groups that count the row itself.

    The rates observed among equal values then follow the value without the scatter that outcomes of honest groups have.
    The scatter around a rising line is compared with its distribution in simulated outcomes, which have the same local
    rates but are drawn anew.
    """
    groups = column.groups
    count = len(groups.level)
    if count < FEWEST_VALUES or (groups.rows >= 2).sum() < FEWEST_VALUES or 2 * count > len(column.level):
        return
    smooth = _local_rates(groups)
    scatter = _scatter(groups, groups.bads / groups.rows, smooth)
    if scatter > CLOSE_TO_ITS_RATES * count:
        return
    generator = np.random.default_rng(count)
    limit = settings.largest_probability / columns
    # Few simulations settle nearly every honest column.
    if all(_rarely_below(scatter, groups, smooth, generator, times) < limit for times in SIMULATIONS):
        evidence = f"the default rates of its {count} values follow them more closely than honest ones can by chance"
        yield "rates of the own label", evidence


def drawn_rates(column: Ordered) -> Iterator[tuple[str, str]]:
    """Find a column whose values nearly all lie between the default rate of its rows and that of all rows.

    Rates of the own label that are drawn towards the mean do so, whatever the size of their groups. An honest
    probability lies on either side of the rate that is observed, unless it is far too cautious.
    """
    is_often = column.groups.rows >= OFTEN
    if is_often.sum() < FEWEST_VALUES_DRAWN or column.level[0] < 0.0 or column.level[-1] > 1.0:
        return
    level, rows, bads = (values[is_often] for values in column.groups)
    value, rate = level - column.part.bad.mean(), bads / rows - column.part.bad.mean()
    between = (value * rate >= 0.0) & (np.abs(value) <= np.abs(rate))
    if between.mean() >= SHARE_DRAWN:
        evidence = (
            f"{int(between.sum())} of {len(between)} values lie between the default rate of their rows and the mean"
        )
        yield "rates drawn to the mean", evidence


def _rarely_below(
    scatter: float, groups: ValueGroups, smooth: FloatArray, generator: np.random.Generator, times: int
) -> float:
    """Return the probability of so little scatter in outcomes drawn anew; 1 if any of the simulations has less."""
    drawn = generator.binomial(groups.rows, smooth, size=(times, len(smooth))) / groups.rows
    simulated = np.array([_scatter(groups, rates, smooth) for rates in drawn])
    mean, variance = float(simulated.mean()), float(simulated.var(ddof=1))
    if scatter >= simulated.min() or variance == 0.0:
        return 1.0
    return float(gamma.cdf(scatter, mean**2 / variance, scale=variance / mean))


def _local_rates(groups: ValueGroups) -> FloatArray:
    """Return the default rate around each value, over at least as many rows as neighbours are asked for."""
    rows, bads = np.cumsum(groups.rows), np.cumsum(groups.bads)
    reach = 2 * FEWEST_NEIGHBOURS
    low = np.searchsorted(rows, rows - groups.rows - reach, side="left")
    high = np.minimum(np.searchsorted(rows, rows + reach, side="left"), len(rows) - 1)
    before_rows = np.where(low > 0, rows[low - 1], 0)
    before_bads = np.where(low > 0, bads[low - 1], 0)
    return np.asarray((bads[high] - before_bads + 0.5) / (rows[high] - before_rows + 1.0))


def _scatter(groups: ValueGroups, rates: FloatArray, smooth: FloatArray) -> float:
    """Return the weighted squared distance of rates from the rising or falling line closest to them."""
    weights = groups.rows.astype(np.float64)
    distances = (
        weights * (rates - isotonic_regression(rates, weights=weights, increasing=rising).x) ** 2
        for rising in (True, False)
    )
    return min(float((distance / (smooth * (1.0 - smooth))).sum()) for distance in distances)


def marked_digits(
    values: FloatArray, sample: LeakSample, settings: LeakSettings, columns: int
) -> Iterator[tuple[str, str, bool]]:
    """Find outcomes written into the digits of a number: residues of an integer, or the number of decimals.

    Outcomes are compared within bands of the number itself, so that its size explains nothing. Yields the rule, the
    evidence, and whether the digits explain so much that it is a leak; round amounts, for example, may tell a little.
    """
    known = np.isfinite(values)
    found = values[known]
    if len(np.unique(found)) < FEWEST_VALUES_WITH_DIGITS:
        return
    bad, seller = sample.bad[known].astype(np.float64), sample.seller[known]
    strata = np.searchsorted(np.quantile(found, np.linspace(0, 1, STRATA + 1)[1:-1]), found, side="right")
    rates = np.bincount(strata, bad) / np.maximum(np.bincount(strata), 1)
    excess = bad - rates[strata]
    best = ("", SHARE_TO_LOOK_AT)
    for name, group in _digit_groups(found):
        p_value, explained = _explained(excess, group, seller)
        if p_value < settings.largest_probability / (columns * LARGEST_MODULUS) and explained > best[1]:
            best = (name, explained)
    if best[0]:
        evidence = f"{best[0]} explains {100 * best[1]:.0f} % of the outcomes of numbers of like size"
        yield "marked digits", evidence, best[1] >= SHARE_EXPLAINED_BY_DIGITS


def _digit_groups(values: FloatArray) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    decimals = _decimals(values)
    if len(np.unique(decimals)) > 1:
        yield "the number of decimals", decimals
    usual = int(np.quantile(decimals, 0.995, method="lower"))
    if usual <= MOST_DECIMALS and np.abs(values).max() * 10.0**usual < 2**53:
        whole = np.rint(values * 10.0**usual).astype(np.int64)
        for modulus in range(2, LARGEST_MODULUS + 1):
            yield f"the remainder after division by {modulus}", whole % modulus


def _decimals(values: FloatArray) -> npt.NDArray[np.int64]:
    """Return how many decimals each number needs, one more than ``MOST_DECIMALS`` if those are not enough."""
    decimals = np.full(len(values), MOST_DECIMALS + 1)
    for count in range(MOST_DECIMALS, -1, -1):
        scaled = values * 10.0**count
        decimals[np.abs(scaled - np.rint(scaled)) <= 1e-6 * np.maximum(np.abs(scaled) * 1e-6, 1.0)] = count
    return decimals


def _explained(excess: FloatArray, group: npt.NDArray[np.int64], seller: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return the p-value that outcomes do not differ between groups, and the share of their variance explained."""
    names, place = np.unique(group, return_inverse=True)
    count = len(names)
    sums, rows = np.bincount(place, excess), np.bincount(place)
    if len(seller) == np.count_nonzero(np.bincount(seller)):
        variance = np.bincount(place, excess**2)
    else:
        _, cell = np.unique(place.astype(np.int64) * (int(seller.max()) + 1) + seller, return_inverse=True)
        by_seller = np.bincount(cell, excess)
        group_of_cell = np.zeros(len(by_seller), np.int64)
        group_of_cell[cell] = place
        variance = np.bincount(group_of_cell, by_seller**2, minlength=count)
    usable = variance > 0
    if usable.sum() < 2:
        return 1.0, 0.0
    statistic = float((sums[usable] ** 2 / variance[usable]).sum())
    total = float((excess**2).sum())
    explained = float((sums**2 / np.maximum(rows, 1)).sum()) / total if total else 0.0
    return float(chi2.sf(statistic, int(usable.sum()) - 1)), explained
