from __future__ import annotations

import numpy as np
import pytest

import models.components.fast_trees
import models.components.gbm
import models.components.oracle
from models.components.fast_trees import FEWEST_ROWS_OF_MARGINS, FastTrees
from models.components.gbm import LightGbmComponent
from models.components.oracle import (
    Sample,
    by_lightgbm,
    evenly,
    model_objection,
    objection,
    threshold_rows,
    uses_own_way,
    with_proven_trees,
)
from tests.factories.models import small_world, train_small_model

WORLD = small_world()
X = WORLD.dataset.X
MODEL = train_small_model(WORLD.dataset, blend=False)
PROVEN = with_proven_trees(MODEL, X)
BOOSTER = PROVEN.components[0]
assert isinstance(BOOSTER, LightGbmComponent)


def test_a_booster_that_agrees_with_lightgbm_is_proven() -> None:
    assert not uses_own_way(MODEL)
    assert uses_own_way(PROVEN)
    assert not uses_own_way(by_lightgbm(PROVEN))
    assert by_lightgbm(PROVEN) == MODEL
    assert model_objection(PROVEN, X, Sample(200, 50)) is None


def test_a_proven_model_gives_the_same_points_as_lightgbm() -> None:
    ours, theirs = (model.issue_points(model.contributions(X)) for model in (PROVEN, MODEL))
    assert ours.base_points == theirs.base_points
    assert np.array_equal(ours.points, theirs.points)
    assert np.array_equal(PROVEN.log_odds(X), MODEL.log_odds(X))


def test_the_rows_of_thresholds_lie_on_them_and_one_step_to_each_side() -> None:
    column, edge = BOOSTER.trees[0].feature[0], BOOSTER.trees[0].threshold[0]
    values = threshold_rows(BOOSTER, PROVEN.encode(X[:5]))[:, column]
    assert {edge, np.nextafter(edge, -np.inf), np.nextafter(edge, np.inf), np.inf, -np.inf, 0.0} <= set(values.tolist())
    assert np.isnan(values).any()


@pytest.mark.parametrize(
    ("name", "wrong", "expected"),
    [
        (
            "margin",
            lambda self, rows: np.nextafter(MARGIN(self, rows), np.inf),
            "margins differ from",
        ),
        (
            "contributions_of_few",
            lambda self, rows: RIGHT(self, rows) + 1e-8,
            "contributions differ from LightGBM's by",
        ),
        (
            "contributions_of_few",
            lambda self, rows: RIGHT(self, rows) * np.nan,
            "contributions differ from LightGBM's by",
        ),
        (
            "contributions_of_many",
            lambda self, rows: RIGHT(self, rows) + 1e-15,
            "of many rows differ from those of few",
        ),
    ],
)
def test_the_smallest_difference_is_an_objection(
    name: str, wrong: object, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FastTrees, name, wrong)
    assert expected in str(model_objection(PROVEN, X, Sample(200, 50)))
    found = with_proven_trees(MODEL, X)
    assert not uses_own_way(found)
    assert np.array_equal(found.contributions(X).values, MODEL.contributions(X).values)


def test_a_small_sample_loads_no_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FastTrees, "margin", None)
    monkeypatch.setattr(FastTrees, "contributions_of_many", None)
    assert model_objection(PROVEN, X, Sample(200, 50, compiled=False)) is None
    monkeypatch.setattr(FastTrees, "contributions_of_few", lambda self, rows: RIGHT(self, rows) + 1e-8)
    assert model_objection(PROVEN, X, Sample(200, 50, compiled=False)) is not None


def test_where_nothing_can_be_compiled_the_numbers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = PROVEN.encode(np.tile(X, (9, 1)))
    assert len(rows) >= FEWEST_ROWS_OF_MARGINS
    margins, (_, values) = BOOSTER.margin(rows), BOOSTER.contributions(rows)
    for module in (models.components.fast_trees, models.components.gbm, models.components.oracle):
        monkeypatch.setattr(module, "compiled_code", lambda: None)
    assert np.array_equal(BOOSTER.margin(rows), margins)
    assert np.array_equal(BOOSTER.contributions(rows)[1], values)
    assert uses_own_way(with_proven_trees(MODEL, X))


def test_without_rows_there_is_nothing_to_compare() -> None:
    assert objection(BOOSTER, np.empty((0, BOOSTER.column_count)), Sample(5, 5)) is None


def test_an_even_selection_has_both_ends() -> None:
    rows = np.arange(10.0)[:, None]
    assert evenly(rows, 4)[:, 0].tolist() == [0.0, 3.0, 6.0, 9.0]
    assert evenly(rows, 10) is rows


MARGIN = FastTrees.margin
RIGHT = FastTrees.contributions_of_few
