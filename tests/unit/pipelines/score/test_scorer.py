"""Scoring a chunk: every row once, the model's numbers, and a code for everything unusual."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import table_contract
from models.components.calibration import AffineCalibrator
from pipelines.features.matrix import feature_matrix
from pipelines.profiles.score_settings import ScoringLimits
from pipelines.score.scorer import ScoringContext, chunked, score_chunk
from pipelines.score_rows import SCORE_SCHEMA
from tests.factories.models import small_credit_model
from tests.factories.scoring import FEATURES, applicants, context, small_bundle, with_values


def codes(chunk: pa.Table, **changes: object) -> list[str]:
    scored = score_chunk(replace(context(), **changes), chunk)  # type: ignore[arg-type]
    return [str(text) for text in scored["codes"].to_pylist()]


def first_value(chunk: pa.Table, name: str, value: object) -> pa.Table:
    return with_values(chunk, name, [value, *chunk[name].to_pylist()[1:]])


def test_every_row_comes_out_once_in_order_and_in_the_schema() -> None:
    scored = score_chunk(context(), applicants(40))
    assert scored.schema == SCORE_SCHEMA
    assert scored["source_row"].to_pylist() == list(range(1, 41))
    warned = ["scored_with_warning" if found else "scored" for found in scored["codes"].to_pylist()]
    assert scored["status"].to_pylist() == warned
    assert set(warned) == {"scored", "scored_with_warning"}
    assert scored["model_version"].to_pylist() == ["3"] * 40
    assert scored["bundle_sha256"].to_pylist() == [small_bundle().digest] * 40


def test_a_chunk_holds_so_many_rows_and_the_last_one_what_is_left() -> None:
    rows = applicants(7)
    pieces = list(chunked(rows, 3))
    assert [piece.num_rows for piece in pieces] == [3, 3, 1]
    assert pa.concat_tables(pieces) == rows
    assert ScoringContext(small_bundle(), ScoringLimits(), date(2025, 3, 15), "3").with_reasons


def test_results_keep_the_contract_of_scores() -> None:
    contract = table_contract("score")
    chunk = applicants(80)
    chunk = with_values(chunk, "refusals", ["unknown_seller" if row % 9 == 0 else "" for row in range(80)])
    names = [column.name for column in contract.columns]
    for with_reasons in (True, False):
        scored = score_chunk(context(with_reasons=with_reasons), chunk).select(names)
        checked = check_rows(scored.cast(contract.arrow_schema), contract)
        assert checked.accepted.num_rows == 80, checked.counts_by_rule


def test_the_figures_are_the_models_own() -> None:
    chunk = applicants(200)
    model = small_bundle().model
    X = feature_matrix(chunk, model.feature_names)
    scored = score_chunk(context(), chunk).to_pydict()
    assert scored["probability_of_default"] == model.probability(X).tolist()
    assert scored["score"] == model.score(X).tolist()
    assert scored["grade"] == model.grades_of(X)
    lower, upper = model.calibrator.probability_interval(model.margin(X))
    assert scored["pd_lower"] == lower.tolist()
    assert scored["pd_upper"] == upper.tolist()
    assert all(low < pd < up for low, pd, up in zip(lower, scored["probability_of_default"], upper, strict=True))


def test_points_and_reasons_add_up_to_the_score_in_every_row() -> None:
    for row in score_chunk(context(), applicants(300)).to_pylist():
        pillars = json.loads(row["pillar_points"])
        reasons = json.loads(row["reasons"])
        named = [reason["points"] for reason in (*reasons["for"], *reasons["against"])]
        assert row["base_points"] + sum(pillars.values()) == row["score"]
        assert row["base_points"] + sum(named) + reasons["all_others"] == row["score"]
        assert len(reasons["for"]) <= 4
        assert len(reasons["against"]) <= 4
        assert all(reason["points"] > 0 for reason in reasons["for"])
        assert all(reason["points"] < 0 for reason in reasons["against"])


def test_points_and_reasons_are_compact_texts_in_both_languages() -> None:
    row = score_chunk(context(), applicants(1)).to_pylist()[0]
    for text in (row["reasons"], row["pillar_points"]):
        assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    assert "评分" in row["reasons"]


def test_without_reasons_the_figures_are_the_same() -> None:
    with_reasons, without = (score_chunk(context(with_reasons=flag), applicants(60)) for flag in (True, False))
    explained = ["pillar_points", "reasons"]
    assert with_reasons.drop_columns(explained) == without.drop_columns(explained)
    assert all(without[name].null_count == 60 for name in explained)
    assert with_reasons["reasons"].null_count == 0


def test_the_order_of_columns_changes_nothing() -> None:
    assert score_chunk(context(), applicants(30, names=FEATURES[::-1])) == score_chunk(context(), applicants(30))


def test_a_refused_row_has_no_figures_and_spoils_no_other() -> None:
    chunk = applicants(5)
    refused = with_values(chunk, "refusals", ["", "", "missing_as_of;duplicate_applicant", "", ""])
    whole, other = score_chunk(context(), chunk).to_pylist(), score_chunk(context(), refused).to_pylist()
    assert other[2]["status"] == "refused"
    assert other[2]["codes"] == "missing_as_of;duplicate_applicant"
    figures = ("probability_of_default", "pd_lower", "score", "grade", "base_points", "pillar_points", "reasons")
    assert [other[2][name] for name in figures] == [None] * len(figures)
    assert other[:2] + other[3:] == whole[:2] + whole[3:]


def test_a_chunk_of_refused_rows_alone_is_refused_row_by_row() -> None:
    chunk = applicants(3)
    chunk = with_values(chunk, "refusals", ["unreadable_row"] * 3)
    chunk = with_values(chunk, "as_of", [None] * 3)
    chunk = with_values(chunk, "seller_id", [None] * 3)
    scored = score_chunk(context(), chunk)
    assert scored == score_chunk(context(with_reasons=False), chunk)
    assert scored["status"].to_pylist() == ["refused"] * 3
    assert scored["codes"].to_pylist() == ["unreadable_row"] * 3


def test_nothing_known_at_all_is_refused_and_not_named_where_the_row_was_refused_before() -> None:
    chunk = applicants(3)
    for name in FEATURES:
        chunk = with_values(chunk, name, [None, None, 1.0])
    chunk = with_values(chunk, "refusals", ["", "unknown_seller", ""])
    assert codes(chunk)[:2] == ["all_missing", "unknown_seller"]


@pytest.mark.parametrize(
    ("value", "unit", "is_possible"),
    [
        (-1e308, "share", False),
        (1e45, "count", False),
        (800.0, "ln USD", False),
        (-0.5, "ln count", False),
        (-1.0, "count", False),
        (1.01, "ratio, -1 to 1", False),
        (-1.0, "ratio, -1 to 1", True),
        (12.5, "share", True),
        (-3.0, "share", True),
        (1e45, "a unit of its own", False),
    ],
)
def test_a_value_that_its_unit_does_not_allow_is_refused_and_spoils_no_other_row(
    value: float, unit: str, is_possible: bool
) -> None:
    model = small_bundle().model
    features = tuple(
        feature.model_copy(update={"unit": unit}) if feature.name == "payout_sum_90d" else feature
        for feature in model.features
    )
    bundle = small_bundle()._replace(model=replace(model, features=features))
    chunk = applicants(3)
    scored = score_chunk(replace(context(), bundle=bundle), with_values(chunk, "payout_sum_90d", [value, None, None]))
    first, *others = scored.to_pylist()
    assert ("impossible_value:payout_sum_90d" in first["codes"]) is not is_possible
    assert (first["status"] == "refused") is not is_possible
    assert all(row["score"] is not None for row in others)


def test_a_feature_that_must_be_known_is_named_when_it_is_not() -> None:
    assert codes(first_value(applicants(3), "months_observed", None))[0] == "missing_required:months_observed"


@pytest.mark.parametrize(
    ("as_of", "code"),
    [
        (date(2025, 3, 15), ""),
        (date(2025, 3, 16), "as_of_in_future"),
        (date(2024, 9, 16), ""),
        (date(2024, 9, 15), "stale_data"),
    ],
)
def test_the_as_of_date_may_be_neither_old_nor_to_come(as_of: date, code: str) -> None:
    limits = ScoringLimits(as_of_age_days=180)
    found = codes(first_value(applicants(3), "as_of", as_of), limits=limits)[0]
    assert found.split(":")[0].replace("out_of_range", "") == code


def test_a_model_scores_up_to_the_last_day_that_it_is_valid_for() -> None:
    bundle = small_bundle()
    day = applicants(1)["as_of"].to_pylist()[0]
    last = bundle._replace(meta=bundle.meta.model_copy(update={"valid_until": day}))
    assert not any("model_expired" in found for found in codes(applicants(3), bundle=last))


def test_a_row_with_more_than_the_allowed_share_of_missing_features_is_scored_with_a_warning() -> None:
    used = [one.name for one in small_bundle().model.features if one.treatment != "set_aside"]
    optional = [one.name for one in small_bundle().model.features if one.treatment == "one_sided"]
    for count, share, warned in ((2, 2 / len(used), False), (3, 2 / len(used), True)):
        chunk = applicants(3)
        for name in FEATURES:
            chunk = first_value(chunk, name, 0.5)
        for name in optional[:count]:
            chunk = first_value(chunk, name, None)
        found = codes(chunk, limits=ScoringLimits(missing_share=share + 1e-12))[0]
        assert ("missing_share" in found.split(";")) == warned


def test_an_expired_model_scores_nobody() -> None:
    bundle = small_bundle()
    expired = bundle._replace(meta=bundle.meta.model_copy(update={"valid_until": date(2024, 12, 30)}))
    assert set(codes(applicants(3), bundle=expired)) == {"model_expired"}


@pytest.mark.parametrize(("widths", "margin", "warned"), [(0.9, 1.0, False), (1.1, 1.0, True), (0.1, 0.0, True)])
@pytest.mark.parametrize("side", ["lower", "upper"])
def test_the_margin_of_the_training_range_is_a_setting(side: str, widths: float, margin: float, warned: bool) -> None:
    feature = next(one for one in small_bundle().model.features if one.name == "refund_share_90d")
    away = widths * (feature.upper - feature.lower)
    value = feature.upper + away if side == "upper" else feature.lower - away
    found = codes(first_value(applicants(3), "refund_share_90d", value), limits=ScoringLimits(range_margin=margin))[0]
    assert ("out_of_range:refund_share_90d" in found.split(";")) == warned


def test_a_value_far_beyond_the_training_range_is_scored_with_a_warning() -> None:
    row = score_chunk(context(), first_value(applicants(3), "refund_share_90d", 1000.0)).to_pylist()[0]
    assert row["status"] == "scored_with_warning"
    assert "out_of_range:refund_share_90d" in row["codes"].split(";")
    assert row["score"] is not None


def test_many_missing_features_are_scored_with_a_warning() -> None:
    chunk = applicants(3)
    for name in FEATURES[:6]:
        chunk = first_value(chunk, name, None)
    assert "missing_share" in codes(chunk)[0].split(";")
    assert "missing_share" not in codes(chunk, limits=ScoringLimits(missing_share=0.9))[0].split(";")


@pytest.mark.parametrize(("count", "named"), [(0.0, False), (1.0, True), (None, False)])
def test_an_account_that_was_seen_but_not_delivered_is_named(
    monkeypatch: pytest.MonkeyPatch, count: float | None, named: bool
) -> None:
    chunk = first_value(applicants(3), "refund_share_90d", count)
    assert "undelivered_account" not in codes(chunk)[0].split(";")
    monkeypatch.setattr("pipelines.score.scorer.UNDELIVERED_FEATURE", "refund_share_90d")
    assert ("undelivered_account" in codes(chunk)[0].split(";")) == named


def test_a_pillar_whose_weight_is_mainly_missing_is_named() -> None:
    bundle = context().bundle
    weights = {feature.name: feature.mean_absolute_contribution for feature in bundle.reference.features}
    named = 0.1 * sum(weights.values())
    untouched = codes(applicants(3))[1:]
    # A row without a feature of the treatment "free" is refused.
    hideable = [feature for feature in bundle.model.features if feature.treatment != "free"]
    for pillar in {feature.pillar for feature in hideable}:
        own = [feature.name for feature in hideable if feature.pillar == pillar]
        chunk, whole = applicants(3), sum(weights[name] for name in own)
        for name in own[: len(FEATURES) - 1]:
            chunk = first_value(chunk, name, None)
            row = chunk.slice(0, 1).to_pylist()[0]
            missing = sum(weights[one] for one in own if row[one] is None or np.isnan(row[one]))
            first, *others = codes(chunk)
            is_named = missing > 0.5 * whole and whole >= named
            assert (f"missing_pillar:{pillar}" in first.split(";")) == is_named, name
            assert others == untouched
        assert missing > 0.5 * whole or whole == 0
    assert "missing_pillar" not in codes(chunk, limits=ScoringLimits(missing_pillar_share=1.0))[0]


def test_a_pillar_is_named_from_the_smallest_share_on() -> None:
    model = small_bundle().model
    features = tuple(feature.model_copy(update={"pillar": "sales_health"}) for feature in model.features)
    bundle = small_bundle()._replace(model=replace(model, features=features))
    chunk = applicants(3)
    for feature in features:
        if feature.treatment != "free":
            chunk = first_value(chunk, feature.name, None)
    found = codes(chunk, bundle=bundle, limits=ScoringLimits(smallest_pillar_share=1.0, missing_pillar_share=0.01))
    assert "missing_pillar:sales_health" in found[0].split(";")


def test_warnings_found_before_are_taken_over() -> None:
    chunk = applicants(3).append_column("warnings", pa.array(["unseen_type", "", ""]))
    row = score_chunk(context(), chunk).to_pylist()[0]
    assert row["status"] == "scored_with_warning"
    assert row["codes"].split(";")[0] == "unseen_type"


def test_blanking_any_feature_never_raises_the_score() -> None:
    chunk = applicants(100)
    reported = np.asarray(score_chunk(context(with_reasons=False), chunk)["score"].to_pylist())
    for name in FEATURES:
        hidden = score_chunk(context(with_reasons=False), with_values(chunk, name, [None] * 100))["score"].to_pylist()
        assert all(new is None or new <= old for new, old in zip(hidden, reported, strict=True)), name


def test_a_calibration_without_uncertainty_states_no_interval() -> None:
    whole = context()
    model = replace(small_credit_model(), calibrator=AffineCalibrator(slope=1.0, intercept=0.0))
    certain = replace(whole, bundle=whole.bundle._replace(model=model))
    found = score_chunk(certain, applicants(2)).to_pydict()
    assert (found["pd_lower"], found["pd_upper"]) == ([None, None], [None, None])
    assert None not in found["probability_of_default"]
