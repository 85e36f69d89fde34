"""Columns without a direction that keep their gaps, categories and special codes, in each kind of component."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from data_contracts.errors import ConfigurationRefused
from models.components.binning import BinningSettings, bin_columns
from models.components.encoding import EncodingSettings, encode_matrix, encoded_columns, fit_encoding, why_set_aside
from models.components.linear import LinearColumn, LinearComponent, LinearTable, NormalScale, fit_linear
from models.components.model import CreditModel
from models.components.scorecard import ScorecardColumn, ScorecardComponent, ScorecardTable
from tests.factories.models import fact, table_models, table_world

NAN = np.nan
KEEP = EncodingSettings(free_features="keep_gaps")
DATASET = table_world().dataset
INCOME, DEBT, PURPOSE, MONTHS, EMPTY, CONSTANT = range(6)
every_kind = pytest.mark.parametrize("model", table_models().values(), ids=table_models())


def test_undirected_columns_keep_their_gaps_and_special_codes_have_columns_of_their_own() -> None:
    features = fit_encoding(DATASET.X, DATASET.facts, KEEP, DATASET.y)
    treatments = ["gaps_kept", "one_sided", "category", "gaps_kept", "set_aside", "set_aside"]
    assert [feature.treatment for feature in features] == treatments
    assert encoded_columns(features) == (
        ("income", 0),
        ("debt", 1),
        ("purpose", 0),
        ("months_since_arrears", 0),
        ("months_since_arrears__is_-9", 0),
    )
    encoded = encode_matrix(features, DATASET.X)
    assert np.isnan(encoded[:, 0]).tolist() == np.isnan(DATASET.X[:, INCOME]).tolist()
    never = DATASET.X[:, MONTHS] == -9.0
    assert (encoded[:, 4] == never).all()
    assert set(encoded[never, 3]) == {np.median(DATASET.X[~never, MONTHS])}


def test_a_gap_never_seen_in_training_counts_as_the_median() -> None:
    (feature,) = fit_encoding(np.array([[1.0], [4.0], [9.0]]), (fact("a", 0),), KEEP)
    assert encode_matrix((feature,), np.array([[NAN], [20.0]])).tolist() == [[4.0], [9.0]]


def test_a_missing_level_never_seen_in_training_counts_as_a_rare_level() -> None:
    levels = fact("a", 0).model_copy(update={"levels": ("x", "y")})
    matrix, y = np.array([[0.0]] * 20 + [[1.0]] * 20), np.array([1] * 15 + [0] * 25)
    (feature,) = fit_encoding(matrix, (levels,), KEEP, y)
    column = encode_matrix((feature,), np.array([[NAN], [-1.0], [0.0], [1.0]]))[:, 0]
    assert column.tolist() == [feature.level_risks[2], feature.level_risks[2], *feature.level_risks[:2]]
    assert column[2] > 0.0 == column[0] > column[3]


@pytest.mark.parametrize(
    ("values", "changes", "settings", "reason"),
    [
        ([NAN, NAN], {}, KEEP, "no known value"),
        ([NAN, -9.0], {"special_codes": (-9.0,)}, KEEP, "no known value"),
        ([2.0, 2.0], {}, KEEP, "the same value in every row"),
        ([2.0, NAN], {}, KEEP, None),
        ([2.0, 2.0], {"direction": 1}, KEEP, None),
        ([2.0, 3.0], {}, EncodingSettings(set_aside=("a",)), "named in the settings"),
        ([2.0, NAN], {}, EncodingSettings(), "no declared direction and missing values"),
        ([2.0, 3.0], {}, EncodingSettings(), None),
        ([0.0, 1.0], {"levels": ("x", "y")}, EncodingSettings(), "category where gaps are not kept"),
        (
            [2.0, 3.0],
            {},
            EncodingSettings(free_features="set_aside"),
            "no declared direction",
        ),
    ],
)
def test_every_column_set_aside_has_a_reason(
    values: list[float], changes: dict[str, object], settings: EncodingSettings, reason: str | None
) -> None:
    facts = fact("a", 0).model_copy(update=changes)
    assert why_set_aside(np.array(values), facts, settings) == reason
    (feature,) = fit_encoding(np.array(values)[:, None], (facts,), settings, np.array([0, 1]))
    assert (feature.treatment == "set_aside") == (reason is not None)


@pytest.mark.parametrize(("changes", "two_sided"), [({"levels": ("x", "y")}, ()), ({}, ("a",))])
def test_special_codes_of_a_category_or_a_two_sided_column_are_refused(
    changes: dict[str, object], two_sided: tuple[str, ...]
) -> None:
    facts = fact("a", 0).model_copy(update={"special_codes": (-9.0,), **changes})
    with pytest.raises(ConfigurationRefused, match="column 'a' has special codes"):
        fit_encoding(np.array([[0.0], [1.0]]), (facts,), KEEP.model_copy(update={"two_sided": two_sided}))


def test_categories_and_special_codes_need_outcomes() -> None:
    with pytest.raises(ValueError, match="need the outcomes"):
        fit_encoding(DATASET.X, DATASET.facts, KEEP)


@pytest.mark.parametrize(("rate", "place"), [(0.9, "end"), (0.35, "middle"), (0.02, "start")])
@pytest.mark.parametrize("direction", [1, -1])
def test_a_special_code_with_a_direction_stands_where_amounts_of_its_risk_stand(
    rate: float, place: str, direction: int
) -> None:
    generator = np.random.default_rng(4)
    amounts = generator.random(4000)
    y = (generator.random(4000) < 0.05 + 0.6 * amounts).astype(np.int8)
    code = (generator.random(1000) < rate).astype(np.int8)
    values = np.concatenate([direction * amounts, np.full(1000, -9.0)])
    facts = fact("a", direction).model_copy(update={"special_codes": (-9.0,)})
    (feature,) = fit_encoding(values[:, None], (facts,), KEEP, np.concatenate([y, code]))
    position = direction * feature.special_positions[0]
    expected = {"end": (0.9, 1.0), "middle": (0.4, 0.6), "start": (0.0, 0.1)}[place]
    assert expected[0] <= position <= expected[1]
    missing, worst = encode_matrix((feature,), np.array([[NAN], [direction * 1.0]]))[:, 0] * direction
    assert missing > worst >= position


@every_kind
def test_rows_with_gaps_are_scored_and_their_contributions_add_up(model: CreditModel) -> None:
    nothing_known = np.full((1, 6), NAN)
    odd = np.array([[0.0, 0.0, -1.0, -9.0, 1.0, 2.0], [np.inf, -1e6, 17.0, 3.5, NAN, NAN]])
    X = np.vstack([DATASET.X, nothing_known, odd])
    base, values, log_odds = model.contributions(X)
    assert np.isfinite(log_odds).all()
    assert np.abs(base + values.sum(axis=1) - log_odds).max() < 1e-9
    issued = model.issue_points(model.contributions(X))
    assert (issued.base_points + issued.points.sum(axis=1) == issued.score).all()
    assert not values[:, [EMPTY, CONSTANT]].any()


@every_kind
def test_the_risk_of_gaps_levels_and_codes_is_found(model: CreditModel) -> None:
    X = np.tile([0.0, 0.0, 1.0, 30.0, NAN, 1.0], (6, 1))
    X[1, INCOME], X[2, MONTHS], X[3, PURPOSE], X[4, PURPOSE] = NAN, -9.0, 3.0, 0.0
    plain, no_income, never, travel, boat, _ = model.log_odds(X)
    assert no_income - plain > 0.4
    assert never - plain < -0.4
    assert travel - plain > 0.4
    assert boat - plain < 0.0
    fresh = table_world(n=4000, seed=99)
    best = roc_auc_score(fresh.dataset.y, fresh.true_log_odds)
    assert roc_auc_score(fresh.dataset.y, model.log_odds(fresh.dataset.X)) > best - 0.03


@every_kind
def test_a_row_scores_the_same_alone_as_in_training(model: CreditModel) -> None:
    together = model.log_odds(DATASET.X)
    alone = [float(model.log_odds(DATASET.X[row : row + 1])[0]) for row in range(50)]
    assert alone == together[:50].tolist()


@every_kind
def test_hiding_a_directed_column_never_pays_whatever_gaps_stand_beside_it(model: CreditModel) -> None:
    hidden = DATASET.X.copy()
    hidden[:, DEBT] = NAN
    assert (model.log_odds(hidden) >= model.log_odds(DATASET.X)).all()
    coded = DATASET.X.copy()
    coded[:, DEBT] = -1.0e6
    assert (model.log_odds(hidden) >= model.log_odds(coded)).all()


def test_missing_is_a_bin_of_its_own_with_the_smoothed_rate_of_its_rows() -> None:
    values = np.concatenate([np.arange(60.0), np.full(20, NAN)])
    y = np.concatenate([(np.arange(60) % 4 == 0), np.arange(20) < 15]).astype(np.int8)
    (column,) = bin_columns(values[:, None], y, [0], BinningSettings(smoothing_rows=10))
    overall = 30 / 80
    rate = (15 + 10 * overall) / 30
    assert column.missing == pytest.approx(np.log(rate / (1 - rate)) - np.log(overall / (1 - overall)))
    assert column.transform(np.array([NAN]))[0] == column.missing
    (nothing,) = bin_columns(np.full((80, 1), NAN), y, [0], BinningSettings())
    assert (nothing.edges, nothing.evidence) == ((), (0.0,))


def test_a_few_gaps_can_show_only_a_small_effect_in_the_linear_model() -> None:
    generator = np.random.default_rng(6)
    values = generator.normal(size=1000)
    y = (generator.random(1000) < 0.2).astype(np.int8)
    few, many = values.copy(), values.copy()
    few[:2], y[:2] = NAN, 1
    many[:300], y[:300] = NAN, generator.random(300) < 0.6
    effects = [fit_linear(column[:, None], y, [0], 16.0).table.columns[0].gap for column in (few, many)]
    assert 0.0 < effects[0] < 0.2
    assert effects[1] > 1.2


def test_a_column_missing_in_every_row_of_a_fold_has_no_effect() -> None:
    y = np.array([0, 1] * 10)
    component = fit_linear(np.full((20, 1), NAN), y, [0], 1.0)
    assert component.margin(np.array([[NAN], [3.0]])).tolist() == [component.table.intercept] * 2


def test_tables_without_gaps_are_written_without_their_fields() -> None:
    assert "missing" not in ScorecardColumn(edges=(), log_odds=(0.0,), mean=0.0).model_dump()
    assert "missing_share" not in NormalScale(knots=(0.0,), scores=(0.0,)).model_dump()
    assert "gap" not in LinearColumn(scale=NormalScale(knots=(0.0,), scores=(0.0,)), coefficient=0.0).model_dump()
    assert not {"levels", "special_codes"} & fact("a", 1).model_dump().keys()
    (feature,) = fit_encoding(np.array([[1.0], [2.0]]), (fact("a", 1),), KEEP)
    assert not {"levels", "special_codes", "special_positions", "level_risks"} & feature.model_dump().keys()


def test_gaps_in_tables_are_worth_what_is_written() -> None:
    card = ScorecardComponent(
        ScorecardTable(
            intercept=0.5, columns=(ScorecardColumn(edges=(1.0,), log_odds=(0.0, 1.0), mean=0.0, missing=3.0),)
        )
    )
    assert card.margin(np.array([[NAN], [2.0]])).tolist() == [3.5, 1.5]
    scale = NormalScale(knots=(0.0, 1.0), scores=(-1.0, 1.0), missing_share=0.25)
    line = LinearComponent(LinearTable(intercept=0.0, columns=(LinearColumn(scale=scale, coefficient=2.0, gap=4.0),)))
    assert line.margin(np.array([[NAN], [1.0]])).tolist() == [3.0, 1.0]


def test_a_category_whose_risks_do_not_fit_its_levels_is_refused() -> None:
    (_, _, purpose, *_) = fit_encoding(DATASET.X, DATASET.facts, KEEP, DATASET.y)
    for wrong in (
        {"level_risks": ()},
        {"level_risks": (0.0,)},
        {"levels": ("a", "a", "b", "c")},
        {"treatment": "free"},
    ):
        with pytest.raises(ValueError, match="category"):
            type(purpose).model_validate(purpose.model_dump() | wrong)
    with pytest.raises(ValueError, match="one position for each special code"):
        type(purpose).model_validate(purpose.model_dump() | {"special_codes": (1.0,)})


def test_a_model_whose_gaps_are_kept_requires_no_value() -> None:
    model = table_models()["linear"]
    assert not model.missing_required(np.full((2, 6), NAN)).any()
    free = tuple(f.model_copy(update={"treatment": "free"}) if f.name == "income" else f for f in model.features)
    assert replace(model, features=free).missing_required(np.full((2, 6), NAN)).all()
