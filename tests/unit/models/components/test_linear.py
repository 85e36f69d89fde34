from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.optimize import minimize
from scipy.stats import norm, rankdata

from models.components.linear import (
    LinearColumn,
    LinearComponent,
    LinearTable,
    NormalScale,
    fit_linear,
    normal_scales,
    risk_design,
)
from models.components.scorecard import fit_weights

GENERATOR = np.random.default_rng(23)
N = 2500
X = GENERATOR.normal(size=(N, 5))
X[:, 1] = np.exp(2.0 * X[:, 1])
X[:, 2] = np.where(GENERATOR.random(N) < 0.15, -9.0, X[:, 2])
X[:, 4] = np.maximum(X[:, 4], 0.0)
RISK = 0.8 * X[:, 0] + 0.4 * np.log(X[:, 1]) - 0.5 * np.clip(X[:, 2], -2.0, 2.0) - 0.6 * X[:, 3]
Y = (GENERATOR.random(N) < 1 / (1 + np.exp(2.0 - RISK))).astype(np.int8)
DIRECTIONS = (1, 1, -1, 0, 1)
SCALES = normal_scales(X, DIRECTIONS)
FITTED = fit_linear(X, Y, DIRECTIONS, penalty=4.0)
COEFFICIENTS = [column.coefficient for column in FITTED.table.columns]


def auc(values: np.ndarray, y: np.ndarray) -> float:
    bads = int(y.sum())
    return float(rankdata(values)[y == 1].sum() - bads * (bads + 1) / 2) / (bads * (len(y) - bads))


@pytest.mark.parametrize("penalty", [0.5, 8.0, 200.0])
def test_coefficients_reach_the_optimum_a_general_optimiser_finds(penalty: float) -> None:
    scores = np.column_stack([scale.transform(X[:, i]) for i, scale in enumerate(SCALES)])

    def loss(parameters: np.ndarray) -> float:
        z = parameters[0] + scores @ parameters[1:]
        return float(np.sum(np.logaddexp(0, z) - Y * z) + 0.5 * penalty * np.sum(parameters[1:] ** 2))

    bounds = [(None, None), (0, None), (0, None), (None, 0), (None, None), (0, None)]
    reference = minimize(loss, np.zeros(6), bounds=bounds, options={"maxiter": 2000, "ftol": 1e-14})
    table = fit_linear(X, Y, DIRECTIONS, penalty).table
    found = np.array([table.intercept, *(column.coefficient for column in table.columns)])
    assert loss(found) <= reference.fun + 1e-6
    assert all(low <= value for (low, _), value in zip(bounds, found, strict=True) if low is not None)


def test_a_coefficient_has_the_sign_of_its_direction_and_a_free_one_either_sign() -> None:
    assert COEFFICIENTS[0] > 0.3
    assert COEFFICIENTS[1] > 0.3
    assert COEFFICIENTS[2] < -0.2
    assert COEFFICIENTS[3] < -0.3
    assert COEFFICIENTS[3] == round(COEFFICIENTS[3], 9) != round(COEFFICIENTS[3], 8)
    assert fit_linear(-X, Y, (0, 0, 0, 0, 0), 4.0).table.columns[3].coefficient > 0.3


def test_a_column_that_works_against_its_direction_does_nothing() -> None:
    turned = fit_linear(X, Y, (-1, 1, -1, 0, 1), penalty=4.0)
    assert turned.table.columns[0].coefficient == 0.0
    assert not np.signbit(turned.table.columns[0].coefficient)
    assert not turned.contributions(X)[1][:, 0].any()
    as_it_is = LinearTable(intercept=0.5, columns=(LinearColumn(scale=SCALES[0], coefficient=1.0),))
    assert LinearComponent(as_it_is).contributions(X[:, :1])[1][:, 0].tolist() == SCALES[0].transform(X[:, 0]).tolist()


def test_other_starting_values_lead_to_the_same_coefficients() -> None:
    design = risk_design(SCALES, X, DIRECTIONS)
    cold, warm = fit_weights(design, Y, 4.0), fit_weights(design, Y, 4.0, fit_weights(design, Y, 400.0))
    assert np.abs(cold[1] - warm[1]).max() < 1e-6
    assert abs(cold[0] - warm[0]) < 1e-6


def test_margin_is_base_plus_contributions_and_their_mean_is_nothing() -> None:
    base, values = FITTED.contributions(X)
    assert np.abs(base + values.sum(axis=1) - FITTED.margin(X)).max() < 1e-12
    assert np.abs(values.mean(axis=0)).max() < 1e-8


def test_scores_are_the_normal_scores_of_ranks() -> None:
    expected = norm.ppf((rankdata(X[:, 1]) - 0.5) / N)
    middle = np.abs(expected) < 1.5
    assert np.abs(SCALES[1].transform(X[:, 1]) - expected)[middle].max() < 0.15
    for scale, column in zip(SCALES, X.T, strict=True):
        assert scale.transform(column).mean() == pytest.approx(0.0, abs=1e-8)
        assert scale.transform(column).std() == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("direction", [-1, 0, 1])
def test_the_scale_of_a_short_column_is_known_exactly(direction: int) -> None:
    column = np.array([3.0, 0.0, 1.0, 8.0, 0.0, 5.0, 4.0, 7.0, 6.0, 2.0])
    scores = norm.ppf((rankdata(column) - 0.5) / 10)
    scores = (scores - scores.mean()) / scores.std()
    expected = dict(zip(column.tolist(), scores.tolist(), strict=True))
    spread = 0.05 * (expected[8.0] - expected[0.0])
    if direction == 1:
        expected[8.4] = expected[8.0] + spread
    if direction == -1:
        expected[-0.4] = expected[0.0] - spread
    (scale,) = normal_scales(column[:, None], (direction,))
    assert scale.knots == pytest.approx(sorted(expected))
    assert scale.scores == pytest.approx([expected[knot] for knot in sorted(expected)], abs=1e-9)


def test_a_scale_has_nine_decimals_and_no_columns_make_an_empty_design() -> None:
    (scale,) = normal_scales(np.arange(7.0)[:, None], (1,))
    assert any(score != round(score, 8) for score in scale.scores)
    assert all(score == round(score, 9) for score in scale.scores)
    assert risk_design((), np.empty((3, 0)), ()).shape == (3, 0)


def test_a_table_without_finite_numbers_is_refused() -> None:
    scale = NormalScale(knots=(0.0,), scores=(0.0,))
    for wrong in (
        lambda: NormalScale(knots=(0.0, np.nan, 1.0), scores=(0.0, 0.5, 1.0)),
        lambda: NormalScale(knots=(0.0, 1.0), scores=(-1.7e308, 1.7e308)),
        lambda: LinearColumn(scale=scale, coefficient=np.inf),
        lambda: LinearTable(intercept=np.nan, columns=()),
    ):
        with pytest.raises(ValidationError):
            wrong()


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("knots", [(1e16, 1e16 + 2.0), (0.0, 1.75e308)], ids=["too near", "too far"])
def test_no_step_is_added_beyond_an_end_that_leaves_no_room(knots: tuple[float, float]) -> None:
    assert normal_scales(np.array(knots)[:, None], (1,))[0].knots == knots


def test_the_scale_of_a_constant_column_is_zero() -> None:
    assert normal_scales(np.full((3, 1), 3.0), (1,)) == (NormalScale(knots=(3.0,), scores=(0.0,)),)


def test_a_long_column_has_seventeen_quantiles_and_the_values_next_to_its_ends_as_knots() -> None:
    (scale,) = normal_scales(np.arange(1601.0)[:, None], (0,))
    assert scale.knots == (0.0, 1.0, *np.arange(100.0, 1600.0, 100.0).tolist(), 1599.0, 1600.0)


def test_one_extreme_value_moves_no_other_row() -> None:
    with_giant = X.copy()
    with_giant[np.argmax(X[:, 1]), 1] = 1e12
    typical = np.sort(X[:, 1])[: N - 250]
    moved = normal_scales(with_giant, DIRECTIONS)[1].transform(typical) - SCALES[1].transform(typical)
    assert np.abs(moved).max() < 0.15


def test_missing_values_known_from_training_score_below_the_worst_reported_one() -> None:
    missing, worst, typical = SCALES[2].transform(np.array([-9.0, X[X[:, 2] > -9.0, 2].min(), 0.0]))
    assert missing < worst < typical
    assert worst - missing < 1.5


def test_a_value_first_missing_after_training_lies_a_step_beyond_the_worst() -> None:
    for position, direction, end in ((0, 1, X[:, 0].max()), (2, -1, X[:, 2].min())):
        worst, missing, absurd = SCALES[position].transform(end + direction * np.array([0.0, 0.05 * 12.0, 1e6]))
        assert direction * (missing - worst) > 0.1
        assert missing == absurd


def test_a_single_column_ranks_sellers_as_the_raw_value_does() -> None:
    for position in (0, 1):
        alone = fit_linear(X[:, [position]], Y, (1,), penalty=64.0)
        assert auc(alone.margin(X[:, [position]]), Y) == auc(X[:, position], Y)


def test_a_column_with_one_value_contributes_nothing() -> None:
    constant = np.column_stack([X[:, 0], np.full(N, 3.0)])
    fitted = fit_linear(constant, Y, (1, 1), penalty=4.0)
    assert fitted.table.columns[1].coefficient == 0.0
    assert np.isfinite(fitted.margin(np.array([[0.0, 1e9]]))).all()


def test_a_table_read_back_from_json_has_the_same_bits() -> None:
    again = LinearComponent(LinearTable.model_validate_json(FITTED.table.model_dump_json()))
    assert again == FITTED
    assert np.array_equal(again.margin(X), FITTED.margin(X))


def test_the_same_rows_make_the_same_table() -> None:
    assert fit_linear(X, Y, DIRECTIONS, penalty=4.0) == FITTED


def test_a_row_has_the_same_bits_in_any_batch() -> None:
    base, values = FITTED.contributions(X)
    for size in (1, 3, 700):
        parts = [FITTED.contributions(X[start : start + size]) for start in range(0, 1400, size)]
        assert np.array_equal(np.vstack([part for _, part in parts]), values[: len(parts) * size])
        margins = [FITTED.margin(X[start : start + size]) for start in range(0, 1400, size)]
        assert np.array_equal(np.concatenate(margins), FITTED.margin(X)[: len(parts) * size])
    assert FITTED.contributions(X[:0])[1].shape == (0, 5)
    assert FITTED.contributions(X[:1])[0] == base


rising = st.lists(st.floats(-1e15, 1e15), min_size=2, max_size=8, unique=True).map(sorted)


@given(rising, st.data())
def test_scores_never_fall_to_the_last_bit_for_any_scale(knots: list[float], data: st.DataObject) -> None:
    scores = sorted(data.draw(st.lists(st.floats(-9.0, 9.0), min_size=len(knots), max_size=len(knots))))
    scale = NormalScale(knots=tuple(knots), scores=tuple(scores))
    inner = data.draw(st.lists(st.floats(-1e15, 1e15), max_size=20))
    near = [np.nextafter(knot, side) for knot in knots for side in (-np.inf, np.inf)]
    values = np.sort(np.array([*knots, *near, *inner]))
    found = scale.transform(values)
    assert (np.diff(found) >= 0.0).all()
    assert np.allclose(scale.transform(np.array(knots)), scores, rtol=0.0, atol=1e-14)


@pytest.mark.parametrize(
    ("knots", "scores"),
    [
        ((), ()),
        ((0.0, 1.0), (0.0,)),
        ((0.0, 0.0), (0.0, 1.0)),
        ((1.0, 0.0), (0.0, 1.0)),
        ((0.0, 1.0), (1.0, 0.0)),
        ((0.0, float("nan")), (0.0, 1.0)),
        ((0.0, float("inf")), (0.0, 1.0)),
        ((-1.7e308, 1.7e308), (0.0, 1.0)),
    ],
)
def test_a_disorderly_scale_is_refused(knots: tuple[float, ...], scores: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        NormalScale(knots=knots, scores=scores)


def test_a_matrix_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="5 columns"):
        FITTED.margin(X[:, :3])
