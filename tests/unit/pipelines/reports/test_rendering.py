"""Requirements on every page: escaped, self-contained, complete in both languages."""

from __future__ import annotations

import re
import string
import tomllib
from importlib import resources

import jinja2
import pytest

from features.catalogue import feature_records
from pipelines.reports import rendering
from pipelines.reports.feature_values import unit_words, value_with_unit
from pipelines.reports.rendering import LANGUAGES, Language, TextMissingError, Texts, page_texts

TEXT_FILES = sorted(
    entry.name for entry in resources.files("pipelines.reports.texts").iterdir() if entry.name.endswith(".toml")
)
CHINESE = re.compile(r"[一-鿿]")


def texts_of(name: str) -> dict[str, dict[str, str]]:
    return tomllib.loads(resources.files("pipelines.reports.texts").joinpath(name).read_text(encoding="utf-8"))


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("name", TEXT_FILES)
def test_every_text_exists_in_both_languages_with_the_same_placeholders(name: str) -> None:
    texts = texts_of(name)
    assert texts
    for key, by_language in texts.items():
        assert set(by_language) == set(LANGUAGES), key
        assert places(by_language["en"]) == places(by_language["zh"]), key
        assert not CHINESE.search(by_language["en"]) or key == "other_language", key


def test_texts_name_a_missing_placeholder() -> None:
    texts = Texts("en", {"greeting": "{count} rows"})
    assert texts("greeting", count="3") == "3 rows"
    with pytest.raises(TextMissingError, match="farewell"):
        texts("farewell")
    with pytest.raises(TextMissingError, match="count"):
        texts("greeting")


def test_a_value_put_into_a_text_is_not_read_as_a_place() -> None:
    assert (
        Texts("en", {"seller": "seller {name}"})("seller", name="{__class__} {{7*7}}") == "seller {__class__} {{7*7}}"
    )


def test_a_code_without_words_is_shown_as_it_is() -> None:
    texts = page_texts("common", "zh")
    assert texts.of_code("pillar", "liquidity") == "流动性"
    assert texts.of_code("pillar", "no_such_pillar") == "no_such_pillar"


def test_a_value_that_the_context_lacks_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        rendering.render_page("passport_page.html.j2", "en", {"synthetic": True, "evidence": None})


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (rendering.number(1234.5678, 2), "1,234.57"),
        (rendering.number(-0.0004, 3), "0.000"),
        (rendering.number(-1.5, 1), "−1.5"),
        (rendering.number(float("nan")), "–"),
        (rendering.number(None), "–"),
        (rendering.whole(41999.6), "42,000"),
        (rendering.signed(3), "+3"),
        (rendering.signed(-3), "−3"),
        (rendering.signed(0.2), "0"),
        (rendering.percent(0.0312), "3.1%"),
        (rendering.significant(1234567.0), "1,234,567"),
        (rendering.significant(0.04217), "0.0422"),
        (rendering.significant(-3.0), "−3"),
        (rendering.significant(12.3456), "12.3"),
        (rendering.significant(2.0001), "2"),
        (rendering.power_of_ten(7e-15), "10⁻¹⁴"),
        (rendering.power_of_ten(0.0), "0"),
        (rendering.short_digest("ab" * 32), "abababababab"),
        (rendering.short_digest(None), "–"),
    ],
)
def test_figures_are_written_for_people(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    ("value", "unit", "language", "expected"),
    [
        (0.21, "share", "en", "21.0%"),
        (182233.5, "USD", "en", "182,234 USD"),
        (12.0, "days", "zh", "12 天"),
        (3.0, "count", "en", "3"),
        (-0.25, "ratio, -1 to 1", "en", "−0.25 (−1 to 1)"),
        (None, "USD", "zh", "未提供"),
    ],
)
def test_a_feature_value_carries_its_unit(value: float | None, unit: str, language: Language, expected: str) -> None:
    assert value_with_unit(value, unit, page_texts("passport_page", language)) == expected


def test_every_unit_of_a_feature_has_words_or_is_a_currency() -> None:
    units = {record.unit for record in feature_records()}
    texts = page_texts("common", "zh")
    assert units
    assert {unit for unit in units if unit_words(unit, texts) == unit.removeprefix("ln ")} <= {"USD", "ln USD"}


def test_every_pillar_of_a_feature_has_words() -> None:
    pillars = {record.pillar for record in feature_records()}
    texts = page_texts("common", "zh")
    assert pillars
    assert not {pillar for pillar in pillars if texts.of_code("pillar", pillar) == pillar}


def test_words_inside_a_css_string_cannot_end_it() -> None:
    assert str(rendering.css_text('a 1"}</style>\\数')) == "a 1\\000022\\00007d\\00003c\\00002fstyle\\00003e\\00005c数"


def test_the_back_link_is_put_in_its_one_place() -> None:
    page = f"<p>Product{rendering.WAY_BACK}</p>"
    linked = rendering.with_way_back(page, "../index.html", "Run & all")
    assert linked == '<p>Product / <a href="../index.html">Run &amp; all</a></p>'
    with pytest.raises(ValueError, match="one place"):
        rendering.with_way_back(linked, "../index.html", "Run")
