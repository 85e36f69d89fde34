"""Leaks that show in ranges of one column's values: a block of defaulters alone, and values that tell the outcome.

A block of neighbouring values is compared with the values beside it, since at the end of an honest ranking the
neighbours are nearly pure too. What many narrow ranges tell is learned on one half of the sellers and judged on the
other half, with related sellers in one half, and compared with what the column's direction and ten wide ranges tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from models.training.leaks.sample import Ordered, ValueGroups, auc_and_error, auc_of_cells, log_chance

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from models.components.encoding import BoolArray, FloatArray
    from models.settings import LeakSettings
    from models.training.leaks.sample import LeakSample

FEWEST_BESIDE: Final = 20
FEWEST_BADS: Final = 20
WIDE_RANGES: Final = 10
MOST_NARROW_RANGES: Final = 200
ROWS_IN_A_RANGE: Final = 20
GAIN_OF_A_LEAK: Final = 0.15
GAIN_TO_LOOK_AT: Final = 0.06
STANDARD_ERRORS: Final = 6.0
NEARLY_PURE: Final = 0.8
SHARE_NEARLY_PURE: Final = 0.1
TIMES_AS_LIKELY: Final = 10.0


def block_of_defaulters(column: Ordered, settings: LeakSettings, columns: int) -> Iterator[tuple[str, str]]:
    """Find neighbouring values, or a single one, that only defaulters have, although the values beside have both."""
    level, part, groups = column
    # What few of the defaulters have needs more evidence than what many have.
    limit = 2.0 * np.log(settings.largest_probability)
    best = (limit - np.log(columns), 0, 0)
    for begin, end in _pure_blocks(groups, settings.fewest_rows):
        log_p = _log_p_of_block(part, begin, end, -best[0])
        if log_p < best[0]:
            best = (log_p, begin, end)
    _, begin, end = best
    if begin == end or log_chance(*_sellers(part, begin, end)) >= limit:
        return
    low, high = level[begin], level[end - 1]
    rule, shown = "block of defaulters", f"values {low:.6g} to {high:.6g}"
    if low == high:
        rule, shown = "value of defaulters", f"value {low:.6g}"
    yield rule, f"{shown} for {end - begin} rows, all of them defaulters, beside values of both"


def missing_of_defaulters(
    is_known: BoolArray, sample: LeakSample, settings: LeakSettings, columns: int
) -> Iterator[tuple[str, str]]:
    """Find cells that are missing, or known, for defaulters alone, although the others have both outcomes."""
    for _, evidence in block_of_defaulters(Ordered.of(is_known.astype(np.float64), sample), settings, columns):
        shown, _, rest = evidence.removeprefix("value ").partition(" ")
        yield "value of defaulters", f"{'known' if shown == '1' else 'missing'} {rest}"


def _log_p_of_block(part: LeakSample, begin: int, end: int, wanted: float) -> float:
    """Return the log-probability that a block is of defaulters alone if it were like the rows beside it.

    Returns 0 without counting if so few rows cannot reach the wanted size, or if too few rows are beside it.
    """
    reach = max(end - begin, FEWEST_BESIDE)
    beside = np.concatenate([np.arange(max(begin - reach, 0), begin), np.arange(end, min(end + reach, len(part.bad)))])
    if len(beside) < FEWEST_BESIDE or (end - begin) * np.log(len(beside) + 2.0) < wanted:
        return 0.0
    others = len(np.unique(part.seller[beside]))
    alike = (others * part.bad[beside].mean() + 1.0) / (others + 2.0)
    return float(len(np.unique(part.seller[begin:end])) * np.log(alike))


def _sellers(part: LeakSample, begin: int, end: int) -> tuple[int, int, int]:
    """Return how many sellers a block has, how many defaulters there are, and how many sellers."""
    return len(np.unique(part.seller[begin:end])), part.sellers(part.bad), part.sellers(np.ones_like(part.bad))


def _pure_blocks(groups: ValueGroups, fewest: int) -> list[tuple[int, int]]:
    """Return where the longest blocks of values of defaulters alone begin and end, in rows in the order of values."""
    pure = np.concatenate([[False], groups.bads == groups.rows, [False]])
    change = np.flatnonzero(pure[1:] != pure[:-1])
    edges = np.concatenate([[0], np.cumsum(groups.rows)])
    begin, end = edges[change[::2]], edges[change[1::2]]
    is_long = end - begin >= fewest
    return list(zip(begin[is_long].tolist(), end[is_long].tolist(), strict=True))


def nearly_pure_value(values: FloatArray, sample: LeakSample, settings: LeakSettings) -> Iterator[tuple[str, str]]:
    """Find a value, presence or absence that makes a defaulter many times as likely as a non-defaulter."""
    known = np.isfinite(values)
    groups = ValueGroups.of(np.where(known, values, np.inf), sample.bad)
    bads, rows, all_bads, all_rows = groups.bads, groups.rows, int(sample.bad.sum()), len(values)
    commonest = int(np.argmax(rows))
    # The last group is all values but the commonest.
    bads = np.append(bads, all_bads - bads[commonest])
    rows = np.append(rows, all_rows - rows[commonest])
    share = (bads + 1.0) / (rows + 2.0)
    lower = share - settings.standard_errors * np.sqrt(share * (1.0 - share) / (rows + 2.0))
    odds = (bads / np.maximum(rows - bads, 1)) / (all_bads / (all_rows - all_bads))
    found = (lower >= NEARLY_PURE) & (odds >= TIMES_AS_LIKELY) & (bads >= SHARE_NEARLY_PURE * all_bads)
    found &= bads >= FEWEST_BADS
    for at in np.flatnonzero(found)[:1].tolist():
        what = (
            f"other than {groups.level[commonest]:.6g}" if at == len(groups.level) else f"value {groups.level[at]:.6g}"
        )
        what = what.replace("value inf", "missing").replace("other than inf", "known")
        yield "nearly pure value", f"{what} for {rows[at]} rows, {bads[at]} of them defaulters"


def telling_ranges(
    values: FloatArray, sample: LeakSample, settings: LeakSettings, alone: float, narrow: float
) -> Iterator[tuple[str, str, bool]]:
    """Find a column whose narrow ranges of values tell the outcome far better than its direction does.

    Yields the rule, the evidence, and whether it is a leak or only doubtful: codes that stand for nothing in their
    order, such as branches, may rightly tell something.
    """
    if narrow - alone < GAIN_TO_LOOK_AT:
        return
    wide = max(alone, _held_out_auc(_ranges(_place_in_order(values), WIDE_RANGES), _halves(sample)))
    error = error_of_auc(narrow, sample)
    gain = narrow - wide
    words = f"AUC {narrow:.3f} by narrow ranges on held-out rows, {wide:.3f} by wide ones, {alone:.3f} by its direction"
    if narrow - settings.standard_errors * error > settings.auc_limit:
        yield "near-perfect ranges", words, True
    elif gain >= GAIN_TO_LOOK_AT and gain > STANDARD_ERRORS * error:
        yield "uneven values", words, gain >= GAIN_OF_A_LEAK


def auc_by_narrow_ranges(values: FloatArray, sample: LeakSample) -> float:
    """Return the AUC of narrow ranges of values on held-out sellers; 0.5 where it cannot be told."""
    halves = _halves(sample)
    if min(int(half.sum()) for half in halves) < FEWEST_BADS or not np.isfinite(values).any():
        return 0.5
    count = min(MOST_NARROW_RANGES, len(values) // (2 * ROWS_IN_A_RANGE))
    return _held_out_auc(_ranges(_place_in_order(values), count), halves)


def error_of_auc(auc: float, sample: LeakSample) -> float:
    """Return a cautious standard error of an AUC of ranges."""
    return float(np.sqrt(max(auc * (1.0 - auc), 0.01) / max(sample.sellers(sample.bad), 1)))


def lower_auc(auc: float, error: float, values: FloatArray, sample: LeakSample) -> float:
    """Return what a column's AUC by its direction is at least, three standard errors below.

    The error is that of the rows whose value is known: a column that is known of one defaulter ranks well by chance.
    """
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return 0.5
    cautious = error_of_auc(auc, sample.rows(known))
    return max(auc - 3.0 * max(error, cautious), 0.5)


def _halves(sample: LeakSample) -> list[BoolArray]:
    """Return the defaulters and the others among half of the sellers, then among the other half."""
    is_learned = sample.is_learned
    return [sample.bad & is_learned, ~sample.bad & is_learned, sample.bad & ~is_learned, ~sample.bad & ~is_learned]


def _place_in_order(values: FloatArray) -> FloatArray:
    """Return for each row the share of the rows below its value; equal values share a place, missing ones are last."""
    _, index, rows = np.unique(np.where(np.isfinite(values), values, np.inf), return_inverse=True, return_counts=True)
    return ((np.cumsum(rows) - rows) / len(values))[index]


def _ranges(place: FloatArray, count: int) -> npt.NDArray[np.int64]:
    return (place * count).astype(np.int64)


def _held_out_auc(cell: npt.NDArray[np.int64], halves: list[BoolArray]) -> float:
    """Return the mean AUC on each half of ranking cells by their default rates in the other."""
    width = int(cell.max()) + 1
    bads, goods, held_bads, held_goods = (np.bincount(cell[half], minlength=width) for half in halves)
    one = auc_of_cells(bads, bads + goods, held_bads, held_bads + held_goods)
    other = auc_of_cells(held_bads, held_bads + held_goods, bads, bads + goods)
    return float(one + other) / 2.0


def own_auc(values: FloatArray, sample: LeakSample) -> tuple[float, float]:
    """Return a column's AUC in the better direction and its standard error; 0.5 where it cannot be told."""
    known = np.isfinite(values)
    bads = int(sample.bad[known].sum())
    if bads < 2 or bads > known.sum() - 2:
        return 0.5, 0.0
    return auc_and_error(values[known], sample.bad[known], sample.seller[known])
