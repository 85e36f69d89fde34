"""A complete candidate passes all gates; each fault and each missing piece of evidence fails its gate by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.evaluation.audit import HeaviestFamily, ModelAudit
from models.registry.gates import (
    BundleEvidence,
    GateEvidence,
    GateResult,
    GateSettings,
    IncumbentEvidence,
    failed_gates,
    run_gates,
)

AUDIT = ModelAudit(
    rows=200,
    additivity_error=1e-13,
    unequal_points=0,
    hiding_trials=9000,
    hiding_gains=0,
    monotone_trials=80_000,
    monotone_breaks=0,
)
BUNDLE = BundleEvidence(fault=None, golden_rows=32, feature_set_sha256="ab" * 32, feature_names=("a", "b"))


def an_evaluation(difference: tuple[float, float, float] = (0.01, -0.01, 0.03), slope: float = 1.0) -> dict[str, Any]:
    value, lower, upper = difference
    return {
        "sample": {"bad": 240},
        "models": [{"name": "champion", "measures": {"calibration_slope": interval(slope, slope - 0.2, slope + 0.2)}}],
        "differences": [
            {"other": "scorecard", "measure": "brier", "gain": interval(-1, -1, -1), "detectable_gain": 0.1},
            {"other": "scorecard", "measure": "auc", "gain": interval(value, lower, upper), "detectable_gain": 0.02},
        ],
        "level": [
            {"column": "whole", "part": "", "ratio": interval(1.02, 0.9, 1.14), "verdict": "agrees"},
            {"column": "grade", "part": "A", "ratio": interval(1.1, 0.4, 2.0), "verdict": "too_few"},
            {"column": "grade", "part": "B", "ratio": interval(1.0, 0.8, 1.2), "verdict": "agrees"},
            {"column": "months", "part": "below 6", "ratio": interval(1.6, 1.1, 2.6), "verdict": "too_high"},
            {"column": "months", "part": "6 and above", "ratio": interval(1.0, 0.9, 1.1), "verdict": "agrees"},
        ],
    }


def with_level(column: str, **changed: Any) -> GateEvidence:  # noqa: ANN401 - of any type
    """Return evidence in which the level of the last group of a column is another."""
    evaluation = an_evaluation()
    next(level for level in reversed(evaluation["level"]) if level["column"] == column).update(changed)
    return replace(EVIDENCE, evaluation=evaluation)


def interval(value: float, lower: float, upper: float) -> dict[str, float]:
    return {"value": value, "lower": lower, "upper": upper}


EVIDENCE = GateEvidence(
    bundle=BUNDLE,
    matrix_sha256="ab" * 32,
    matrix_names=("a", "b"),
    evaluation=an_evaluation(),
    audit=AUDIT,
    incumbent=IncumbentEvidence("1", {"gain": interval(0.01, -0.01, 0.03), "detectable_gain": 0.02}, 240),
)


def gates(evidence: GateEvidence, **settings: Any) -> tuple[GateResult, ...]:  # noqa: ANN401 - settings of any type
    return run_gates(evidence, GateSettings(**settings))


def failures(evidence: GateEvidence, **settings: Any) -> tuple[str, ...]:  # noqa: ANN401 - settings of any type
    return failed_gates(gates(evidence, **settings))


def test_a_candidate_that_shows_everything_passes_every_gate() -> None:
    assert failures(EVIDENCE) == ()
    assert len(gates(EVIDENCE)) == 11


def test_every_gate_states_its_measure_its_limit_and_what_it_could_detect() -> None:
    for result in gates(EVIDENCE):
        assert result.measured
        assert result.limit
        assert result.power not in ("", "none")


@pytest.mark.parametrize(
    ("evidence", "gate"),
    [
        (replace(EVIDENCE, bundle=replace(BUNDLE, golden_rows=0)), "golden_rows"),
        (replace(EVIDENCE, matrix_sha256="cd" * 32), "schema"),
        (replace(EVIDENCE, matrix_names=("b", "a")), "schema"),
        (replace(EVIDENCE, matrix_names=("a", "b", "c")), "schema"),
        (replace(EVIDENCE, audit=replace(AUDIT, additivity_error=1e-6)), "reasons_add_up"),
        (replace(EVIDENCE, audit=replace(AUDIT, additivity_error=float("nan"))), "reasons_add_up"),
        (replace(EVIDENCE, audit=replace(AUDIT, unequal_points=1)), "reasons_add_up"),
        (replace(EVIDENCE, audit=replace(AUDIT, monotone_breaks=1)), "signs_hold"),
        (replace(EVIDENCE, audit=replace(AUDIT, monotone_trials=0)), "signs_hold"),
        (replace(EVIDENCE, audit=replace(AUDIT, hiding_gains=1)), "hiding_never_pays"),
        (replace(EVIDENCE, audit=replace(AUDIT, hiding_trials=0)), "hiding_never_pays"),
        (replace(EVIDENCE, evaluation=an_evaluation((-0.03, -0.05, -0.01))), "not_worse_than_scorecard"),
        (replace(EVIDENCE, evaluation=an_evaluation(slope=1.4)), "calibration_slope"),
        (replace(EVIDENCE, evaluation=an_evaluation(slope=0.6)), "calibration_slope"),
    ],
)
def test_one_fault_fails_its_gate_and_no_other(evidence: GateEvidence, gate: str) -> None:
    assert failures(evidence) == (gate,)


def test_a_family_that_dominates_fails_its_gate_only_where_the_profile_asks() -> None:
    dominated = replace(EVIDENCE, audit=replace(AUDIT, heaviest_family=HeaviestFamily("refunds", "refund_share", 0.34)))
    assert failures(dominated) == ()
    assert "family_share" not in {result.gate for result in gates(dominated)}
    assert failures(dominated, largest_family_share=1 / 3) == ("family_share",)
    assert failures(dominated, largest_family_share=0.34) == ()
    assert failures(EVIDENCE, largest_family_share=1 / 3) == ("family_share",)
    [result] = [one for one in gates(dominated, largest_family_share=1 / 3) if one.gate == "family_share"]
    assert (result.measured, result.limit) == (
        "34.0 % in the family refunds",
        "at most 33.3 % of the mean absolute points in one family of features",
    )


def test_a_refused_bundle_fails_what_rests_on_it() -> None:
    refused = replace(EVIDENCE, bundle=replace(BUNDLE, fault="digest of model.txt differs"))
    assert failures(refused) == ("signature", "golden_rows", "schema")


@pytest.mark.parametrize(
    ("missing", "gates_failed"),
    [
        ({"bundle": None}, ("signature", "golden_rows", "schema")),
        ({"matrix_sha256": None}, ("schema",)),
        ({"matrix_names": None}, ("schema",)),
        ({"audit": None}, ("reasons_add_up", "signs_hold", "hiding_never_pays")),
        ({"audit": replace(AUDIT, rows=10)}, ("reasons_add_up", "signs_hold", "hiding_never_pays")),
        ({"evaluation": None}, ("not_worse_than_scorecard", "calibration_slope", "calibration_level")),
        ({"evaluation": {}}, ("not_worse_than_scorecard", "calibration_slope", "calibration_level")),
    ],
)
def test_missing_evidence_fails(missing: dict[str, Any], gates_failed: tuple[str, ...]) -> None:
    assert failures(replace(EVIDENCE, **missing)) == gates_failed


@pytest.mark.parametrize("name", ["value", "lower", "upper"])
def test_an_undefined_figure_is_not_evidence(name: str) -> None:
    evaluation = an_evaluation()
    evaluation["models"][0]["measures"]["calibration_slope"][name] = None
    evaluation["differences"][1]["gain"][name] = None
    assert failures(replace(EVIDENCE, evaluation=evaluation)) == ("not_worse_than_scorecard", "calibration_slope")


def test_a_champion_that_is_the_scorecard_itself_is_not_worse_than_it() -> None:
    evaluation = an_evaluation((0.0, 0.0, 0.0))
    assert failures(replace(EVIDENCE, evaluation=evaluation)) == ()
    evaluation["differences"] = [{**one, "verdict": "identical"} for one in evaluation["differences"]]
    result = next(one for one in gates(replace(EVIDENCE, evaluation=evaluation)) if one.gate.startswith("not_worse"))
    assert (result.passed, result.power) == (True, "nothing: the candidate is the scorecard")


def test_only_a_demonstration_may_go_without_a_calibrated_slope_and_must_still_show_it() -> None:
    off = replace(EVIDENCE, evaluation=an_evaluation(slope=1.6))
    assert failures(off, calibration_required=False) == ()
    assert failures(replace(EVIDENCE, evaluation=None), calibration_required=False) == (
        "not_worse_than_scorecard",
        "calibration_slope",
        "calibration_level",
    )


@pytest.mark.parametrize(
    ("column", "changed", "measured"),
    [
        ("whole", {"ratio": interval(3.4, 2.9, 4.1)}, "3.400, 95 % CI 2.900 to 4.100"),
        ("whole", {"ratio": interval(0.37, 0.31, 0.44)}, "0.370, 95 % CI 0.310 to 0.440"),
        ("grade", {"verdict": "too_low"}, "1.020, 95 % CI 0.900 to 1.140; off in grade B"),
        ("grade", {"verdict": "too_high"}, "1.020, 95 % CI 0.900 to 1.140; off in grade B"),
    ],
)
def test_a_wrong_level_overall_or_in_a_grade_fails_unless_only_reported(
    column: str, changed: dict[str, Any], measured: str
) -> None:
    evidence = with_level(column, **changed)
    assert failures(evidence) == ("calibration_level",)
    assert line("calibration_level", evidence).measured == measured
    assert failures(evidence, calibration_required=False) == ()


def test_a_segment_with_too_few_predicted_defaults_fails_where_the_profile_asks_and_too_many_never() -> None:
    evidence = with_level("months", verdict="too_low")
    assert failures(EVIDENCE, segments_required=True) == ()
    assert failures(evidence) == ()
    assert failures(evidence, segments_required=True) == ("segment_level",)
    found = line("segment_level", evidence)
    assert found.measured == "1 too low and 1 too high, of 2 judged; too low: months 6 and above"
    assert failures(replace(EVIDENCE, evaluation={**an_evaluation(), "level": []}), segments_required=True) == (
        "calibration_level",
        "segment_level",
    )


def test_the_power_of_the_comparison_is_stated_in_defaults() -> None:
    result = next(result for result in gates(EVIDENCE) if result.gate.startswith("not_worse"))
    assert "240 defaults" in result.power
    assert "0.020" in result.power


def test_no_gate_at_all_is_a_failed_gate() -> None:
    assert failed_gates(()) == ("no gate was run",)


LOSS = {"gain": interval(-0.03, -0.05, -0.01), "detectable_gain": 0.02}
GAIN = {"gain": interval(0.03, 0.01, 0.05), "detectable_gain": 0.02}


@pytest.mark.parametrize(
    "incumbent",
    [
        None,
        IncumbentEvidence("1"),
        IncumbentEvidence("1", LOSS, 240),
        IncumbentEvidence("1", {**GAIN, "gain": interval(0.03, 0.01, float("nan"))}, 240),
        IncumbentEvidence("1", GAIN, None),
        IncumbentEvidence("1", GAIN, 240, "rolled back"),
    ],
)
def test_a_candidate_that_is_worse_than_the_champion_or_not_compared_with_it_fails_unless_only_reported(
    incumbent: IncumbentEvidence | None,
) -> None:
    evidence = replace(EVIDENCE, incumbent=incumbent)
    assert failures(evidence) == ("not_worse_than_champion",)
    assert failures(evidence, incumbent_required=False) == ()
    line = next(one for one in gates(evidence, incumbent_required=False) if one.gate == "not_worse_than_champion")
    assert line.limit.startswith("reported only")


def test_a_loss_within_the_interval_and_a_first_champion_pass() -> None:
    within = IncumbentEvidence("1", {"gain": interval(-0.01, -0.03, 0.0), "detectable_gain": 0.02}, 240)
    assert failures(replace(EVIDENCE, incumbent=within)) == ()
    assert failures(replace(EVIDENCE, incumbent=IncumbentEvidence())) == ()


def line(name: str, evidence: GateEvidence = EVIDENCE, **settings: Any) -> GateResult:  # noqa: ANN401 - of any type
    return next(one for one in gates(evidence, **settings) if one.gate == name)


@pytest.mark.parametrize(
    ("gate", "measured", "limit", "power"),
    [
        ("signature", "valid", "every file matches its signed digest", "any changed byte"),
        (
            "golden_rows",
            "32 rows reproduced",
            "at least 1 rows, all reproduced bit for bit",
            "any change in the scores of these rows",
        ),
        (
            "schema",
            "2 names equal, digest equal",
            "bundle and feature matrix have the same feature set",
            "any changed feature definition",
        ),
        (
            "reasons_add_up",
            "largest gap 1e-13, points off in 0 of 200 rows",
            "gap at most 1e-09, points add up in every row",
            "breaks in more than 0.015 of such trials",
        ),
        (
            "signs_hold",
            "0 of 80000 steps lower it",
            "no step towards more risk lowers the probability of default",
            "breaks in more than 3.7e-05 of such trials",
        ),
        (
            "hiding_never_pays",
            "0 of 9000 trials lower it",
            "no blanked feature or pair lowers the probability of default",
            "breaks in more than 0.00033 of such trials",
        ),
        (
            "not_worse_than_scorecard",
            "+0.0100, 95 % CI -0.0100 to +0.0300",
            "upper bound of the paired AUC difference at least 0",
            "a loss of 0.020 AUC or more, given 240 defaults",
        ),
        (
            "not_worse_than_champion",
            "version 1: +0.0100, 95 % CI -0.0100 to +0.0300",
            "upper bound of the paired AUC difference at least 0",
            "a loss of 0.020 AUC or more, given 240 defaults",
        ),
        (
            "calibration_slope",
            "1.000, 95 % CI 0.800 to 1.200",
            "95 % CI of the slope contains 1",
            "a slope more than 0.20 away from 1",
        ),
        (
            "calibration_level",
            "1.020, 95 % CI 0.900 to 1.140",
            "95 % CI of expected to observed defaults contains 1, and no grade is off",
            "a level more than 12 % off",
        ),
        (
            "segment_level",
            "0 too low and 1 too high, of 2 judged",
            "reported only (by the profile)",
            "a difference beyond chance after 2 tests",
        ),
    ],
)
def test_a_gate_says_what_it_measured_and_what_it_could_have_detected(
    gate: str, measured: str, limit: str, power: str
) -> None:
    assert line(gate) == GateResult(gate, passed=True, measured=measured, limit=limit, power=power)


def test_what_is_exactly_at_a_limit_passes() -> None:
    at_limits = replace(
        EVIDENCE,
        bundle=replace(BUNDLE, golden_rows=3),
        audit=replace(AUDIT, rows=50, additivity_error=1e-9),
        evaluation=an_evaluation((-0.02, -0.04, 0.0), slope=1.2),
        incumbent=IncumbentEvidence("1", {"gain": interval(-0.02, -0.04, 0.0), "detectable_gain": 0.02}, 240),
    )
    measures = at_limits.evaluation["models"][0]["measures"]  # type: ignore[index]
    measures["calibration_slope"] = interval(1.2, 1.0, 1.4)
    assert failures(at_limits, smallest_golden_rows=3) == ()
    measures["calibration_slope"] = interval(0.8, 0.6, 1.0)
    assert failures(at_limits, smallest_golden_rows=3) == ()
    assert failures(at_limits, smallest_golden_rows=4) == ("golden_rows",)


def test_the_limits_of_the_gates_are_these_unless_a_profile_sets_others() -> None:
    assert GateSettings().model_dump() == {
        "baseline": "scorecard",
        "largest_additivity_error": 1e-9,
        "smallest_audit_rows": 50,
        "smallest_golden_rows": 1,
        "calibration_required": True,
        "segments_required": False,
        "incumbent_required": True,
        "largest_family_share": None,
    }


def test_a_gate_says_which_names_differ_and_that_only_the_order_does() -> None:
    other = line("schema", replace(EVIDENCE, matrix_names=("a", *"cdefgh")))
    assert other.measured == "they differ in b, c, d, e, f"
    assert line("schema", replace(EVIDENCE, matrix_names=("b", "a"))).measured == "they differ in the order"
    assert line("schema", replace(EVIDENCE, matrix_sha256="cd" * 32)).measured == "2 names equal, digest different"


def test_missing_evidence_is_named_and_shows_nothing() -> None:
    missing = replace(EVIDENCE, bundle=None, audit=None, evaluation=None, incumbent=None)
    assert {(one.measured, one.power) for one in gates(missing)} == {
        ("no evidence: no bundle was read", "none"),
        ("no evidence: the bundle or the feature matrix is missing", "none"),
        ("no evidence: fewer than 50 rows were tested", "none"),
        ("no evidence: no steps were tested", "none"),
        ("no evidence: no values were blanked", "none"),
        ("no evidence: no paired difference to scorecard", "none"),
        ("no evidence: the champion was not compared with the candidate", "none"),
        ("no evidence: no calibration slope with an interval", "none"),
        ("no evidence: no expected to observed defaults with an interval", "none"),
        ("no evidence: no segment has enough defaults", "none"),
    }
    refused = line("signature", replace(EVIDENCE, bundle=replace(BUNDLE, fault="digest of model.txt differs")))
    assert refused.measured == "refused: digest of model.txt differs"


def test_equal_scores_are_no_evidence_of_a_difference_and_a_fault_is_named() -> None:
    same = IncumbentEvidence("1", {**GAIN, "verdict": "identical"}, 240)
    found = line("not_worse_than_champion", replace(EVIDENCE, incumbent=same))
    assert (found.passed, found.measured) == (True, "version 1: equal scores on every row")
    assert found.power == "nothing: there is no difference to measure"
    first = line("not_worse_than_champion", replace(EVIDENCE, incumbent=IncumbentEvidence()))
    assert first.measured == "there is no champion yet"
    rolled_back = line(
        "not_worse_than_champion", replace(EVIDENCE, incumbent=IncumbentEvidence("1", fault="withdrawn"))
    )
    assert rolled_back.measured == "no evidence: withdrawn"


def test_without_the_number_of_defaults_or_with_a_truth_value_for_it_nothing_is_shown() -> None:
    evaluation = an_evaluation()
    for bad in (None, True, "240"):
        assert failures(replace(EVIDENCE, evaluation={**evaluation, "sample": {"bad": bad}})) == (
            "not_worse_than_scorecard",
        )
