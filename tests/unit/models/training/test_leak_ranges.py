"""Blocks of defaulters, ranges that tell the outcome, and columns that stand out are found; honest columns are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.settings import LeakSettings
from models.training.leaks.check import MISSING_CELLS, LeakFinding, find_leaks
from models.training.leaks.ranges import auc_by_narrow_ranges
from models.training.leaks.sample import LeakSample
from tests.unit.models.training.test_leak_patterns import ROWS, data_set, honest

SETTINGS = LeakSettings()


def found(X: np.ndarray, y: np.ndarray) -> dict[str, LeakFinding]:
    return {finding.feature: finding for finding in find_leaks(data_set(X, y), SETTINGS)}


def planted(name: str, y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    outside = np.where(generator.random(ROWS) < 0.5, generator.uniform(0, 0.4, ROWS), generator.uniform(0.6, 1, ROWS))
    cause = generator.integers(0, 10, ROWS)
    amounts = np.round(generator.lognormal(3, 1, ROWS))
    batches = generator.integers(0, 10, ROWS) + 0.9 * y + 0.05 * generator.random(ROWS)
    return {
        "a rare flag": ((y == 1) & (cause == 0)).astype(float),
        "a special code in an amount": np.where((y == 1) & (cause == 0), 9999.0, amounts),
        "gaps of a few defaulters": np.where((y == 1) & (cause == 0), np.nan, amounts),
        "a running number given in sorted batches": np.argsort(np.argsort(batches)).astype(float),
        "the middle of a range": np.where(y == 1, generator.uniform(0.4, 0.6, ROWS), outside),
    }[name]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("a rare flag", "value of defaulters"),
        ("a special code in an amount", "value of defaulters"),
        ("gaps of a few defaulters", "value of defaulters"),
        ("a running number given in sorted batches", "block of defaulters"),
        ("the middle of a range", "block of defaulters"),
    ],
)
def test_values_that_defaulters_alone_have_are_refused_beside_values_of_both(name: str, rule: str) -> None:
    X, y = honest(31)
    named = found(np.column_stack([X, planted(name, y, np.random.default_rng(310))]), y)
    assert {feature: (one.rule, one.is_leak) for feature, one in named.items()} == {"column_12": (rule, True)}


def test_ranges_that_tell_the_outcome_with_exceptions_everywhere_are_refused() -> None:
    X, y = honest(32)
    generator = np.random.default_rng(320)
    told = np.where((y == 0) & (generator.random(ROWS) < 0.06), 1, y)
    column = 2.0 * generator.integers(0, 10, ROWS) + told + generator.random(ROWS)
    named = {
        one.feature: one for one in find_leaks(data_set(np.column_stack([X, column]), y), LeakSettings(auc_limit=0.8))
    }
    assert [(one.feature, one.rule, one.is_leak) for one in named.values()] == [
        ("column_12", "near-perfect ranges", True)
    ]


def test_gaps_that_only_together_tell_the_outcome_are_named_as_their_number() -> None:
    generator = np.random.default_rng(33)
    y = (generator.random(ROWS) < 0.2).astype(np.int8)
    X = generator.normal(size=(ROWS, 30))
    gaps = generator.random((ROWS, 30)) < 0.1
    many = np.argsort(generator.random((ROWS, 30)), axis=1) < 12
    X[np.where(y[:, None] == 1, many, gaps)] = np.nan
    assert found(X, y)[MISSING_CELLS].is_leak


def test_codes_in_no_order_that_tell_a_little_are_worth_a_look() -> None:
    generator = np.random.default_rng(34)
    risk = generator.permutation(np.linspace(0.02, 0.6, 40))
    branch = generator.integers(0, 40, 5 * ROWS)
    y = (generator.random(5 * ROWS) < risk[branch]).astype(np.int8)
    (finding,) = find_leaks(data_set(branch[:, None].astype(float), y), SETTINGS)
    assert (finding.rule, finding.is_leak) == ("uneven values", False)


def test_a_flag_that_nearly_only_defaulters_have_is_worth_a_look() -> None:
    X, y = honest(35)
    generator = np.random.default_rng(350)
    flag = np.where(y == 1, generator.random(ROWS) < 0.5, generator.random(ROWS) < 0.01).astype(float)
    named = found(np.column_stack([X, flag]), y)
    assert named["column_12"][1:] == ("nearly pure value", named["column_12"].evidence, False)
    assert named["column_12"].evidence.startswith("value 1 for ")


def test_strong_columns_of_a_table_where_many_are_strong_are_no_leaks() -> None:
    """As in tables of medicine, where several measurements show the same illness."""
    generator = np.random.default_rng(36)
    y = (generator.random(600) < 0.4).astype(np.int8)
    X = 2.8 * y[:, None] + generator.normal(size=(600, 8))
    together = find_leaks(data_set(X, y), SETTINGS)
    assert together
    assert not any(one.is_leak for one in together)
    (alone,) = find_leaks(data_set(X[:, :1], y), SETTINGS)
    assert alone.is_leak


@pytest.mark.parametrize("columns", [2, 3])
def test_columns_far_above_the_others_are_all_worth_a_look(columns: int) -> None:
    X, y = honest(37)
    noise = np.random.default_rng(370).normal(0, 0.65, (ROWS, columns))
    named = found(np.column_stack([X, y[:, None] + noise]), y)
    assert set(named) == {f"column_{12 + at}" for at in range(columns)}
    assert {one.rule for one in named.values()} == {"far above the rest"}


def test_a_column_without_any_value_says_nothing() -> None:
    X, y = honest(39)
    assert found(np.column_stack([X, np.full(ROWS, np.nan)]), y) == {}


def test_a_column_known_of_one_defaulter_neither_stands_out_nor_hides_one_that_does() -> None:
    """One seller with many dates is one story, however well his rows rank."""
    generator = np.random.default_rng(38)
    seller = np.repeat([f"S{number:04d}" for number in range(ROWS // 5)], 5)
    is_defaulter = generator.random(ROWS // 5) < 0.2
    y = np.repeat(is_defaulter, 5).astype(np.int8)
    X = np.repeat(generator.normal(size=(ROWS // 5, 12)), 5, axis=0)
    few = np.full(ROWS, np.nan)
    known = [int(np.flatnonzero(is_defaulter)[0]), *np.flatnonzero(~is_defaulter)[:20].tolist()]
    for place, number in enumerate(known):
        few[number * 5 : number * 5 + 5] = 9.0 if place == 0 else generator.normal()
    strong = np.repeat(is_defaulter + generator.normal(0, 0.55, ROWS // 5), 5)
    honest_only = replace(data_set(np.column_stack([X, few]), y), seller_id=seller, component_id=seller)
    assert find_leaks(honest_only, SETTINGS) == ()
    both = replace(data_set(np.column_stack([X, few, strong]), y), seller_id=seller, component_id=seller)
    assert {(one.feature, one.rule) for one in find_leaks(both, SETTINGS)} == {("column_13", "far above the rest")}


@pytest.mark.parametrize("sellers_of_a_group", [1, 4])
def test_what_the_sellers_of_a_group_share_is_not_learned_on_some_of_them_and_judged_on_the_others(
    sellers_of_a_group: int,
) -> None:
    """Each group has values and an outcome of its own, which tell nothing about the other groups."""
    generator = np.random.default_rng(39)
    groups, days = 150, 20 // sellers_of_a_group
    sellers = groups * sellers_of_a_group
    y = np.repeat(generator.random(groups) < 0.3, 20).astype(np.int8)
    X = np.repeat(generator.normal(size=(groups, 3)), 20, axis=0) + generator.normal(0, 1e-4, (len(y), 3))
    data = replace(
        data_set(X, y),
        seller_id=np.repeat([f"S{number:04d}" for number in range(sellers)], days),
        component_id=np.repeat([f"G{number:04d}" for number in range(groups)], 20),
    )
    sample = LeakSample.of(data)
    assert not np.intersect1d(data.component_id[sample.is_learned], data.component_id[~sample.is_learned]).size
    assert [float(auc_by_narrow_ranges(column, sample)) for column in X.T] == pytest.approx([0.5] * 3, abs=0.2)
    assert find_leaks(data, SETTINGS) == ()


def test_a_group_of_most_sellers_leaves_the_other_half_to_all_others() -> None:
    X, y = honest(40)
    groups = np.array([f"G{max(number - ROWS // 2, 0):04d}" for number in range(ROWS)])
    sample = LeakSample.of(replace(data_set(X, y), component_id=groups))
    assert abs(int(sample.is_learned.sum()) - ROWS // 2) <= 1
