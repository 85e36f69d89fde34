"""Each light can be in order, a caution, a stop or without evidence; its headline is its gravest finding."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.reports.lights import Finding, LedgerState, Light, data_light, drift_light, gates_light, model_light
from pipelines.reports.rendering import LANGUAGES, Language, page_texts
from tests.factories.run_documents import (
    OTHER_SHA,
    SHA,
    changed,
    estimate,
    evaluation,
    level,
    monitor,
    registration,
    rule,
    validation,
)


def keys(light: Light) -> list[str]:
    return [finding.key for finding in light.findings]


def test_data_in_order() -> None:
    light = data_light(validation())
    assert (light.state, light.findings[0]) == ("ok", Finding("ok", "data_ok", {"rules": "1"}))
    assert light.findings[1].values == {"rows": "1,000", "set_aside": "10", "share": "1.00%"}
    assert light.concerns == ()


DATA = validation()
NOT_VALIDATED, UNKNOWN = "data_not_validated", "data_warnings_not_validated"
OVER = {"quarantined": {"line:width": 20}, "duplicates": {}, "rows_in": 1000}
KEPT_OUT = {"quarantined": {"consent:none": 20}, "duplicates": {}, "rows_in": 1000}


@pytest.mark.parametrize(
    ("document", "state", "key"),
    [
        (None, "none", "data_none"),
        (changed(DATA, "tables", 0, "rejected_by", to=["recent"]), "stop", "data_refused"),
        (changed(DATA, "sources", to=[OVER]), "stop", "data_over_limit"),
        (changed(DATA, "sources", to=[KEPT_OUT]), "ok", "data_ok"),
        (changed(DATA, "tables", 0, "quarantined", to={"x": 99}), "stop", "data_table_over_limit"),
        (changed(DATA, "reconciliation", "contradicted_sellers", to=4), "watch", "data_contradicted"),
        ({**DATA, "export_documents": {"broken_sellers": 2}}, "watch", "data_documents"),
        ({**DATA, "shared_statements": {"statements": 2, "sellers": 3}}, "watch", "data_shared"),
        (changed(DATA, "tables", 0, "rules", to=[rule(), rule("failed")]), "watch", "data_rules"),
        (changed(DATA, "tables", 0, "rules", to=[rule("not_validated", severity="critical")]), "stop", NOT_VALIDATED),
        (changed(DATA, "tables", 0, "rules", to=[rule("not_validated", severity="error")]), "stop", NOT_VALIDATED),
        (changed(DATA, "tables", 0, "rules", to=[rule("not_validated", severity="warning")]), "watch", UNKNOWN),
        (changed(DATA, "withheld_files", to=["a.csv"]), "watch", "data_withheld"),
        (changed(DATA, "unlisted_files", to=["a.csv"]), "watch", "data_unlisted"),
    ],
)
def test_the_light_of_the_data(document: dict[str, Any] | None, state: str, key: str) -> None:
    light = data_light(document)
    assert (light.state, light.findings[0].key) == (state, key)


MODEL = evaluation()
MEASURES = ("models", 0, "measures")


@pytest.mark.parametrize(
    ("document", "state", "key"),
    [
        (None, "none", "model_none"),
        (MODEL, "ok", "model_ok"),
        (changed(MODEL, *MEASURES, "auc", to=estimate(0.6, 0.48, 0.7)), "stop", "model_no_ranking"),
        (changed(MODEL, *MEASURES, "auc", to=estimate(0.6, None, None)), "watch", "model_unknown"),
        (changed(MODEL, "differences", 0, "verdict", to="worse"), "stop", "model_worse_than_scorecard"),
        (changed(MODEL, "differences", 1, "verdict", to="worse"), "stop", "model_worse_than_best_single_variable"),
        (changed(MODEL, "differences", 0, "verdict", to="not_shown"), "watch", "model_not_above_scorecard"),
        (changed(MODEL, "differences", 1, "verdict", to="not_shown"), "watch", "model_not_above_best_single_variable"),
        (changed(MODEL, "level", 0, "verdict", to="too_high"), "watch", "model_runs_high"),
        (changed(MODEL, "level", 0, "verdict", to="too_low"), "watch", "model_runs_low"),
        (changed(MODEL, "level", 1, "verdict", to="too_high"), "watch", "model_grades_too_high"),
        (changed(MODEL, "level", 1, "verdict", to="too_low"), "watch", "model_grades_too_low"),
        (changed(MODEL, "level", 2, "verdict", to="too_high"), "watch", "model_segments_too_high"),
        (changed(MODEL, "level", 3, "verdict", to="too_low"), "watch", "model_segments_too_low"),
        (changed(MODEL, "level", 3, "verdict", to="too_few"), "ok", "model_ok"),
        (changed(MODEL, *MEASURES, "calibration_slope", to=estimate(1.2, 1.1, 1.3)), "watch", "model_too_flat"),
        (changed(MODEL, *MEASURES, "calibration_slope", to=estimate(0.8, 0.7, 0.9)), "watch", "model_too_steep"),
    ],
)
def test_the_light_of_the_model(document: dict[str, Any] | None, state: str, key: str) -> None:
    light = model_light(document)
    assert (light.state, light.findings[0].key) == (state, key)
    assert document is None or "model_tested" in keys(light)


def test_a_family_that_carries_more_than_a_third_of_the_points_is_a_finding() -> None:
    def found(share: float) -> tuple[str, list[str]]:
        family = {"family": "refunds", "feature": "refund_share_worst_180d", "share": share}
        light = model_light(MODEL, {"heaviest_family": family})
        return light.state, keys(light)

    assert found(0.334)[0] == "watch"
    assert "model_one_family" in found(0.334)[1]
    assert "model_one_family" not in found(0.333)[1]
    assert model_light(MODEL, {"heaviest_family": None}) == model_light(MODEL)
    light = model_light(MODEL, {"heaviest_family": {"family": "refunds", "feature": "refund_share", "share": 0.39}})
    words = page_texts("common", "en")(light.findings[0].key, **light.findings[0].values)
    assert words == (
        "39% of the mean absolute points come from one family of features (refunds, mainly refund_share): one false "
        "figure moves the score far"
    )


def test_probabilities_that_run_high_are_named_with_their_figures() -> None:
    light = model_light(changed(MODEL, "level", 0, to=level("whole", estimate(1.18, 1.02, 1.37), "too_high")))
    words = page_texts("common", "en")(light.findings[0].key, **light.findings[0].values)
    assert words == "Predicts 18% too many defaults: predicted to observed 1.18, 95% CI 1.02 to 1.37"


def test_a_missing_gain_is_stated_in_the_usual_words() -> None:
    light = model_light(changed(MODEL, "differences", 0, "verdict", to="not_shown"))
    words = page_texts("common", "en")(light.findings[0].key, **light.findings[0].values)
    assert words == (
        "No significant difference from the scorecard: ΔAUC 0.012, 95% CI −0.009 to 0.032; minimum detectable 0.030"
    )


def test_a_gain_below_the_detectable_one_whose_interval_excludes_zero_is_suggested() -> None:
    document = changed(MODEL, "differences", 0, "verdict", to="not_shown")
    light = model_light(changed(document, "differences", 0, "gain", to=estimate(0.021, 0.004, 0.038)))
    assert (
        light.findings[0].headline(page_texts("common", "en")) == "A gain over the scorecard is suggested, not proven"
    )


WELL = LedgerState()


@pytest.mark.parametrize(
    ("document", "trained", "ledger", "state", "key"),
    [
        (None, None, WELL, "none", "gates_none"),
        (registration(), SHA, WELL, "ok", "gates_ok"),
        (registration(), None, WELL, "ok", "gates_ok"),
        (registration(), OTHER_SHA, WELL, "watch", "gates_other_model"),
        (registration(), SHA, LedgerState(is_checked=False), "watch", "gates_ledger_unchecked"),
        (registration(refused=True), SHA, WELL, "stop", "gates_refused"),
        (registration(), SHA, LedgerState("line 2 was changed"), "stop", "gates_ledger_broken"),
        (None, None, LedgerState("line 2 was changed"), "stop", "gates_ledger_broken"),
    ],
)
def test_the_light_of_the_gates(
    document: dict[str, Any] | None, trained: str | None, ledger: LedgerState, state: str, key: str
) -> None:
    light = gates_light(document, trained, ledger)
    assert (light.state, light.findings[0].key) == (state, key)


def test_a_refused_model_keeps_the_champion_or_leaves_none() -> None:
    assert "gates_champion_stays" in keys(gates_light(registration(refused=True), SHA, WELL))
    nobody = changed(registration(refused=True), "champion", to=None)
    assert keys(gates_light(nobody, SHA, WELL)) == ["gates_refused", "gates_no_champion"]


@pytest.mark.parametrize(
    ("document", "state", "key"),
    [
        (None, "none", "drift_none"),
        (monitor(), "ok", "drift_ok"),
        (monitor(alerts=3), "watch", "drift_alerts"),
        (monitor(score_index=0.2, score_alert=True), "watch", "drift_scores_shift"),
        (monitor(score_index=0.3, score_alert=True, alerts=3), "stop", "drift_scores_moved"),
        (monitor(score_index=0.3), "ok", "drift_ok"),  # so few rows that chance does the same
    ],
)
def test_the_light_of_the_drift(document: dict[str, Any] | None, state: str, key: str) -> None:
    light = drift_light(document)
    assert (light.state, light.findings[0].key) == (state, key)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "light",
    [
        data_light(changed(DATA, "tables", 0, "rejected_by", to=["recent"])),
        model_light(changed(MODEL, "differences", 0, "verdict", to="not_shown")),
        gates_light(registration(refused=True), SHA, LedgerState("line 2 was changed")),
        drift_light(monitor(alerts=3)),
    ],
)
def test_every_finding_has_words(light: Light, language: Language) -> None:
    texts = page_texts("common", language)
    for finding in light.findings:
        assert "{" not in texts(finding.key, **finding.values)


def test_the_gravest_finding_comes_first_whatever_the_order() -> None:
    document = changed(validation(), "reconciliation", "contradicted_sellers", to=4)
    document = changed(document, "tables", 0, "rejected_by", to=["recent"])
    assert [finding.state for finding in data_light(document).findings] == ["stop", "watch", "ok"]
