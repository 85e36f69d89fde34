"""Leaks that are about rows: copies of other sellers' rows, an order that tells the outcome, values known too late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from models.training.leaks.sample import LeakSample, auc_and_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.components.encoding import BoolArray, FloatArray
    from models.settings import LeakSettings
    from models.training.dataset import Dataset

MOST_DEFAULTERS: Final = 500
AT_A_TIME: Final = 5_000
NEIGHBOURS: Final = 8
NEARLY_AS_ALIKE: Final = 3
BANDS: Final = 8
FEWEST_COLUMNS: Final = 3
SHARE_THAT_MAY_DIFFER: Final = 0.15
NEARLY_EQUAL: Final = 0.01
OFFSET_OF_STEPS: Final = 0.37
SHARE_WITH_A_COPY: Final = 0.02
OUTCOMES_THAT_AGREE: Final = 0.8
ORDER_CORRELATION: Final = 0.2
ORDER_AUC: Final = 0.65
STANDARD_ERRORS: Final = 6.0


def known_too_late(dataset: Dataset, kept: Sequence[int]) -> dict[int, tuple[str, str, bool]]:
    """Return, by place among the kept columns, those with a value that was not known on the day of its observation."""
    if dataset.known_on is None:
        return {}
    found = {}
    for place, column in enumerate(kept):
        days = dataset.known_on[:, column]
        late = np.isfinite(dataset.X[:, column]) & ~np.isnat(days) & (days > dataset.as_of)
        if late.any():
            first = int(np.flatnonzero(late)[0])
            words = (
                f"{int(late.sum())} values were known after the observation, such as that of seller "
                f"{dataset.seller_id[first]} as of {dataset.as_of[first]}, known on {days[first]}"
            )
            found[place] = ("known too late", words, True)
    return found


def copied_rows(reference: Dataset, judged: Dataset, settings: LeakSettings) -> tuple[str, str, bool] | None:
    """Find rows of defaulters that are, all but a few columns, copies of rows of other groups of related parties.

    Rows may be alike by chance, for example if few columns vary. Then the outcomes of such rows agree no more often
    than those of other neighbours; those of copies agree always. Returns rule, evidence and whether it is a leak.
    """
    bads = _one_a_component(judged)
    banded = _Banded.of(reference.X)
    if min(len(bads), reference.n) < settings.fewest_rows or len(banded.columns) < FEWEST_COLUMNS:
        return None
    near = _most_alike(banded, reference, judged, bads)
    X, rows = reference.X[:, banded.columns], judged.X[bads][:, banded.columns]
    differ = _columns_that_differ(X, rows, near, banded.spread)
    is_bad = reference.y[near] == 1
    most = int(SHARE_THAT_MAY_DIFFER * len(banded.columns))
    # Rows that are alike by chance are more frequent, the more columns may differ.
    for may_differ in sorted({0, 1, most}) if most else [0]:
        words = _too_often_alike(differ, is_bad, may_differ, settings)
        if words:
            return "copied rows", f"{words}, up to {may_differ} columns", True
    return None


def _too_often_alike(differ: npt.NDArray[np.int64], is_bad: BoolArray, may_differ: int, settings: LeakSettings) -> str:
    """Return what is remarkable of the copies among the neighbours (rows, neighbours) of defaulters, if anything is."""
    is_copy = differ <= may_differ
    has_copy = is_copy.any(axis=1)
    closest = is_copy & (differ == differ.min(axis=1, keepdims=True))
    shares = (is_bad & closest)[has_copy].sum(axis=1) / closest[has_copy].sum(axis=1)
    found, agree = int(has_copy.sum()), int(shares.sum())
    if found < max(settings.fewest_rows, SHARE_WITH_A_COPY * len(differ)) or agree < OUTCOMES_THAT_AGREE * found:
        return ""
    # The more alike, the more often outcomes agree, so that those who are nearly as alike are the measure.
    others = is_bad[~is_copy & (differ <= may_differ + NEARLY_AS_ALIKE)]
    if len(others) < found:
        others = is_bad[~is_copy]
    if len(others) < found:  # too little to compare with: perhaps few kinds of row exist
        return ""
    by_chance = (others.sum() + 1.0) / (len(others) + 2.0)
    if float(binom.logsf(agree - 1, found, by_chance)) >= np.log(settings.largest_probability):
        return ""
    return (
        f"{found} of {len(differ)} rows of defaulters looked at are copies of rows of other sellers; {agree} have the "
        f"same outcome, against {by_chance:.0%} of neighbours nearly as alike"
    )


def _one_a_component(judged: Dataset) -> npt.NDArray[np.int64]:
    """Return the places of at most ``MOST_DEFAULTERS`` rows of defaulters, one of each group of related parties."""
    bads = np.flatnonzero(judged.y == 1)
    _, first = np.unique(judged.component_id[bads], return_index=True)
    return np.sort(np.random.default_rng(1).permutation(bads[first])[:MOST_DEFAULTERS])


class _Banded(NamedTuple):
    """Columns that vary, as marks (rows, columns x bands) of the band of each value; missing is a band of its own."""

    columns: list[int]
    spread: list[float]
    edges: list[FloatArray]

    @classmethod
    def of(cls, X: FloatArray) -> _Banded:
        """Choose bands of about equal count."""
        found = cls([], [], [])
        for at in range(X.shape[1]):
            known = np.sort(X[np.isfinite(X[:, at]), at])
            if len(known) == 0 or known[0] == known[-1]:
                continue
            low, high = known[[len(known) // 4, (3 * len(known)) // 4]]
            spread = float(high - low if high > low else known.std())
            found.columns.append(at)
            found.spread.append(spread)
            found.edges.append(np.unique(_steps(known[np.arange(1, BANDS) * len(known) // BANDS], spread)))
        return found

    def marks(self, X: FloatArray) -> npt.NDArray[np.float32]:
        """Return a mark for the band of each value."""
        marks = np.zeros((len(X), len(self.columns), BANDS + 1), dtype=np.float32)
        rows = np.arange(len(X))
        for place, (column, spread, edges) in enumerate(zip(*self, strict=True)):
            known = np.isfinite(X[:, column])
            steps = _steps(np.where(known, X[:, column], 0.0), spread)
            marks[rows, place, np.where(known, np.searchsorted(edges, steps, side="right"), BANDS)] = 1.0
        return marks.reshape(len(X), -1)


def _steps(values: FloatArray, spread: float) -> FloatArray:
    """Return values in whole steps, so that a hair of noise around a frequent value moves few to another band."""
    return np.floor(values / (NEARLY_EQUAL * spread) + OFFSET_OF_STEPS)


def _most_alike(
    banded: _Banded, reference: Dataset, judged: Dataset, chosen: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the places of the reference rows of other groups with most values in the bands of a chosen row's."""
    rows, own = banded.marks(judged.X[chosen]), judged.component_id[chosen]
    groups = np.unique(np.concatenate([own, reference.component_id]), return_inverse=True)[1]
    place = np.zeros((len(rows), 0), dtype=np.int64)
    alike = np.zeros((len(rows), 0), dtype=np.float32)
    for begin in range(0, reference.n, AT_A_TIME):
        part = slice(begin, min(begin + AT_A_TIME, reference.n))
        common = rows @ banded.marks(reference.X[part]).T
        common[groups[: len(rows), None] == groups[None, len(rows) :][:, part]] = -1.0
        some = _largest(common)
        place = np.hstack([place, some + begin])
        alike = np.hstack([alike, np.take_along_axis(common, some, axis=1)])
    return np.take_along_axis(place, _largest(alike), axis=1)


def _largest(alike: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Return the places of the largest numbers of each row; a few passes are much faster than a partial sort."""
    left = alike.copy()
    found = np.empty((len(left), min(NEIGHBOURS, left.shape[1])), dtype=np.int64)
    for at in range(found.shape[1]):
        found[:, at] = left.argmax(axis=1)
        left[np.arange(len(left)), found[:, at]] = -2.0
    return found


def _columns_that_differ(
    X: FloatArray, rows: FloatArray, near: npt.NDArray[np.int64], spread: list[float]
) -> npt.NDArray[np.int64]:
    """Return in how many columns a neighbour (rows, neighbours) differs from a row by more than a hair."""
    differ = np.zeros(near.shape, dtype=np.int64)
    for at in range(X.shape[1]):
        one, other = rows[:, at, None], X[near, at]
        with np.errstate(invalid="ignore"):
            equal = np.abs(one - other) <= NEARLY_EQUAL * spread[at]
        differ += ~(equal | (~np.isfinite(one) & ~np.isfinite(other)))
    return differ


def telling_order(dataset: Dataset, settings: LeakSettings) -> tuple[str, str, bool] | None:
    """Find an order of rows within their dates that tells the outcome, as files joined by outcome have it.

    The order is no feature, so this is a doubt: perhaps the features of the two kinds were gathered differently.
    """
    _, date, rows = np.unique(dataset.as_of, return_inverse=True, return_counts=True)
    sample = LeakSample.of(dataset)
    everyone = np.ones(len(date), dtype=np.bool_)
    if sample.chance_allows(sample.bad, of_bad=True, among=everyone, settings=settings):
        return None
    apart = dataset.y - (np.bincount(date, dataset.y) / rows)[date]
    products = apart[1:] * apart[:-1]
    products = products[(date[1:] == date[:-1]) & (dataset.component_id[1:] != dataset.component_id[:-1])]
    if len(products) < settings.fewest_rows or not products.any():
        return None
    correlation = float(products.mean() / np.square(apart).mean())
    is_clustered = products.sum() / np.sqrt(np.square(products).sum()) > STANDARD_ERRORS
    place = np.arange(len(date)) / rows[date]
    place -= (np.bincount(date, place) / rows)[date]
    auc, error = auc_and_error(place, sample.bad, sample.seller)
    if is_clustered and correlation > ORDER_CORRELATION:
        return "telling order", f"outcomes of neighbouring rows correlate by {correlation:.2f}", False
    if auc - settings.standard_errors * error > ORDER_AUC:
        return "telling order", f"AUC {auc:.3f} by the place of the row", False
    return None
