"""The model report shows what training wrote, claims no more, and leaves out what was not measured."""

from __future__ import annotations

import copy
import math
from typing import Any, get_args

import pytest

from models.components.encoding import WhySetAside
from models.components.gbm import GbmParameters
from pipelines.reports.model_page import ModelIdentity, model_words, render_model_page, segment_words
from pipelines.reports.rendering import LANGUAGES, Language, page_texts
from pipelines.reports.tuning_words import candidate_words
from tests.factories.model_reports import identity, out_of_time_report, small_sample_report
from tests.factories.pages import HOSTILE, faults_of, read_page

SMALL = identity("demonstration sample")


def text_of(document: dict[str, Any], subject: ModelIdentity, language: Language = "en") -> str:
    return read_page(render_model_page(document, subject, language)).text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("document", "subject"), [(out_of_time_report(), identity()), (small_sample_report(), SMALL)])
def test_the_report_is_self_contained_and_well_formed(
    document: dict[str, Any], subject: ModelIdentity, language: Language
) -> None:
    page = render_model_page(document, subject, language)
    assert faults_of(page) == []
    assert len(page.encode()) < 600_000
    assert page == render_model_page(document, subject, language)


def test_the_report_states_measures_with_their_intervals() -> None:
    document = out_of_time_report()
    area = document["evaluation"]["models"][0]["measures"]["auc"]
    text = text_of(document, identity())
    assert f"{area['value']:.3f} {area['lower']:.3f} to {area['upper']:.3f}" in text
    for stated in ("Binned logistic scorecard", "without liquidity", "Main sales channel", "2024 Q3", "12" * 32):
        assert stated in text


def test_every_observation_of_the_waterfall_is_shown() -> None:
    text = text_of(out_of_time_report(), identity())
    for shown in ("41,000", "−9,000", "−41", "31,959", "performance window not over", "already in default"):
        assert shown in text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Features set aside: 3", "no declared direction: months_observed, share_of_own_shop")),
        ("zh", ("剔除变量：3 个", "未声明方向: months_observed, share_of_own_shop", "无已知取值: site_session_trend")),
    ],
)
def test_every_feature_that_is_not_used_is_named_with_the_reason(language: Language, words: tuple[str, ...]) -> None:
    text = text_of(out_of_time_report(), identity(), language).replace(" ,", ",").replace(" :", ":")
    for stated in words:
        assert stated in text


def test_every_reason_to_set_a_feature_aside_has_words_on_the_page() -> None:
    reasons = [f"aside_{reason.replace(' ', '_')}" for reason in get_args(WhySetAside)]
    assert len(reasons) == 6
    for language in LANGUAGES:
        assert [reason for reason in reasons if reason not in page_texts("model_page", language).words] == []


def test_no_improvement_is_claimed_below_the_detectable_gain() -> None:
    document = copy.deepcopy(out_of_time_report())
    text = text_of(document, identity())
    assert "Significantly better than 'coin'" in text
    for difference in document["evaluation"]["differences"]:
        difference["verdict"] = "not_shown"
    text = text_of(document, identity())
    assert "Significantly better than" not in text
    assert "No significant difference from 'coin': ΔAUC" in text


def test_a_champion_not_shown_above_the_scorecard_says_so_in_the_summary() -> None:
    document = copy.deepcopy(out_of_time_report())
    against = next(one for one in document["evaluation"]["differences"] if one["other"] == "scorecard")
    said = "does not prove that the model is better than the plain scorecard"
    for verdict in ("not_shown", "worse"):
        against["verdict"] = verdict
        assert said in text_of(document, identity())
    for verdict in ("better", "identical"):
        against["verdict"] = verdict
        assert said not in text_of(document, identity())


def test_a_gain_above_zero_but_too_small_to_claim_is_only_suggested() -> None:
    document = copy.deepcopy(out_of_time_report())
    loss = next(one for one in document["evaluation"]["differences"] if one["other"] == "without_liquidity")
    loss |= {"verdict": "not_shown", "gain": {**loss["gain"], "lower": 0.001, "value": 0.01, "upper": 0.02}}
    assert "suggested, not significant" in text_of(document, identity())
    loss["gain"]["lower"] = -0.001
    assert "suggested, not significant" not in text_of(document, identity())


def test_a_champion_that_is_its_own_baseline_says_so_and_power_is_that_of_another() -> None:
    document = copy.deepcopy(out_of_time_report())
    document["evaluation"]["differences"][0]["verdict"] = "identical"
    text = text_of(document, identity())
    assert "The same model as 'Binned logistic scorecard'" in text
    assert "Compared with 'coin', a true ΔAUC" in text


def test_calibration_that_misses_one_is_called_off() -> None:
    document = copy.deepcopy(out_of_time_report())
    slope = document["evaluation"]["models"][0]["measures"]["calibration_slope"]
    assert "Calibration slope: the 95% CI" in text_of(document, identity())
    slope |= {"lower": 0.5, "value": 0.6, "upper": 0.8}
    assert "Not well calibrated: the 95% CI of the slope, 0.50 to 0.80, is below 1" in text_of(document, identity())
    slope |= {"lower": 1.1, "value": 1.2, "upper": 1.3}
    assert "Not well calibrated: the 95% CI of the slope, 1.10 to 1.30, is above 1" in text_of(document, identity())
    slope |= {"lower": None, "value": None, "upper": None}
    assert "too small for a calibration slope" in text_of(document, identity())


@pytest.mark.parametrize("section", ["population", "split", "audit", "training", "extra"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_section_that_was_not_measured_is_left_out(section: str, language: Language) -> None:
    for document, subject in ((out_of_time_report(), identity()), (small_sample_report(), SMALL)):
        whole = render_model_page(document, subject, language)
        page = render_model_page({**document, section: None}, subject, language)
        assert faults_of(page) == []
        assert len(page) < len(whole) or document[section] is None


def test_a_section_that_is_absent_altogether_is_an_error() -> None:
    document = out_of_time_report()
    del document["split"]
    with pytest.raises(KeyError, match="split"):
        render_model_page(document, identity(), "en")


def test_the_small_sample_report_states_what_it_cannot_show() -> None:
    text = text_of(small_sample_report(), SMALL)
    for said in (
        "Evidence: demonstration sample",
        "must not be used for any credit decision",
        "48% of the bad firms issued no more sales invoices from 2019-12-01 on, compared with 22% of the good ones",
        "without features that stop when trading stops",
        "only what was known by 2019-06-30",
        "302 firms without a credit record are scored by a model trained on 123",
        "1 of 1 features have shifted by more than chance explains",
        "Net sales, last 365 days 5,200,000 CNY 10,800,000 CNY 2.08 0.41 0.22 shifted",
        "Section 8 measures the effect",
        "defaults support a rough ranking and little more",
        "credit_rating: pure value",
        "The flag has no date:",
        "One observation a firm.",
        "The probability has no time horizon.",
    ):
        assert said in text
    assert "performance window stated above" not in text
    assert "Synthetic data." not in text
    assert "Synthetic data." in text_of(out_of_time_report(), identity())


def test_broken_promises_are_named_broken() -> None:
    document = copy.deepcopy(out_of_time_report())
    assert "broken" not in text_of(document, identity())
    document["audit"]["hiding"]["single"]["gained"] = 3
    assert text_of(document, identity()).count("broken") == 1


def replace_names(document: dict[str, Any], hostile: str) -> dict[str, Any]:
    """Return the document with a hostile name wherever a name comes from data."""
    spoilt = copy.deepcopy(document)
    evaluation = spoilt["evaluation"]
    evaluation["models"][1]["name"] = hostile
    for difference in evaluation["differences"]:
        difference["other"] = hostile if difference["other"] == "scorecard" else difference["other"]
    segment = evaluation["segments"][0]
    column, part = segment["column"], segment["parts"][0]["part"]
    segment["column"] = segment["parts"][0]["part"] = hostile
    for level in evaluation["level"]:
        if level["column"] == column:
            level.update(column=hostile, part=hostile if level["part"] == part else level["part"])
    for row in evaluation["grades"]["rows"]:
        row["name"] = hostile
    for part in evaluation["periods"]:
        part["part"] = hostile
    spoilt["population"]["dropped"] = {hostile: 41, "immature": 9000}
    spoilt["split"]["parts"][0]["part"] = hostile
    spoilt["split"]["by_date"][0]["as_of"] = hostile
    spoilt["audit"]["leaks"]["rejected"] = [{"feature": hostile, "reason": hostile}]
    spoilt["training"]["candidates"][0]["name"] = hostile
    return spoilt


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_stay_text(hostile: str) -> None:
    subject = identity(hostile)
    for language in LANGUAGES:
        page = render_model_page(replace_names(out_of_time_report(), hostile), subject, language)
        assert faults_of(page) == []
        text = read_page(page).text
        assert text.count(" ".join(hostile.split())) > 15
        assert "49" not in text.split()


def test_grades_and_segments_have_the_verdict_on_their_level() -> None:
    document = copy.deepcopy(out_of_time_report())
    for level in document["evaluation"]["level"]:
        level["verdict"] = {"A": "too_low", "B": "too_few", "platform": "too_high"}.get(level["part"], "agrees")
    page = text_of(document, identity())
    assert page.count("predicts too few defaults") == 1
    assert page.count("predicts too many defaults") == 1
    assert page.count("too few defaults to judge") == 1
    assert "Predicts too few defaults in 1 of 3 grades with enough defaults" in page


@pytest.mark.parametrize(
    ("part", "language", "expected"),
    [
        ("below 3", "zh", "低于 3"),
        ("3 to 12", "en", "3 to 12"),
        ("12 and above", "zh", "12 及以上"),
        ("missing", "zh", "缺失"),
        ("small groups together", "zh", "小群合并"),
        ("Temu", "zh", "Temu"),
    ],
)
def test_segments_are_named_in_the_language_of_the_page(part: str, language: Language, expected: str) -> None:
    assert segment_words(part, page_texts("model_page", language)) == expected


@pytest.mark.parametrize(
    ("name", "language", "expected"),
    [
        ("linear penalty=64.0", "en", "Linear logistic regression, penalty 64"),
        ("scorecard penalty=0.5", "zh", "分箱逻辑回归评分卡，惩罚系数 0.5"),
        (
            "blend share_of_gbm=0.25 rest=scorecard",
            "en",
            "Blend: 25% boosted trees, 75% binned logistic scorecard",
        ),
        ("something new", "en", "something new"),
        ("gbm {broken} rounds=3", "en", "gbm {broken} rounds=3"),
    ],
)
def test_trials_are_described_in_words(name: str, language: Language, expected: str) -> None:
    assert candidate_words(name, page_texts("model_page", language)) == expected


def test_settings_of_boosted_trees_are_worded_as_in_the_training_log() -> None:
    parameters = GbmParameters(leaves=4, rows_in_leaf=27, learning_rate=0.05, lambda_l2=10.0)
    words = candidate_words(f"gbm {parameters.model_dump_json()} rounds=104", page_texts("model_page", "en"))
    assert words.startswith("Boosted trees: 104 trees of at most 4 leaves, 27 rows or more in a leaf, ")
    assert "learning rate 0.05, leaf penalty 10, each tree on 60% of the features and 80% of the rows" in words


def test_models_are_named_in_the_language_of_the_page() -> None:
    texts = page_texts("model_page", "zh")
    assert model_words("without_supply_chain", texts) == "不含供应链稳定性"
    assert model_words("best_single_variable", texts) == "最佳单变量"
    assert model_words("something_new", texts) == "something_new"


def lie_line(lie: str, before: float, after: float, codes: dict[str, int]) -> dict[str, Any]:
    def gain(value: float) -> dict[str, Any]:
        return {
            "mean": {"value": value, "lower": value - 0.5, "upper": value + 0.5},
            "largest": 3 * value,
            "gaining": 0.5,
        }

    flagged = {"value": 0.9, "lower": 0.85, "upper": 0.95}
    return {"lie": lie, "before": gain(before), "after": gain(after), "flagged": flagged, "codes": codes}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_cheap_lies_gain_is_a_section_and_those_that_pay_are_named(language: Language) -> None:
    told = [
        lie_line("drop_refunds", 13.2, 0.0, {"statements_do_not_close": 184}),
        lie_line("raise_everything", 2.0, 1.4, {}),
    ]
    flagged = {"value": 0.1, "lower": 0.07, "upper": 0.15}
    lies = {"as_of": "2024-12-31", "sellers": 200, "honest": {"flagged": flagged, "codes": {}}, "lies": told}
    page = render_model_page({**out_of_time_report(), "lies": lies}, identity(), language)
    assert faults_of(page) == []
    text = read_page(page).text
    said = {
        "en": (
            "All refunds left out 13.2 12.7 – 13.7 40 0.0 −0.5 – 0.5 0 90% 85% – 95%",
            "Platform statements do not add up to their payout (184)",
            "These lies still pay: All amounts × 1.3.",
            "10% of the honest rows have one of these codes too",
        ),
        "zh": ("平台结算单与回款金额不平 (184)", "仍有得益的造假方式：全部金额 × 1.3。"),
    }
    for words in said[language]:
        assert words in text
    assert "What cheap lies gain" not in read_page(render_model_page(out_of_time_report(), identity(), "en")).text


def test_the_bands_of_a_segment_are_in_the_order_of_their_edges() -> None:
    document = copy.deepcopy(out_of_time_report())
    evaluation = document["evaluation"]
    part, bands = evaluation["segments"][0]["parts"][0], ["1,000 and above", "200 to 1,000", "90 to 200", "below 90"]
    evaluation["segments"][0]["parts"] = [{**part, "part": band} for band in ["missing", *bands]]
    evaluation["level"] += [{**evaluation["level"][-1], "part": band} for band in ["missing", *bands]]
    text = text_of(document, identity()).partition("By segment: Main sales channel")[2]
    places = [text.index(band) for band in [*reversed(bands), "missing"]]
    assert places == sorted(places)


def test_the_table_of_cut_offs_states_scores_shares_and_the_assumptions() -> None:
    document = out_of_time_report()
    text = text_of(document, identity())
    lines = document["evaluation"]["cut_offs"]
    assert f"{lines[0]['approved']:.0%}" in text
    # Grade A holds probabilities up to 5 %: 600 points at odds of 30 to 1, 40 points to double them.
    lowest = math.ceil(600 - 40 / math.log(2) * (math.log(0.05 / 0.95) + math.log(30)))
    assert f"A {lowest} " in text
    assert "everybody – 100%" in text
    assert "a loan that is paid earns 6.0%, one in default loses 45%" in text


def test_doubts_and_waivers_of_the_leak_check_are_shown() -> None:
    text = text_of(out_of_time_report(), identity())
    assert "Worth a look, not refused: site_orders: AUC 0.81 by itself" in text
    assert "Waived by a person: old_rating: given before the loan (Chen, until 2026-12-31)" in text
    assert "Waived by a person" not in text_of(small_sample_report(), SMALL)
