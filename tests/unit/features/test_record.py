from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from features.record import DerivedFeature, Feature, identifiers

WORDS = {
    "pillar": "sales_health",
    "family": "sales_level",
    "unit": "USD",
    "direction": -1,
    "title_en": "Sales",
    "title_zh": "销售",
    "description": "Sum of sales.",
    "missing": "Not delivered.",
}


def base(**changes: object) -> Feature:
    fields = {
        "name": "sales_90d",
        "table": "money_event",
        "aggregate": "sum",
        "value": "amount_usd",
        **WORDS,
        **changes,
    }
    return Feature.model_validate(fields)


@pytest.mark.parametrize(
    "formula",
    [
        "1; DROP TABLE loan",
        "amount_usd -- all",
        "amount_usd /* all */",
        'amount_usd + "amount"',
        "read_csv('/etc/passwd')",
        "system('ls')",
        "(SELECT 1)",
        "SUM(amount_usd) OVER (PARTITION BY seller_id)",
    ],
)
def test_a_formula_with_anything_but_plain_arithmetic_is_refused(formula: str) -> None:
    columns = {"amount_usd"}
    try:
        named = set(identifiers(formula))
    except ValueError:
        return
    # What is not refused at once names words that no table has, and is refused when a set is loaded.
    assert named - columns


def test_identifiers_are_columns_and_neither_words_of_sql_nor_text() -> None:
    formula = "CASE WHEN event_type = 'sale' AND status IN ('paid') THEN ABS(amount_usd) END"
    assert identifiers(formula) == ("event_type", "status", "amount_usd")


@pytest.mark.parametrize(
    "changes",
    [
        {"value": None},
        {"aggregate": "hhi"},
        {"key": "sku"},
        {"window_days": 0},
        {"name": "Sales 90d"},
        {"direction": 2},
        {"pillar": "luck"},
        {"title_zh": ""},
        {"formula": "amount"},
    ],
)
def test_a_record_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    base()
    with pytest.raises(ValidationError):
        base(**changes)


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        base().name = "other"  # type: ignore[misc]


def test_a_derived_feature_is_missing_when_an_input_is_unless_it_states_otherwise() -> None:
    strict = DerivedFeature(name="larger", expression="GREATEST(one_part, other_part)", **WORDS)
    assert strict.guarded.startswith("CASE WHEN one_part IS NOT NULL AND other_part IS NOT NULL THEN")
    lenient = strict.model_copy(update={"handles_missing": True})
    assert lenient.guarded == "GREATEST(one_part, other_part)"
