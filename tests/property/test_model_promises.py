"""Promises of a model for every seller, not only for examples."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.components.scale import PointsScale, points_by_group
from models.explanation.reasons import batch_reasons, reason_dictionary, reasons_for_row
from tests.factories.models import small_credit_model, small_linear_model, small_world, table_models, world

if TYPE_CHECKING:
    from models.components.model import CreditModel

MODEL = small_credit_model()
MODELS = {"trees and scorecard": MODEL, "linear": small_linear_model()}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
SELLERS = world(n=400, seed=31).dataset.X
REQUIRED = [i for i, feature in enumerate(MODEL.features) if feature.treatment == "free"]
HIDEABLE = [i for i, feature in enumerate(MODEL.features) if feature.treatment in {"one_sided", "two_sided"}]

any_float = st.floats(allow_nan=True, allow_infinity=True)
any_rows = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(len(MODEL.features))), elements=any_float)


def scorable(rows: np.ndarray) -> np.ndarray:
    """Return the rows with a value in every feature that must be known."""
    rows = rows.copy()
    rows[:, REQUIRED] = np.where(np.isfinite(rows[:, REQUIRED]), rows[:, REQUIRED], 12.0)
    return rows


@every_model
@given(any_rows)
def test_contributions_add_up_to_the_log_odds_whatever_is_delivered(model: CreditModel, rows: np.ndarray) -> None:
    base, values, log_odds = model.contributions(scorable(rows))
    assert np.isfinite(log_odds).all()
    assert np.abs(base + values.sum(axis=1) - log_odds).max() < 1e-9


@given(any_rows)
def test_points_add_up_from_features_over_families_and_pillars_to_the_score(rows: np.ndarray) -> None:
    issued = MODEL.issue_points(MODEL.contributions(scorable(rows)))
    for groups in (
        [feature.name for feature in MODEL.features],
        [feature.family for feature in MODEL.features],
        [feature.pillar for feature in MODEL.features],
    ):
        total = sum(points_by_group(issued.points, groups).values())
        assert np.array_equal(issued.base_points + total, issued.score)
    assert np.array_equal(issued.score, MODEL.score(scorable(rows)))


TABLES = table_models()
LEVELS_AND_CODES = st.sampled_from([-1.0e6, -9.0, -1.0, 0.0, 1.0, 2.0, 3.0, 0.5, np.nan])
table_rows = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(6)), elements=any_float | LEVELS_AND_CODES)


@pytest.mark.parametrize("model", TABLES.values(), ids=TABLES)
@given(table_rows)
def test_a_model_that_keeps_gaps_scores_whatever_is_delivered_and_adds_up(model: CreditModel, rows: np.ndarray) -> None:
    base, values, log_odds = model.contributions(rows)
    assert np.isfinite(log_odds).all()
    assert np.abs(base + values.sum(axis=1) - log_odds).max() < 1e-9
    issued = model.issue_points(model.contributions(rows))
    assert np.array_equal(issued.base_points + issued.points.sum(axis=1), issued.score)
    alone = np.concatenate([model.log_odds(row[None, :]) for row in rows])
    assert np.array_equal(alone, log_odds)


@pytest.mark.parametrize("model", TABLES.values(), ids=TABLES)
@given(table_rows)
def test_hiding_a_directed_column_never_pays_beside_gaps_and_categories(model: CreditModel, rows: np.ndarray) -> None:
    directed = [feature.direction for feature in model.features].index(1)
    hidden = rows.copy()
    hidden[:, directed] = np.nan
    assert (model.log_odds(hidden) >= model.log_odds(rows)).all()


contributions = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.integers(1, 30)),
    elements=st.one_of(st.just(0.0), st.sampled_from([0.25, -0.25, 1e-12]), st.floats(-6.0, 6.0)),
)
scales = st.builds(
    PointsScale,
    base_score=st.floats(0.0, 1000.0),
    base_odds=st.floats(1.0, 100.0),
    points_to_double_odds=st.floats(5.0, 100.0),
)


@given(contributions, st.floats(-8.0, 2.0), scales)
@settings(max_examples=300, deadline=None)
def test_integers_add_up_for_any_contributions_on_any_scale(
    values: np.ndarray, base: float, scale: PointsScale
) -> None:
    log_odds = base + values.sum(axis=1)
    issued = scale.issue_points(base, values, log_odds)
    assert np.array_equal(issued.base_points + issued.points.sum(axis=1), issued.score)
    assert np.array_equal(issued.score, np.rint(scale.exact_score(log_odds)).astype(int))
    exact = -scale.factor * values
    assert np.abs(issued.points - exact).max() < 3.0
    silent = (values == 0.0) & (values != 0.0).any(axis=1, keepdims=True)
    assert not issued.points[silent].any()


@given(hnp.arrays(np.int32, st.tuples(st.integers(1, 5), st.integers(1, 12)), elements=st.integers(-60, 60)), st.data())
def test_named_reasons_and_all_others_add_up_for_any_points(points: np.ndarray, data: st.DataObject) -> None:
    count = points.shape[1]
    families = data.draw(st.lists(st.sampled_from("abcdef"), min_size=count, max_size=count))
    batch = batch_reasons(points, families)
    named = batch.positive_points.sum(axis=1) + batch.negative_points.sum(axis=1)
    assert np.array_equal(named + batch.all_others, points.sum(axis=1))
    assert (batch.positive_points >= 0).all()
    assert (batch.negative_points <= 0).all()
    assert ((batch.positive_feature >= 0) == (batch.positive_points > 0)).all()
    assert ((batch.negative_feature >= 0) == (batch.negative_points < 0)).all()


@every_model
def test_hiding_one_feature_or_two_never_helps_any_seller(model: CreditModel) -> None:
    reported = model.log_odds(SELLERS)
    gains, changed = 0, 0
    for hidden in [(i,) for i in HIDEABLE] + list(combinations(HIDEABLE, 2)):
        silent = SELLERS.copy()
        silent[:, hidden] = np.nan
        after = model.log_odds(silent)
        gains += int((after < reported).sum())
        changed += int((after > reported).sum())
    assert gains == 0
    assert changed > 5000
    assert (model.score(SELLERS) >= model.score(np.where(np.isin(range(10), HIDEABLE), np.nan, SELLERS))).all()


@every_model
@given(st.sets(st.sampled_from(HIDEABLE)), st.integers(0, len(SELLERS) - 1))
def test_hiding_any_set_of_features_never_helps(model: CreditModel, hidden: set[int], row: int) -> None:
    reported = SELLERS[row : row + 1]
    silent = reported.copy()
    silent[:, sorted(hidden)] = np.nan
    assert model.log_odds(silent)[0] >= model.log_odds(reported)[0]


@every_model
@given(st.sampled_from(HIDEABLE), st.integers(0, len(SELLERS) - 1), any_float)
def test_no_invented_value_is_worse_than_silence(model: CreditModel, column: int, row: int, value: float) -> None:
    invented, silent = SELLERS[row : row + 1].copy(), SELLERS[row : row + 1].copy()
    invented[:, column], silent[:, column] = value, np.nan
    assert model.log_odds(invented)[0] <= model.log_odds(silent)[0]


@every_model
@pytest.mark.parametrize("column", [i for i in HIDEABLE if MODEL.features[i].treatment == "one_sided"])
def test_risk_moves_only_in_the_declared_direction_over_every_sweep(model: CreditModel, column: int) -> None:
    feature = model.features[column]
    grid = np.linspace(feature.lower - 1.0, feature.upper + 1.0, 50)
    sweep = np.repeat(SELLERS, len(grid), axis=0)
    sweep[:, column] = np.tile(grid, len(SELLERS))
    risk = model.log_odds(sweep).reshape(len(SELLERS), len(grid))
    assert (np.diff(risk, axis=1) * feature.direction >= 0.0).all()
    score = model.score(sweep).reshape(len(SELLERS), len(grid))
    assert (np.diff(score, axis=1) * feature.direction <= 0).all()


@every_model
def test_risk_grows_with_the_distance_from_the_centre_of_a_two_sided_feature(model: CreditModel) -> None:
    column = model.feature_names.index("customs_payout_ratio")
    centre = model.features[column].centre
    for side in (-1.0, 1.0):
        sweep = np.repeat(SELLERS, 50, axis=0)
        sweep[:, column] = centre + side * np.tile(np.linspace(0.0, 6.0, 50), len(SELLERS))
        assert (np.diff(model.log_odds(sweep).reshape(len(SELLERS), 50), axis=1) >= 0.0).all()


@every_model
@given(st.permutations(range(40)), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_a_row_has_the_same_numbers_alone_in_any_batch_and_in_any_order(
    model: CreditModel, order: list[int], size: int
) -> None:
    rows = SELLERS[:40]
    whole = model.contributions(rows)
    shuffled = rows[order]
    for start in range(0, 40, size):
        chunk = shuffled[start : start + size]
        chosen = order[start : start + size]
        part = model.contributions(chunk)
        assert np.array_equal(part.log_odds, whole.log_odds[chosen])
        assert np.array_equal(part.values, whole.values[chosen])
        assert np.array_equal(model.probability(chunk), model.probability(rows)[chosen])


@every_model
def test_memory_layout_of_the_matrix_changes_no_bit(model: CreditModel) -> None:
    assert np.array_equal(model.log_odds(np.asfortranarray(SELLERS)), model.log_odds(SELLERS))
    assert np.array_equal(model.log_odds(SELLERS[::2]), model.log_odds(SELLERS)[::2])


def test_worded_reasons_add_up_for_every_seller() -> None:
    dictionary = reason_dictionary(MODEL.features)
    rows = small_world().dataset.X[:300]
    issued = MODEL.issue_points(MODEL.contributions(rows))
    for row in range(300):
        told = reasons_for_row(issued.points[row], rows[row], MODEL, dictionary)
        named = sum(reason.points for reason in (*told.positive, *told.negative))
        assert issued.base_points + named + told.all_others == issued.score[row]
