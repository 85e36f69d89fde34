"""The explanation page shows weights, directions, and sums that add up."""

from __future__ import annotations

import copy
import re
from functools import cache
from typing import Any

import pytest

from models.explanation.explain import explain_model
from models.explanation.explanation import ExplainSettings
from pipelines.reports.explanation_page import ExplanationSubject, render_explanation_page
from pipelines.reports.rendering import LANGUAGES, Language, whole
from tests.factories.models import small_credit_model, small_world
from tests.factories.pages import HOSTILE, faults_of, read_page
from tests.factories.rendered_pages import linked_parties

SUBJECT = ExplanationSubject(
    "seller-default", "1", "12" * 32, "synthetic world", is_synthetic=True, points_to_double_odds=40.0
)


@cache
def explanation() -> dict[str, Any]:
    sample = small_world().dataset
    days = [day.astype(object) for day in sample.as_of[:600]]
    settings = ExplainSettings(tested_rows=100)
    return explain_model(small_credit_model(), sample.X[:600], list(sample.seller_id[:600]), days, settings).to_dict()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_self_contained_and_well_formed(language: Language) -> None:
    page = render_explanation_page(explanation(), SUBJECT, language)
    assert faults_of(page) == []
    assert len(page.encode()) < 600_000
    assert page == render_explanation_page(explanation(), SUBJECT, language)


def test_features_are_in_the_order_of_their_weight() -> None:
    page = render_explanation_page(explanation(), SUBJECT, "en")
    table = page[page.index('id="features"') : page.index('id="dependence"')]
    used = [feature for feature in explanation()["features"] if feature["mean_absolute_points"] > 0]
    places = [table.index(f">{feature['title_en']}<") for feature in used]
    assert len(places) == 9
    assert places == sorted(places)
    assert "Available, but without weight in this model (1): Site session trend." in read_page(page).text


def test_every_used_feature_has_a_curve_and_an_unused_one_has_none() -> None:
    page = render_explanation_page(explanation(), SUBJECT, "en")
    unused = [one["feature"] for one in explanation()["dependence"] if one["verdict"] == "unused"]
    assert unused == ["site_session_trend"]
    assert page.count('<svg class="chart"') == len(explanation()["features"]) - len(unused)


def test_the_steps_of_every_seller_lead_from_the_base_to_the_score() -> None:
    page = render_explanation_page(explanation(), SUBJECT, "en")
    tables = re.findall(r'<table class="stack steps">.*?</table>', page, re.DOTALL)
    assert len(tables) == len(explanation()["local"]) == 3
    for table, local in zip(tables, explanation()["local"], strict=True):
        cells = re.findall(r'<td class="n[^"]*"[^>]*>([−+\d]*)</td>', table)
        points, sums = cells[0::2], [int(cell) for cell in cells[1::2]]
        assert (sums[0], sums[-1]) == (local["base_points"], local["score"])
        steps = [int(point.replace("−", "-")) for point in points if point]
        assert [sums[0] + sum(steps[:count]) for count in range(len(steps) + 1)] == sums[:-1]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            "pe-00026 owns B since 2023-02-01 (links.csv, row 3); B in default since 2024-03-05.",
        ),
        ("zh", "pe-00026持有A的股权，自2023-02-01起（links.csv，第3行）；pe-00026持有B的股权"),
    ],
)
def test_links_of_a_seller_are_told_with_their_rows_and_drawn(language: Language, words: str) -> None:
    links = {"weakest": linked_parties("pe-00026")}
    page = render_explanation_page(explanation(), SUBJECT, language, links)
    assert words in read_page(page).text
    assert page.count('class="related-parties"') == 1
    # Under the steps of that seller, not of another one.
    parts = re.split(r'<h3 id="local-', page)
    assert [part.split('"')[0] for part in parts if 'class="related-parties"' in part] == ["weakest"]


def test_without_links_the_page_says_nothing_about_them() -> None:
    plain = render_explanation_page(explanation(), SUBJECT, "en")
    assert 'class="links"' not in plain
    assert render_explanation_page(explanation(), SUBJECT, "en", {}) == plain


def test_a_feature_that_works_the_other_way_is_named() -> None:
    changed = copy.deepcopy(explanation())
    assert (
        "No feature works against its expected direction"
        in read_page(render_explanation_page(changed, SUBJECT, "en")).text
    )
    changed["dependence"][0]["verdict"] = "against"
    text = read_page(render_explanation_page(changed, SUBJECT, "en")).text
    assert "Against the expected direction: Payout sum 90d." in text


def test_points_that_do_not_add_up_are_confessed() -> None:
    changed = copy.deepcopy(explanation())
    rows = whole(changed["additivity"]["rows"])
    assert f"In all {rows} rows the points add up" in read_page(render_explanation_page(changed, SUBJECT, "en")).text
    changed["additivity"]["unequal_scores"] = 2
    assert f"In 2 of {rows} rows the points do not" in read_page(render_explanation_page(changed, SUBJECT, "en")).text


def test_an_explanation_without_trials_or_dates_is_still_a_page() -> None:
    changed = copy.deepcopy(explanation())
    changed["reason_tests"] |= {"faithful_share": None, "same_first_share": None, "same_two_share": None}
    for local in changed["local"]:
        local["as_of"] = None
    assert faults_of(render_explanation_page(changed, SUBJECT, "zh")) == []


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_stay_text(hostile: str) -> None:
    changed = copy.deepcopy(explanation())
    for feature in changed["features"]:
        feature |= {"title_en": hostile, "title_zh": hostile, "unit": hostile, "pillar": hostile}
    for pillar in changed["pillars"]:
        pillar["name"] = hostile
    for local in changed["local"]:
        local |= {"seller_id": hostile, "grade": hostile}
    subject = ExplanationSubject(hostile, hostile, hostile, hostile, is_synthetic=False, points_to_double_odds=40.0)
    for language in LANGUAGES:
        page = render_explanation_page(changed, subject, language)
        assert faults_of(page) == []
        assert read_page(page).text.count(" ".join(hostile.split())) > 50
