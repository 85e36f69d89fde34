"""Parts of the pages over a run: rows through stages, grades, gates in words, drift by effect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.evaluation.audit import ModelAudit
from models.registry.gates import BundleEvidence, GateEvidence, GateSettings, IncumbentEvidence, run_gates
from pipelines.index.flow import reasons_set_aside
from pipelines.index.grades import grade_columns, grades_title
from pipelines.index.health_page import drift_rows
from pipelines.index.index_page import rates_title
from pipelines.index.passport_list import passport_lines
from pipelines.index.promotion_page import FIGURE, change_words, gate_row
from pipelines.index.promotions import read_promotions
from pipelines.index.run_record import GradeCount
from pipelines.profiles import Profile
from pipelines.reports.rendering import LANGUAGES, Language, page_texts
from pipelines.runs.publish import write_json
from pipelines.runs.stages import Place, StageRecord
from pipelines.signing.keys import load_keys
from tests.factories import published
from tests.factories.passports import passport_json
from tests.factories.published_run import synthetic_profile
from tests.factories.run_documents import estimate, monitor

SHA = "ab" * 32
AUDIT = ModelAudit(
    rows=200,
    additivity_error=6e-15,
    unequal_points=0,
    monotone_trials=380000,
    monotone_breaks=0,
    hiding_trials=23275,
    hiding_gains=0,
)


GAIN = {"gain": estimate(0.01, -0.01, 0.03), "detectable_gain": 0.02}
COMPARED = IncumbentEvidence("3", GAIN, 240)


def judged_gates(
    *,
    audit: ModelAudit = AUDIT,
    slope: float = 1.0,
    is_required: bool = True,
    incumbent: IncumbentEvidence = COMPARED,
    segments: bool = True,
) -> list[dict[str, Any]]:
    evaluation = published.evaluation(slope=slope)["evaluation"]
    levels = evaluation["level"] if segments else evaluation["level"][:-1]
    evidence = GateEvidence(
        bundle=BundleEvidence(None, 32, SHA, ("a", "b")),
        matrix_sha256=SHA,
        matrix_names=("a", "b"),
        evaluation={**evaluation, "level": levels},
        audit=audit,
        incumbent=incumbent,
    )
    settings = GateSettings(calibration_required=is_required, segments_required=is_required and segments)
    return [vars(gate) for gate in run_gates(evidence, settings)]


@pytest.mark.parametrize(
    "incumbent", [COMPARED, IncumbentEvidence(), IncumbentEvidence("3", {**GAIN, "verdict": "identical"}, 240)]
)
@pytest.mark.parametrize(("is_required", "segments"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_part_of_a_passed_gate_has_words_in_every_language(
    language: Language, *, is_required: bool, segments: bool, incumbent: IncumbentEvidence
) -> None:
    texts = page_texts("promotion_page", language)
    gates = judged_gates(is_required=is_required, incumbent=incumbent, segments=segments)
    assert len(gates) == 11
    assert all(gate["passed"] for gate in gates)
    for gate in gates:
        row = gate_row(gate, texts)
        assert row["title"] != gate["gate"]
        for part in ("measured", "limit", "power"):
            words, is_foreign = row[part]  # type: ignore[misc]
            assert f"{part}_{gate['gate']}_" in " ".join(texts.words), gate["gate"]
            assert not is_foreign, (gate["gate"], part, gate[part])
            assert "{" not in words


SENTENCES = {
    ("reasons_add_up", "measured"): "largest gap 6e−15; 2 of 200 rows differ",
    ("signs_hold", "measured"): "3 of 380000 steps break it",
    ("hiding_never_pays", "measured"): "4 of 23275 trials gain",
    ("not_worse_than_scorecard", "measured"): "ΔAUC +0.0100, 95% CI +0.0050 to +0.0150",
    ("not_worse_than_scorecard", "power"): "a loss of 0.020 AUC or more, given 240 defaults",
    ("not_worse_than_champion", "measured"): "version 3: ΔAUC +0.0100, 95% CI −0.0100 to +0.0300",
    ("not_worse_than_champion", "power"): "a loss of 0.020 AUC or more, given 240 defaults",
    ("calibration_slope", "measured"): "1.010, 95% CI 0.810 to 1.210",
    ("calibration_slope", "power"): "a slope more than 0.20 away from 1",
    ("calibration_level", "measured"): "expected to observed 1.020, 95% CI 0.900 to 1.140",
    ("segment_level", "measured"): "0 too low and 0 too high, of 1 judged",
}
"""Every sentence with two figures or more: were their order to change in a gate, the page would swap them."""


def test_figures_of_a_gate_keep_their_places() -> None:
    audit = replace(AUDIT, unequal_points=2, monotone_breaks=3, hiding_gains=4)
    gates = {gate["gate"]: {**gate, "passed": True} for gate in judged_gates(audit=audit, slope=1.01)}
    texts = page_texts("promotion_page", "en")
    several = {
        (name, part)
        for name, gate in gates.items()
        for part in ("measured", "limit", "power")
        if len(FIGURE.findall(gate[part])) > 1
    }
    assert several == set(SENTENCES)
    for (name, part), sentence in SENTENCES.items():
        assert gate_row(gates[name], texts)[part] == (sentence, False)


def test_a_chinese_sentence_takes_the_figures_of_the_gate() -> None:
    gates = {gate["gate"]: gate_row(gate, page_texts("promotion_page", "zh")) for gate in judged_gates()}
    assert gates["signs_hold"]["measured"] == ("380000 步中 0 步违背", False)
    assert gates["not_worse_than_scorecard"]["power"] == ("240 个违约可发现 0.020 及以上的 AUC 损失", False)


def test_what_a_failed_gate_found_is_told_in_its_own_words() -> None:
    gate = {"gate": "schema", "passed": False, "measured": "96 names equal, digest differs", "limit": "", "power": ""}
    assert gate_row(gate, page_texts("promotion_page", "zh"))["measured"] == (gate["measured"], True)
    assert gate_row(gate, page_texts("promotion_page", "en"))["measured"] == (gate["measured"], False)


def test_variables_are_ranked_by_what_they_do_to_the_mean_score() -> None:
    rows = drift_rows(monitor(alerts=5), {"x0": {"en": "First", "zh": "第一"}}, page_texts("health_page", "en"))
    shifts = [abs(row["points_shift"] or 0.0) for row in rows]
    assert shifts == sorted(shifts, reverse=True)
    assert (rows[0]["title"], rows[0]["shift_bar"]) == ("First", 1.0)
    assert {row["title"] for row in rows if row["points_shift"] is None} == {"Score as a whole: PSI"}
    assert all(-1 <= row["shift_bar"] <= 1 and 0 <= row["index_bar"] <= 1 for row in rows)


def test_a_comparison_made_before_effects_were_measured_is_still_shown() -> None:
    document = monitor(alerts=1)
    for one in document["variables"]:
        del one["points_shift"]
    rows = drift_rows(document, {}, page_texts("health_page", "en"))
    assert {row["points_shift"] for row in rows} == {None}


def test_the_usual_scale_is_shown_whole_and_its_shares_are_the_title() -> None:
    counts = (GradeCount("A3", 30, 0.01), GradeCount("B2", 60, 0.03), GradeCount("C3", 10, 0.4))
    columns = grade_columns(counts)
    assert [one.grade for one in columns] == ["A1", "A2", "A3", "B1", "B2", "B3", "C1", "C2", "C3"]
    assert [one.height for one in columns if one.sellers] == [0.5, 1.0, pytest.approx(1 / 6)]
    assert grades_title(counts).values == {"good": "30%", "risky": "10%"}


def test_an_unusual_scale_has_a_plain_title() -> None:
    counts = (GradeCount("G0", 3, 0.01), GradeCount("G1", 1, 0.3))
    assert [one.grade for one in grade_columns(counts)] == ["G0", "G1"]
    assert grades_title(counts).key == "grades_plain"
    assert grades_title(()).key == "grades_plain"


@pytest.mark.parametrize(
    ("level", "key"),
    [
        (estimate(1.18, 0.94, 1.57), "rates_agree"),
        (estimate(1.18, 1.02, 1.37), "rates_fewer"),
        (estimate(0.80, 0.70, 0.95), "rates_more"),
        (estimate(1.0, None, None), "rates_plain"),
    ],
)
def test_the_title_over_default_rates_says_what_the_interval_says(level: dict[str, Any], key: str) -> None:
    assert rates_title(level).key == key


def test_reasons_for_setting_rows_aside_come_most_frequent_first() -> None:
    record = StageRecord(100, 40, {"quarantined by line:width": 20, "repeated settlement": 30, "repeated row": 10})
    reasons = reasons_set_aside(record, page_texts("validation_page", "en"))
    assert [rows for _, rows in reasons] == [30, 20, 10]
    assert reasons[0][0].words == "The settlement was delivered before"
    assert reasons[1][0].code == "line:width"


def test_a_passport_has_one_line(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", passport_json())
    issued, lines = passport_lines(tmp_path)
    assert issued == 1
    assert (lines[0].grade, lines[0].score, lines[0].probability, lines[0].warnings) == ("B2", "612", 0.031245, 1)


@pytest.fixture
def profile() -> Profile:
    return synthetic_profile()


def test_a_ledger_without_its_key_counts_as_not_checked_and_no_key_is_made(
    tmp_path: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    place = Place(profile.name, tmp_path)
    assert read_promotions(profile, place).state.is_checked
    (place.root / "ledger").mkdir(parents=True)
    (place.root / "ledger" / "promotions.jsonl").write_text("{}\n{}\n")
    assert not read_promotions(profile, place).state.is_checked
    assert not (tmp_path / "keys").exists()


def test_a_ledger_that_was_changed_is_said_to_be_broken(
    tmp_path: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    load_keys(profile.name, is_demonstration=True, environment={"KEYS_DIR": str(tmp_path / "keys")})
    place = Place(profile.name, tmp_path)
    (place.root / "ledger").mkdir(parents=True)
    (place.root / "ledger" / "promotions.jsonl").write_text("{}\n{}\n")
    promotions = read_promotions(profile, place)
    assert promotions.entries == ()
    assert promotions.state.fault is not None


def a_change(*, compared: bool = True) -> dict[str, Any]:
    auc, gain = estimate(0.812, 0.79, 0.83), estimate(-0.013, -0.02, -0.006)
    found = {"incumbent_auc": estimate(0.825, 0.8, 0.85), "auc": auc, "differences": [{"measure": "auc", "gain": gain}]}
    before = {"version": "1", "kind": "linear", "fault": None if compared else "gone", "compared": None}
    candidate = {"version": None, "kind": "gbm", "auc": auc}
    return {"change": {"before": {**before, "compared": found if compared else None}, "candidate": candidate}}


def test_the_promotion_page_says_what_would_change_from_what_to_what() -> None:
    texts = page_texts("promotion_page", "en")
    assert change_words(a_change(), texts) == {
        "before": "version 1, linear",
        "candidate": "not registered, boosted trees",
        "auc_before": "0.825 (0.800 to 0.850)",
        "auc": "0.812 (0.790 to 0.830)",
        "difference": "−0.0130 (−0.0200 to −0.0060)",
        "fault": None,
    }
    apart = change_words(a_change(compared=False), texts)
    assert apart is not None
    assert (apart["auc_before"], apart["difference"], apart["fault"]) == (None, None, "gone")
    first = change_words({"change": {**a_change()["change"], "before": None}}, texts)
    assert first is not None
    assert (first["before"], first["auc"]) == ("none", "0.812 (0.790 to 0.830)")
    assert change_words({}, texts) is None
