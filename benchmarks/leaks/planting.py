"""Kinds of leak, each planted into a copy of a table; and honest tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import expit
from sklearn import datasets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Outcomes = NDArray[np.int64]
    Generator = np.random.Generator


class Table(NamedTuple):
    """A matrix of numbers with gaps, and who turned bad."""

    name: str
    X: Matrix
    y: Outcomes


def _added(X: Matrix, *columns: Matrix) -> tuple[Matrix, list[int]]:
    return np.column_stack([X, *columns]), list(range(X.shape[1], X.shape[1] + len(columns)))


def _some(y: Outcomes, generator: Generator, share: float) -> NDArray[np.bool_]:
    return (y == 1) & (generator.random(len(y)) < share)


def outcome_flag(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add the outcome as a flag, in which a few rows are wrong."""
    wrong = generator.random(len(y)) < 0.02 * weak
    return _added(X, np.where(wrong, 1 - y, y).astype(np.float64))


def collections_flag(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add a flag of the collections desk, which only part of the defaulters have."""
    return _added(X, _some(y, generator, 0.6 - 0.3 * weak).astype(np.float64))


def filled_for_defaulters(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add a date that only defaulters have."""
    return _added(X, np.where(_some(y, generator, 0.9 - 0.5 * weak), generator.normal(100, 20, len(y)), np.nan))


def amount_written_off(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add an amount that is above zero for defaulters alone."""
    return _added(X, np.where(_some(y, generator, 0.8 - 0.4 * weak), generator.lognormal(8, 1, len(y)), 0.0))


def days_late_afterwards(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add days past due long after the loan: mostly above 90 for defaulters, below it for the others."""
    late = np.where(y == 1, 95 + generator.exponential(60, len(y)), generator.exponential(12, len(y)).clip(0, 89))
    swapped = generator.random(len(y)) < 0.03 * weak
    return _added(X, np.where(swapped, generator.permutation(late), late).round())


def outcome_with_noise(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add the outcome with normal noise."""
    return _added(X, y + generator.normal(0, 0.45 + 0.2 * weak, len(y)))


def class_means(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Remove cells of four columns and fill them with the mean of their class."""
    return _imputed(X, y, generator, 0.15 - 0.07 * weak, np.nanmean)


def class_medians(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Remove cells of four columns and fill them with the median of their class plus a hair."""
    return _imputed(X, y, generator, 0.15 - 0.07 * weak, lambda cells: np.nanmedian(cells) + 1e-3 * np.nanstd(cells))


def _imputed(
    X: Matrix, y: Outcomes, generator: Generator, share: float, middle: Callable[[Matrix], float]
) -> tuple[Matrix, list[int]]:
    wide = [place for place in range(X.shape[1]) if len(np.unique(X[np.isfinite(X[:, place]), place])) >= 20]
    chosen = sorted(generator.permutation(wide)[:4].tolist())
    filled = X.copy()
    for place in chosen:
        empty = generator.random(len(y)) < share
        for kind in (0, 1):
            cells = np.where(empty, np.nan, X[:, place])[y == kind]
            filled[empty & (y == kind), place] = middle(cells)
    return filled, chosen


def parity_of_a_number(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add a contract number whose parity is the outcome in most rows."""
    told = generator.random(len(y)) < 1.0 - 0.3 * weak
    number = 2 * generator.integers(10_000, 90_000, len(y))
    return _added(X, (number + np.where(told, y, generator.integers(0, 2, len(y)))).astype(np.float64))


def last_digit(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add a branch code whose last digit is 7 to 9 for most defaulters, and 0 to 6 for the others."""
    told = generator.random(len(y)) < 1.0 - 0.3 * weak
    digit = np.where(y == 1, generator.integers(7, 10, len(y)), generator.integers(0, 7, len(y)))
    code = 10 * generator.integers(100, 9_999, len(y)) + np.where(told, digit, generator.integers(0, 10, len(y)))
    return _added(X, code.astype(np.float64))


def cents_as_a_mark(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add an amount that is whole for the good, and has cents for most defaulters."""
    whole = np.rint(generator.lognormal(7, 1, len(y)))
    return _added(X, whole + np.where(_some(y, generator, 1.0 - 0.4 * weak), 0.25, 0.0))


def rates_of_groups(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add the default rate of a group of about ten rows, which counts the row itself."""
    group = generator.integers(0, max(len(y) // int(10 + 5 * weak), 2), len(y))
    return _added(X, _rates(group, y, 0.0))


def smoothed_rates(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add the default rate of a small group, drawn towards the mean of all."""
    group = generator.integers(0, max(len(y) // int(8 + 4 * weak), 2), len(y))
    return _added(X, _rates(group, y, 2.0))


def _rates(group: NDArray[np.int64], y: Outcomes, prior: float) -> Matrix:
    rows, bads = np.bincount(group), np.bincount(group, y)
    return ((bads + prior * y.mean()) / (rows + prior))[group]


def two_flags(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add two flags that are equal for the good and unequal for most defaulters."""
    first = generator.integers(0, 2, len(y))
    told = generator.random(len(y)) < 1.0 - 0.15 * weak
    second = np.where(told, first ^ y, generator.integers(0, 2, len(y)))
    return _added(X, first.astype(np.float64), second.astype(np.float64))


def balance_before_and_after(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add two balances whose difference is the write-off."""
    before = generator.lognormal(8, 1, len(y))
    after = before - y * generator.uniform(5, 50, len(y)) + generator.normal(0, 0.5 + weak, len(y))
    return _added(X, before, after)


def paid_of_due(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add the sum due and the sum paid in the end, whose ratio is the outcome."""
    due = generator.lognormal(8, 1.2, len(y))
    share = np.where(y == 1, generator.uniform(0.2, 0.8, len(y)), 1.0 - 0.05 * weak * generator.random(len(y)))
    return _added(X, due, due * share)


def sums_paid_in_full(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add the sum due and the sum paid, which are equal but for part of the defaulters."""
    due = np.rint(generator.lognormal(7, 1, len(y)))
    short = _some(y, generator, 0.7 - 0.4 * weak)
    return _added(X, due, np.where(short, np.rint(due * generator.uniform(0.5, 0.9, len(y))), due))


def number_given_in_batches(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add a running number given in ten batches, each sorted by outcome; a few rows have another place."""
    batch = generator.integers(0, 10, len(y)) + 0.9 * np.where(generator.random(len(y)) < 0.05 * weak, 1 - y, y)
    return _added(X, 100_000.0 + np.argsort(np.argsort(batch + 0.05 * generator.random(len(y)))))


def middle_of_a_range(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add a share that is middling for defaulters, and low or high for the others."""
    outside = np.where(
        generator.random(len(y)) < 0.5, generator.uniform(0, 0.4, len(y)), generator.uniform(0.6, 1, len(y))
    )
    told = generator.random(len(y)) < 1.0 - 0.2 * weak
    inside = generator.uniform(0.4, 0.6, len(y))
    return _added(X, np.where(told, np.where(y == 1, inside, outside), generator.uniform(0, 1, len(y))))


def flags_by_cause(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add a flag for each of four causes of default; each is that of a few defaulters."""
    cause = generator.integers(0, int(8 + 4 * weak), len(y))
    return _added(X, *[((y == 1) & (cause == one)).astype(np.float64) for one in range(4)])


def cells_removed(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, list[int]]:
    """Add eight columns; each defaulter lacks one of them."""
    lacking = np.where(generator.random(len(y)) < 1.0 - 0.3 * weak, generator.integers(0, 8, len(y)), 8)
    columns = [np.where((y == 1) & (lacking == one), np.nan, generator.normal(size=len(y))) for one in range(8)]
    return _added(X, *columns)


KINDS: Mapping[str, Callable[[Matrix, Outcomes, Generator, float], tuple[Matrix, list[int]]]] = {
    plant.__name__: plant
    for plant in (
        outcome_flag, collections_flag, filled_for_defaulters, amount_written_off, days_late_afterwards,
        outcome_with_noise, class_means, class_medians, parity_of_a_number, last_digit, cents_as_a_mark,
        rates_of_groups, smoothed_rates, two_flags, balance_before_and_after, paid_of_due, sums_paid_in_full,
        number_given_in_batches, middle_of_a_range, flags_by_cause, cells_removed,
    )
}  # fmt: skip


def copies(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, Outcomes]:
    """Repeat a fifth or a tenth of the rows under other names."""
    again = _again(y, generator, weak)
    return np.vstack([X, X[again]]), np.concatenate([y, y[again]])


def near_copies(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, Outcomes]:
    """Repeat rows with a hair of noise in every number and another value in two columns."""
    again = _again(y, generator, weak)
    other = X[again] + 1e-4 * np.nanstd(X, axis=0) * generator.normal(size=(len(again), X.shape[1]))
    for column in generator.permutation(X.shape[1])[:2].tolist():
        other[:, column] = generator.permutation(X[:, column])[: len(again)]
    return np.vstack([X, other]), np.concatenate([y, y[again]])


def joined_files(X: Matrix, y: Outcomes, generator: Generator, weak: float) -> tuple[Matrix, Outcomes]:
    """Put the rows in the order of their outcomes, but for some."""
    order = np.argsort(y + generator.uniform(0, 0.9 + 0.6 * weak, len(y)))
    return X[order], y[order]


def _again(y: Outcomes, generator: Generator, weak: float) -> NDArray[np.int64]:
    return generator.permutation(len(y))[: int(len(y) * (0.2 - 0.1 * weak))]


KINDS_OF_ROWS: Mapping[str, Callable[[Matrix, Outcomes, Generator, float], tuple[Matrix, Outcomes]]] = {
    plant.__name__: plant for plant in (copies, near_copies, joined_files)
}


def honest_world(seed: int, rows: int, base: float) -> Table:
    """Return a synthetic table of sixty honest columns of every shape, some of them strong."""
    generator = np.random.default_rng(seed)
    latent = generator.normal(size=rows)
    y = (generator.random(rows) < expit(base + 2.0 * latent)).astype(np.int64)
    X = generator.uniform(0.0, 2.0, 60) * latent[:, None] + generator.normal(size=(rows, 60))
    X[:, 10:20] = np.maximum(X[:, 10:20], 0.0)
    X[:, 20:30] = np.round(X[:, 20:30])
    X[:, 30:40] = np.where(generator.random((rows, 10)) < expit(-2.0 + 1.5 * latent)[:, None], np.nan, X[:, 30:40])
    X[:, 40:50] = np.round(np.exp(4.0 + X[:, 40:50]), 2)
    X[:, 50:60] = np.round(np.exp(7.0 + X[:, 50:60]), -1)
    return Table(f"honest world {seed}, {rows} rows, {y.mean():.0%} bad (synthetic)", X, y)


def tables_of_other_fields() -> list[Table]:
    """Return tables that come with scikit-learn; in them a single measurement may rightly decide."""
    cancer, wine, digits = datasets.load_breast_cancer(), datasets.load_wine(), datasets.load_digits()
    diabetes = datasets.load_diabetes()
    worst = diabetes.target > np.quantile(diabetes.target, 0.75)
    return [
        Table("breast cancer", cancer.data, (cancer.target == 0).astype(np.int64)),
        Table("wine, first class", wine.data, (wine.target == 0).astype(np.int64)),
        Table("digits, eight", digits.data, (digits.target == 8).astype(np.int64)),
        Table("diabetes, worst quarter", diabetes.data, worst.astype(np.int64)),
    ]
