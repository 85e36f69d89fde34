from __future__ import annotations

import re

import lightgbm as lgb
import numpy as np
import pytest
import shap
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.components.byte_ranks import ranked_trees
from models.components.fast_trees import FastTrees
from models.components.gbm import LightGbmComponent
from models.components.leaf_tables import shapley_values
from models.components.oracle import threshold_rows
from models.components.tree_text import read_trees

END = "end of trees\n"
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -5e-324, 1e-36, -1e-36, 1.0000000180025095e-35, 1e300)


def booster(seed: int = 1, columns: int = 4, rows: int = 600, **parameters: object) -> LightGbmComponent:
    """Return a booster trained on rows with zeros and gaps."""
    generator = np.random.default_rng(seed)
    X = np.round(generator.normal(size=(rows, columns)), 2)
    X[generator.random(X.shape) < 0.2] = 0.0
    X[generator.random(X.shape) < 0.1] = np.nan
    logit = np.nan_to_num(X) @ generator.normal(size=columns) + np.isnan(X[:, 0])
    y = (generator.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.float64)
    given = {"objective": "binary", "verbosity": -1, "min_data_in_leaf": 3, "num_threads": 1, "seed": seed}
    given |= {"feature_pre_filter": False, "num_leaves": 8, **parameters}
    rounds = int(str(given.pop("rounds", 8)))
    text = lgb.train(given, lgb.Dataset(X, y, params={"feature_pre_filter": False}), rounds).model_to_string()
    return LightGbmComponent(text[: text.index(END)] + END, columns)


def hostile_rows(component: LightGbmComponent, seed: int) -> np.ndarray:
    """Return random rows, rows of special values, and rows on and beside every threshold."""
    generator = np.random.default_rng(seed)
    rows = generator.normal(size=(300, component.column_count))
    special = generator.choice(SPECIAL, size=(300, component.column_count))
    mixed = np.where(generator.random(rows.shape) < 0.5, special, rows)
    return np.vstack([rows, special, mixed, threshold_rows(component, mixed)])


def fast_of(component: LightGbmComponent) -> FastTrees:
    assert component.fast is not None
    return component.fast


def bits(values: np.ndarray) -> list[int]:
    return values.view(np.int64).tolist()


def assert_agrees_with_lightgbm(component: LightGbmComponent, rows: np.ndarray) -> None:
    fast = fast_of(component)
    assert bits(fast.margin(rows)) == bits(component.margin_by_lightgbm(rows))
    found = fast.contributions_of_few(rows)
    assert np.abs(found - component.contributions_by_lightgbm(rows)).max() < 1e-9
    assert bits(found.ravel()) == bits(fast.contributions_of_many(rows).ravel())


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    leaves=st.integers(2, 64),
    columns=st.integers(1, 14),
    use_missing=st.booleans(),
    monotone=st.booleans(),
)
def test_any_booster_has_lightgbm_s_margins_and_contributions(
    seed: int, leaves: int, columns: int, use_missing: bool, monotone: bool
) -> None:
    more = {"monotone_constraints": [1] * columns} if monotone else {}
    component = booster(seed, columns, num_leaves=leaves, use_missing=use_missing, **more)
    assume("inf" not in re.sub("feature_infos=.*", "", component.text))  # the reader of texts refuses such a threshold
    assert_agrees_with_lightgbm(component, hostile_rows(component, seed))


@pytest.mark.parametrize("leaves", [2, 31, 32, 33, 63, 64])
def test_trees_of_up_to_64_leaves_fit_in_a_mask(leaves: int) -> None:
    component = booster(num_leaves=leaves, rows=2000, min_data_in_leaf=1)
    assert max(len(tree.leaf_value) for tree in component.trees) == leaves
    assert_agrees_with_lightgbm(component, hostile_rows(component, leaves))


def test_leaves_with_more_than_ten_columns_are_computed_without_a_table() -> None:
    component = booster(columns=20, rows=3000, num_leaves=64, min_data_in_leaf=1, feature_fraction_bynode=0.1)
    assert 10 < np.diff(fast_of(component).leaves.player_start).max() <= 24
    assert_agrees_with_lightgbm(component, hostile_rows(component, 3))


def test_trees_without_a_split_add_their_only_value() -> None:
    component = booster(min_data_in_leaf=500)
    assert [len(tree.leaf_value) for tree in component.trees] == [1]
    rows = np.array([[0.0, 1.0, np.nan, -1.0]] * 3)
    assert_agrees_with_lightgbm(component, rows)
    assert fast_of(component).contributions(rows).tolist() == [[0.0] * 4] * 3


@pytest.mark.parametrize(
    "parameters", [{"num_leaves": 65, "rows": 2000, "min_data_in_leaf": 1}, {"zero_as_missing": True}]
)
def test_what_does_not_fit_is_left_to_lightgbm(parameters: dict[str, object]) -> None:
    component = booster(**parameters)  # type: ignore[arg-type]
    assert component.fast is None
    proven = LightGbmComponent(component.text, 4, proven=True)
    rows = hostile_rows(component, 1)
    assert bits(proven.margin(rows)) == bits(component.margin_by_lightgbm(rows))
    assert bits(proven.contributions(rows)[1].ravel()) == bits(component.contributions_by_lightgbm(rows).ravel())


def test_a_column_with_255_thresholds_does_not_fit_one_byte() -> None:
    component = booster(columns=1, rows=60_000, max_bin=600, rounds=60, num_leaves=31, min_data_in_leaf=1)
    thresholds = {edge for tree in component.trees for edge in tree.threshold}
    assert len(thresholds) > 254
    assert ranked_trees(component.trees) is None


def test_the_same_row_has_the_same_numbers_in_any_batch_and_on_any_thread() -> None:
    component = booster(num_leaves=16, rounds=20)
    rows, fast = hostile_rows(component, 5), fast_of(component)
    whole = fast.contributions_of_many(rows)
    for size in (1, 7, 255, 256, 257):
        some = [fast.contributions_of_many(rows[first : first + size]) for first in range(0, len(rows), size)]
        assert bits(np.vstack(some).ravel()) == bits(whole.ravel())
    assert bits(fast.contributions_of_many(rows, threads=3).ravel()) == bits(whole.ravel())
    assert bits(fast.margin(rows, threads=3)) == bits(fast.margin(rows))
    assert bits(fast.margin(np.asfortranarray(rows))) == bits(fast.margin(rows))


def test_contributions_are_those_of_shap_s_own_algorithm() -> None:
    component = booster(num_leaves=12, rounds=12, use_missing=False)
    rows = np.random.default_rng(2).normal(size=(200, 4))
    explainer = shap.TreeExplainer(component.booster)
    explainer.model.model_type = "internal"
    assert np.abs(fast_of(component).contributions(rows) - explainer.shap_values(rows)).max() < 1e-9


def test_the_values_of_one_leaf_are_the_average_over_all_orders() -> None:
    # Two columns that let 0.25 and 0.5 of the rows through; the leaf is worth 8. Column 1 is met, column 2 is not.
    share, met = np.array([0.25, 0.5]), np.array([True, False])
    # Expected value of the leaf: nothing known 1, only the first known 4, only the second 0, both 0.
    assert shapley_values(share, met, np.array(8.0)).tolist() == [((4 - 1) + (0 - 0)) / 2, ((0 - 1) + (0 - 4)) / 2]


def test_trees_are_read_with_their_rows() -> None:
    component = booster()
    tree = read_trees(component.text, 4)[0]
    assert tree.node_rows[0] == sum(tree.leaf_rows) == 600
    assert len(tree.decision) == len(tree.feature) == len(tree.leaf_rows) - 1
