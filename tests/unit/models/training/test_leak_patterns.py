"""Leaks by the way a column was made, or by two columns together, are found; honest columns as strong are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import expit

from data_contracts.errors import GateFailed
from models.settings import LeakSettings
from models.training.dataset import Dataset
from models.training.leaks.check import LeakFinding, find_leaks, refuse_leaks
from tests.factories.models import fact

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 2000
SETTINGS = LeakSettings()


def data_set(columns: np.ndarray, y: np.ndarray, copies: int = 1) -> Dataset:
    """Return a data set of columns, each row once for each of a seller's dates."""
    sellers = np.tile(np.arange(len(y)), copies).astype(np.str_)
    facts = tuple(fact(f"column_{at}", 0) for at in range(columns.shape[1]))
    days = np.full(len(sellers), np.datetime64("2020-02-29"))
    return Dataset(np.tile(columns, (copies, 1)), np.tile(y, copies), sellers, days, sellers, facts)


def honest(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return twelve honest columns: continuous, counts, amounts with cents, round amounts, with gaps."""
    generator = np.random.default_rng(seed)
    latent = generator.normal(size=ROWS)
    y = (generator.random(ROWS) < expit(-1.5 + latent)).astype(np.int8)
    X = generator.uniform(0.0, 1.0, 12) * latent[:, None] + generator.normal(size=(ROWS, 12))
    X[:, 3:6] = np.round(3 * X[:, 3:6])
    X[:, 6:8] = np.round(np.exp(5 + X[:, 6:8]), 2)
    X[:, 8:10] = np.round(np.exp(7 + X[:, 8:10]), -1)
    X[:, 10:] = np.where(generator.random((ROWS, 2)) < 0.1, np.nan, X[:, 10:])
    return X, y


def filled_by_class(X: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    empty = generator.random(ROWS) < 0.08
    means = [X[(y == kind) & ~empty, 0].mean() for kind in (0, 1)]
    return np.where(empty, np.where(y == 1, means[1], means[0]), X[:, 0])


def rates_of_groups(_: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    group = generator.integers(0, 250, ROWS)
    return (np.bincount(group, y) / np.maximum(np.bincount(group), 1))[group]


def parity(_: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    told = generator.random(ROWS) < 0.8
    return 2.0 * generator.integers(1000, 9000, ROWS) + np.where(told, y, generator.integers(0, 2, ROWS))


def cents(_: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    marked = (y == 1) & (generator.random(ROWS) < 0.7)
    return np.round(np.exp(generator.normal(7, 1, ROWS))) + 0.25 * marked


def named(X: np.ndarray, y: np.ndarray) -> dict[str, LeakFinding]:
    return {finding.feature: finding for finding in find_leaks(data_set(X, y), SETTINGS)}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("plant", "rule"),
    [
        (filled_by_class, "opposite spikes"),
        (rates_of_groups, "rates of the own label"),
        (parity, "marked digits"),
        (cents, "marked digits"),
    ],
)
def test_a_column_that_was_made_with_the_outcome_is_refused_and_no_other(
    plant: Callable[..., np.ndarray], rule: str, seed: int
) -> None:
    X, y = honest(seed)
    column = plant(X, y, np.random.default_rng(1000 + seed))
    found = named(np.column_stack([X[:, 1:], column]), y)
    assert {name: (one.rule, one.is_leak) for name, one in found.items()} == {"column_11": (rule, True)}


def test_two_columns_that_give_the_outcome_together_are_both_named_with_each_other() -> None:
    X, y = honest(5)
    generator = np.random.default_rng(50)
    first = generator.integers(0, 2, ROWS)
    second = np.where(generator.random(ROWS) < 0.9, first ^ y, first)
    before = generator.lognormal(8, 1, ROWS)
    after = before - y * generator.uniform(5, 50, ROWS)
    found = named(np.column_stack([X, first, second, before, after]), y)
    assert set(found) == {"column_12", "column_13", "column_14", "column_15"}
    assert found["column_12"].rule in {"interaction", "equality", "size of the difference"}
    assert found["column_12"].evidence.endswith("with column_13")
    assert found["column_15"].evidence.endswith("with column_14")
    assert all(one.is_leak for one in found.values())


def test_an_honest_interaction_is_at_most_worth_a_look() -> None:
    X, _ = honest(6)
    generator = np.random.default_rng(60)
    y = (generator.random(ROWS) < expit(-1.5 + 1.5 * X[:, 0] * X[:, 1])).astype(np.int8)
    found = named(X, y)
    assert not any(one.is_leak for one in found.values())


def test_a_column_far_above_all_others_is_worth_a_look_and_stops_nothing() -> None:
    X, y = honest(7)
    column = y + np.random.default_rng(70).normal(0, 0.6, ROWS)
    data = data_set(np.column_stack([X, column]), y)
    (doubt,) = refuse_leaks(data, SETTINGS)
    assert (doubt.feature, doubt.rule, doubt.is_leak) == ("column_12", "far above the rest", False)


@pytest.mark.parametrize("seed", range(12))
def test_honest_columns_are_not_named(seed: int) -> None:
    X, y = honest(100 + seed)
    assert find_leaks(data_set(X, y), SETTINGS) == ()


def test_copies_of_the_rows_of_a_seller_are_no_further_evidence() -> None:
    generator = np.random.default_rng(3)
    y = (generator.random(150) < 0.3).astype(np.int8)
    X = np.round(np.exp(generator.normal(size=(150, 6))), 2)
    assert find_leaks(data_set(X, y, copies=12), SETTINGS) == ()


def test_a_leak_is_refused_with_both_values_of_its_classes() -> None:
    X, y = honest(8)
    X[:, 0] = filled_by_class(X, y, np.random.default_rng(80))
    with pytest.raises(GateFailed, match=r"column_0 \(opposite spikes: value .* all of them defaulters, and value"):
        refuse_leaks(data_set(X, y), SETTINGS)
