"""Leaks that show only in two columns together: both flags, a difference or a ratio that gives the outcome.

All pairs are looked at by bands of their values, on one half of the sellers, and judged on the other half, with related
sellers in one half. The differences and ratios of a bounded number of pairs are ranked by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from models.training.leaks.sample import auc_and_error, auc_of_cells, separation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from models.components.encoding import FloatArray
    from models.settings import LeakSettings
    from models.training.leaks.sample import LeakSample

BANDS: Final = 6
MOST_ROWS: Final = 8_000
MOST_PAIRS_COMPUTED: Final = 435
FEWEST_BADS: Final = 20
GAIN_OF_A_LEAK: Final = 0.25
GAIN_TO_LOOK_AT: Final = 0.15
STANDARD_ERRORS: Final = 6.0
ROWS_TO_SCREEN: Final = 2_000
TOLERANCE_OF_SCREENING: Final = 0.1
SEPARATION_GAINED: Final = 1.5


class PairFinding(NamedTuple):
    """Two columns, the rule they break together, the evidence, and whether it is a leak or only doubtful."""

    columns: tuple[int, int]
    rule: str
    evidence: str
    is_leak: bool


@dataclass(frozen=True)
class _Halves:
    """At most ``MOST_ROWS`` rows, and the AUC of each column alone in the better direction."""

    X: FloatArray
    sample: LeakSample
    alone: FloatArray


def pair_leaks(X: FloatArray, sample: LeakSample, alone: FloatArray, settings: LeakSettings) -> list[PairFinding]:
    """Return the pairs that tell the outcome although neither column does, the strongest of each column first."""
    rows = _some_of_both_kinds(sample)
    part = sample.rows(rows)
    if min(int(part.bad[half].sum()) for half in (part.is_learned, ~part.is_learned)) < FEWEST_BADS or X.shape[1] < 2:
        return []
    halves = _Halves(X[rows], part, alone)
    found = [*_by_bands(halves, settings), *_computed(halves, settings)]
    return _one_a_column(sorted(found, key=lambda one: -one[0]))


def _some_of_both_kinds(sample: LeakSample) -> npt.NDArray[np.int64]:
    """Return the places of at most ``MOST_ROWS`` rows, up to half of them of defaulters: shares change no AUC."""
    mixed = np.random.default_rng(1).permutation(len(sample.bad))
    bads = mixed[sample.bad[mixed]][: MOST_ROWS // 2]
    return np.sort(np.concatenate([bads, mixed[~sample.bad[mixed]][: MOST_ROWS - len(bads)]]))


def _one_a_column(found: list[tuple[float, PairFinding]]) -> list[PairFinding]:
    named: set[int] = set()
    kept = []
    for _, finding in found:
        if not named & set(finding.columns):
            kept.append(finding)
            named |= set(finding.columns)
    return kept


def _by_bands(halves: _Halves, settings: LeakSettings) -> Iterator[tuple[float, PairFinding]]:
    """Yield pairs whose cells of bands, learned on one half, rank the other half far better than either column."""
    bands = np.column_stack([_band(column) for column in halves.X.T])
    count, width = bands.shape[1], BANDS + 1
    is_learned = halves.sample.is_learned
    tables = [_tables(bands[half], halves.sample.bad[half]) for half in (is_learned, ~is_learned)]
    pairs = np.array(list(combinations(range(count), 2)))
    both = _held_out_auc(tables, pairs, width)
    own = _held_out_auc(tables, np.column_stack([np.arange(count)] * 2), width)
    bads = int(halves.sample.bad[~is_learned].sum())
    singles = np.maximum(np.maximum(own[pairs].max(axis=1), halves.alone[pairs].max(axis=1)), 0.5)
    error = np.sqrt(np.maximum(both * (1 - both), 0.01) / bads)
    gain = both - singles
    for place in np.flatnonzero((gain >= GAIN_TO_LOOK_AT) & (gain > STANDARD_ERRORS * error)).tolist():
        perfect = both[place] - settings.standard_errors * error[place] > settings.auc_limit
        words = f"AUC {both[place]:.3f} together on held-out rows, {singles[place]:.3f} by the better one alone"
        is_leak = bool(gain[place] >= GAIN_OF_A_LEAK or perfect)
        columns = (int(pairs[place][0]), int(pairs[place][1]))
        yield float(gain[place]), PairFinding(columns, "interaction", words, is_leak)


def _computed(halves: _Halves, settings: LeakSettings) -> Iterator[tuple[float, PairFinding]]:
    """Yield pairs whose equality, difference, sum, ratio or product tells the outcome; the most alike columns first."""
    every = max(len(halves.X) // ROWS_TO_SCREEN, 1)
    for left, right in _most_alike(halves.X):
        known = np.isfinite(halves.X[:, left]) & np.isfinite(halves.X[:, right])
        part = halves.sample.rows(np.flatnonzero(known))
        bad, seller = part.bad, part.seller
        if min(int(bad.sum()), int((~bad).sum())) < FEWEST_BADS:
            continue
        both = halves.X[known, left], halves.X[known, right]
        single = float(max(halves.alone[left], halves.alone[right]))
        equal = _equality(*both, part, settings)
        if equal is not None:
            yield 1.0 - single, PairFinding((left, right), "equality", equal, is_leak=True)
        for name, values in _combined(both[0][::every], both[1][::every]):
            if _quick_auc(values, bad[::every]) < settings.auc_limit - TOLERANCE_OF_SCREENING:
                continue
            auc, error = auc_and_error(dict(_combined(*both))[name], bad, seller)
            # An AUC of 1 among few rows proves no more than that one of them more would be an exception.
            gain = float(separation(min(auc, 1.0 - 0.5 / min(bad.sum(), (~bad).sum()))) - separation(single))
            if auc - settings.standard_errors * error > settings.auc_limit and gain >= SEPARATION_GAINED:
                words = f"AUC {auc:.3f} of the {name}, {single:.3f} by the better one alone"
                yield auc - single, PairFinding((left, right), name, words, is_leak=True)


def _equality(one: FloatArray, other: FloatArray, sample: LeakSample, settings: LeakSettings) -> str | None:
    """Return what equality or inequality of two columns shows, if only defaulters or only non-defaulters have it."""
    same = one == other
    if not same.any() or same.all():
        return None
    for is_same, words in ((True, "both equal"), (False, "not equal")):
        rows = same == is_same
        count, bads = int(rows.sum()), int(sample.bad[rows].sum())
        for found, of_bad, share in ((bads, True, settings.value_share), (count - bads, False, settings.good_share)):
            enough = max(settings.fewest_rows, share * int((sample.bad == of_bad).sum()))
            everyone = np.ones(len(same), dtype=np.bool_)
            if found == count >= enough and not sample.chance_allows(
                rows, of_bad=of_bad, among=everyone, settings=settings
            ):
                return f"{words} in {count} rows, all of them {'defaulters' if of_bad else 'non-defaulters'}"
    return None


def _quick_auc(values: FloatArray, bad: npt.NDArray[np.bool_]) -> float:
    """Return the AUC in the better direction by ranks in order; equal values are ranked as they come."""
    bads = int(bad.sum())
    goods = len(bad) - bads
    if min(bads, goods) == 0:
        return 1.0
    ranks = np.flatnonzero(bad[np.argsort(values, kind="stable")])
    auc = (float(ranks.sum()) - bads * (bads - 1) / 2) / (bads * goods)
    return max(auc, 1.0 - auc)


def _combined(one: FloatArray, other: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    difference = one - other
    yield "difference", difference
    yield "size of the difference", np.abs(difference)
    yield "sum", one + other
    yield "product", one * other
    if (other != 0).all():
        yield "ratio", one / other


def _most_alike(X: FloatArray) -> list[tuple[int, int]]:
    """Return at most ``MOST_PAIRS_COMPUTED`` pairs, those with the highest correlation in size first."""
    known = np.isfinite(X)
    filled = np.where(known, X, 0.0)
    means = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, filled - means, 0.0)
    spread = np.sqrt(np.square(centred).sum(axis=0))
    with np.errstate(all="ignore"):
        alike = np.abs(centred.T @ centred / np.maximum(np.outer(spread, spread), 1e-300))
    pairs = [(i, j) for i, j in combinations(range(X.shape[1]), 2) if spread[i] > 0 and spread[j] > 0]
    return sorted(pairs, key=lambda pair: -float(alike[pair]))[:MOST_PAIRS_COMPUTED]


def _band(column: FloatArray) -> npt.NDArray[np.int64]:
    """Return bands of about equal count, the last for missing values; few distinct values are bands of their own."""
    known = np.isfinite(column)
    levels = np.unique(column[known])
    if len(levels) <= BANDS:  # none at all if every cell is missing
        edges = levels[1:]
    else:
        edges = np.unique(np.quantile(column[known], np.linspace(0, 1, BANDS + 1)[1:-1]))
    return np.where(known, np.searchsorted(edges, np.where(known, column, 0.0), side="right"), BANDS)


def _tables(bands: npt.NDArray[np.int64], bad: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Return bads and rows of every cell of every pair: (columns x bands, columns x bands) each."""
    width = BANDS + 1
    marks = np.zeros((len(bands), bands.shape[1] * width), np.float32)
    marks[np.arange(len(bands))[:, None], bands + width * np.arange(bands.shape[1])] = 1.0
    return marks[bad].T @ marks[bad], marks.T @ marks


def _held_out_auc(tables: list[tuple[FloatArray, FloatArray]], pairs: npt.NDArray[np.int64], width: int) -> FloatArray:
    """Return the AUC (pairs,) on the second half of ranking cells by their default rate in the first."""
    cells = np.arange(width)
    first = (width * pairs[:, 0])[:, None, None] + cells[:, None]
    second = (width * pairs[:, 1])[:, None, None] + cells[None, :]
    (bads, rows), (held_bads, held_rows) = (
        tuple(table[first, second].reshape(len(pairs), -1).astype(np.float64) for table in half) for half in tables
    )
    return auc_of_cells(bads, rows, held_bads, held_rows)
