"""The passport page agrees with the passport's JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pipelines.reports.passport_page import render_passport_page, ruler_place
from tests.factories.pages import HOSTILE, faults_of, read_page
from tests.factories.passports import OPTIONAL_FIELDS, passport_json, without


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_is_self_contained_and_well_formed(language: str) -> None:
    page = render_passport_page(passport_json(), language)
    assert faults_of(page) == []
    assert len(page.encode()) < 60_000
    assert f'lang="{"zh-Hans" if language == "zh" else "en"}"' in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_the_assessment_its_reasons_and_its_origin(language: str) -> None:
    passport = passport_json()
    subject = passport["credentialSubject"]
    text = read_page(render_passport_page(passport, language)).text
    for shown in ("612", "B2", "3.12%", "2.12%", "4.51%", "+15", "−9", "182,234 USD", "21.0%"):
        assert shown in text
    for reason in (*subject["points"]["for"], *subject["points"]["against"]):
        assert reason[language] in text
    for digest in (
        subject["model"]["bundle_sha256"],
        subject["model"]["feature_set"]["sha256"],
        passport["issuer"]["id"],
    ):
        assert digest in text
    assert f"passport verify {subject['pseudonym']}.json" in text


def test_the_printed_sum_is_the_score() -> None:
    text = read_page(render_passport_page(passport_json(), "en")).text
    assert "604 Base + 19 Reasons for − 13 Reasons against + 2 All others = 612 Score" in text
    assert 604 + 19 - 13 + 2 == 612


def test_a_value_that_the_reason_states_is_not_repeated() -> None:
    passport = passport_json()
    reason = passport["credentialSubject"]["points"]["against"][0]
    assert read_page(render_passport_page(passport, "en")).text.count("21.0%") == 1
    reason["en"] = "Refund rate, last 90 days (0.21 share) lowers the score"
    text = read_page(render_passport_page(passport, "en")).text
    assert "21.0%" not in text
    assert text.count("0.21") == 1


@pytest.mark.parametrize("path", OPTIONAL_FIELDS)
def test_a_field_that_is_absent_leaves_no_trace(path: tuple[str, ...]) -> None:
    assert faults_of(render_passport_page(without(path), "en")) == []


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "en",
            (
                "This seller and seller 21b4ac99 use the bank account c537433c since 2022-06-07;",
                "seller 21b4ac99 in default since 2024-12-14.",
                "2 more are not listed here.",
                "This seller guarantees seller d753e7a2 for 222,000 USD since 2021-03-26;",
                "seller d753e7a2 guarantees seller 21b4ac99 since 2021-04-01;",
            ),
        ),
        (
            "zh",
            (
                "本卖家与卖家21b4ac99使用同一银行账户c537433c，自2022-06-07起；卖家21b4ac99自2024-12-14起违约。",
                "另有 2 条未在此列出。",
                "本卖家为卖家d753e7a2提供担保，金额222,000美元，自2021-03-26起；卖家d753e7a2为卖家21b4ac99提供担保",
            ),
        ),
    ],
)
def test_links_of_related_parties_are_told_and_drawn(language: str, sentences: tuple[str, ...]) -> None:
    page = render_passport_page(passport_json(), language)
    text = read_page(page).text
    for sentence in sentences:
        assert sentence in text
    (picture,) = re.findall(r'<svg[^>]*class="related-parties".*?</svg>', page, re.DOTALL)
    assert picture.count("<circle") == 3
    assert picture.count("<rect") == 1
    assert picture.count('class="bad"') == 1
    assert all(name in picture for name in ("21b4ac99", "d753e7a2", "c537433c"))


def test_features_with_the_same_links_are_told_together() -> None:
    passport = passport_json()
    first, second = passport["credentialSubject"]["related_parties"]
    second["paths"] = first["paths"]
    text = read_page(render_passport_page(passport, "en")).text
    assert "Excess default rate of related sellers; Member of a guarantee circle" in text
    assert text.count("use the bank account") == 2  # once in words, once as the alternative of the picture


@pytest.mark.parametrize("links", [None, []])
def test_a_seller_without_links_has_no_section_about_them(links: list[Any] | None) -> None:
    passport = passport_json()
    passport["credentialSubject"]["related_parties"] = links
    page = render_passport_page(passport, "en")
    assert 'id="links"' not in page
    assert 'class="related-parties"' not in page


def test_synthetic_is_called_synthetic_and_a_demonstration_a_demonstration() -> None:
    synthetic = read_page(render_passport_page(passport_json(), "en")).text
    assert "Synthetic data." in synthetic
    assert "Demonstration passport" in synthetic
    sample = passport_json()
    sample["credentialSubject"] |= {"evidence": "demonstration sample", "demonstration": False}
    real = read_page(render_passport_page(sample, "zh")).text
    assert "合成数据" not in real
    assert "演示样本" in real
    assert "演示护照" not in real


# A passport is signed only with days and a type of link from the schema's list.
FIXED = {"link_type", "valid_from", "valid_to", "in_default_since"}


def replace_words(value: Any, hostile: str) -> Any:  # noqa: ANN401 - walks any JSON
    if isinstance(value, dict):
        return {key: item if key in FIXED else replace_words(item, hostile) for key, item in value.items()}
    if isinstance(value, list):
        return [replace_words(item, hostile) for item in value]
    return hostile if isinstance(value, str) and not _is_figure(value) else value


def _is_figure(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_in_any_field_stay_text(hostile: str) -> None:
    passport = replace_words(passport_json(), hostile)
    assert json.dumps(passport).count(json.dumps(hostile)) > 50
    for language in ("en", "zh"):
        page = render_passport_page(passport, language)
        assert faults_of(page) == []
        assert "<script" not in page
        assert "49" not in read_page(page).text.split()


def test_the_ruler_runs_from_left_to_right_and_stays_inside() -> None:
    places = [ruler_place(value) for value in (0.0, 0.001, 0.03, 0.3, 0.6, 1.0)]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0.0, 1.0)


def test_other_languages_are_refused() -> None:
    with pytest.raises(ValueError, match="not in 'fr'"):
        render_passport_page(passport_json(), "fr")
