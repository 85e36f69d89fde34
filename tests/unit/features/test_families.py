from __future__ import annotations

import math
import re
from importlib import resources
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from data_contracts.definition.compiler import table_names
from data_contracts.entities.party_matches import PARTY_MATCH
from data_contracts.errors import ConfigurationRefused
from data_contracts.strict_yaml import read_yaml
from features.catalogue import feature_records, select_features
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.sql_text import nested, select
from features.engine.views import tables_behind
from features.families import PillarFile
from features.formulas import seasonal_variation
from features.graph.signals import signal_tables
from features.pages import UNREAD_TABLES
from features.policy import Policy, load_policy
from features.quantities import quantity
from features.reconciliation.claims import FULL_HOSTED_SOURCES
from features.record import PILLARS, DerivedFeature, Feature, GraphFeature

if TYPE_CHECKING:
    from features.record import FeatureRecord

POLICY = Policy.model_validate({"thresholds": {"late_days": {"value": 7, "meaning": "Late.", "source": "own"}}})
FILE = """
missing:
  no_sales: Nothing was sold.
families:
  refunds:
    unit: share
    direction: 1
    missing: no_sales
    features:
      refund_share:
        windows: [90, 365]
        share: ["platform_refunds_{days}d", "platform_sales_{days}d"]
        title_en: Refunds, {window}
        title_zh: 退款（{window}）
        description: Refunds of the last {days} days.
      late_count_30d:
        rows: {table: instalment, aggregate: count, where: "days_late >= {late_days}"}
        unit: count
        title_en: Late by {late_days} days
        title_zh: 逾期{late_days}天
        description: Instalments late by {late_days} days.
"""


def records_of(text: str) -> dict[str, FeatureRecord]:
    content = read_yaml(text, "a file")
    return {one.name: one for one in PillarFile.model_validate(content).records("liquidity", POLICY)}


def test_a_member_becomes_one_feature_for_each_window_in_formula_and_words() -> None:
    quarter, year = records_of(FILE)["refund_share_90d"], records_of(FILE)["refund_share_365d"]
    assert isinstance(year, DerivedFeature)
    assert year.expression == "CASE WHEN platform_sales_365d > 0 THEN platform_refunds_365d / platform_sales_365d END"
    assert (quarter.title_en, quarter.title_zh) == ("Refunds, last 3 months", "退款（近3个月）")
    assert year.description == "Refunds of the last 365 days."


def test_a_member_takes_the_facts_of_its_family_unless_it_states_its_own() -> None:
    found = records_of(FILE)
    share, count = found["refund_share_90d"], found["late_count_30d"]
    assert (share.unit, count.unit) == ("share", "count")
    assert share.missing == count.missing == "Nothing was sold."
    assert (share.family, share.pillar, share.reference) == ("refunds", "liquidity", "own")


def test_a_threshold_stands_in_formula_and_words_and_the_window_follows_from_the_name() -> None:
    count = records_of(FILE)["late_count_30d"]
    assert isinstance(count, Feature)
    assert (count.where, count.window_days) == ("days_late >= 7", 30)
    assert (count.title_en, count.title_zh) == ("Late by 7 days", "逾期7天")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("{late_days} days\n        title_zh", "{later_days} days\n        title_zh", "no threshold 'later_days'"),
        ("missing: no_sales", "missing: no_sale", "nothing under 'missing' is named 'no_sale'"),
        ("direction: 1\n", "direction: 2\n", "direction"),
        ("    direction: 1\n", "", "direction"),
        ("late_count_30d:\n", "late_count_30d:\n        sql: platform_sales_90d / 2\n", "exactly one of"),
        ('        share: ["platform_refunds_{days}d", "platform_sales_{days}d"]\n', "", "has none"),
        ("    unit: share", "    unti: share", "unti"),
    ],
)
def test_a_file_with_a_mistake_is_refused_and_the_mistake_named(before: str, after: str, said: str) -> None:
    assert FILE.count(before) == 1
    with pytest.raises(ValueError, match=re.escape(said)):
        records_of(FILE.replace(before, after))


def test_a_key_that_stands_twice_is_refused_instead_of_dropped() -> None:
    with pytest.raises(ConfigurationRefused, match="the key 'unit' is given twice"):
        read_yaml(FILE.replace("    unit: share", "    unit: share\n    unit: ratio"), "a file")


def test_a_quantity_comes_into_being_for_any_window_that_a_formula_names() -> None:
    found = quantity("platform_refunds_77d")
    assert found is not None
    assert (found.window_days, found.aggregate, found.value, found.unit) == (77, "sum", "-amount_usd", "USD")
    whole = quantity("platform_sale_rows_all")
    assert whole is not None
    assert (whole.window_days, whole.aggregate, whole.unit) == (None, "count", "count")
    assert quantity("platform_refundz_90d") is None


def test_a_set_that_names_a_quantity_is_refused_even_if_no_feature_needs_it() -> None:
    with pytest.raises(ConfigurationRefused, match=r"intermediate quantities.*platform_refunds_77d"):
        select_features("own", "1.0.0", ["platform_refunds_77d"])


def test_the_catalogue_lists_the_pillars_in_their_order() -> None:
    pillars = [record.pillar for record in feature_records() if not record.is_intermediate]
    assert list(dict.fromkeys(pillars)) == list(PILLARS)
    assert pillars == sorted(pillars, key=PILLARS.index)


def test_every_threshold_of_the_policy_is_used_and_says_where_it_comes_from() -> None:
    rules = (resources.files("features") / "integrity" / "rules.yaml").read_text(encoding="utf-8")
    texts = _texts_of_the_catalogue() + rules
    policy = load_policy()
    assert [name for name in policy.thresholds if f"{{{name}}}" not in texts] == []
    assert all(len(threshold.source) >= 3 for threshold in policy.thresholds.values())


def _texts_of_the_catalogue() -> str:
    folder = resources.files("features")
    files: list[Any] = [folder / "quantities.yaml", *(folder / "pillars" / f"{pillar}.yaml" for pillar in PILLARS)]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_every_canonical_table_is_read_by_a_feature_or_listed_with_the_reason_why_not() -> None:
    read = {PARTY_MATCH}
    for record in feature_records():
        if isinstance(record, Feature):
            read |= tables_behind(record.table)
        elif isinstance(record, GraphFeature):
            read |= set(signal_tables(record))
    assert set(table_names()) - read == set(UNREAD_TABLES)


def test_hosted_sales_are_those_of_the_sources_of_fully_hosted_selling() -> None:
    hosted = quantity("hosted_sales_365d")
    assert hosted is not None
    assert tuple(re.findall(r"'(\w+)@%'", hosted.where or "")) == FULL_HOSTED_SOURCES


def seasonal_variation_of(months: list[float]) -> float | None:
    """Return the formula's value for 24 monthly sales, the latest first."""
    windows = {f"sales_{30 * (number + 1)}d": sum(months[: number + 1]) for number in range(24)}
    columns = ", ".join(f"CAST({value} AS DOUBLE) AS {name}" for name, value in windows.items())
    statement = select([seasonal_variation("sales")], nested(select([columns], "observed"), "sales"))
    with DuckDbEngine(1) as engine:
        engine.load("observed", pa.table({"seller_id": ["S1"]}))
        found: float | None = engine.query(statement).column(0)[0].as_py()
    return found


def test_a_season_that_returns_every_year_is_no_volatility() -> None:
    season = [50.0, 60, 90, 300, 200, 100, 80, 70, 60, 55, 50, 45]
    assert seasonal_variation_of(season + season) == pytest.approx(0.0, abs=1e-6)
    assert seasonal_variation_of([2 * sale for sale in season] + season) == pytest.approx(0.0, abs=1e-6)
    jump = [season[0] * math.exp(1.2), *season[1:]]
    assert seasonal_variation_of(jump + season) == pytest.approx(1.2 / math.sqrt(12), abs=1e-9)
    assert seasonal_variation_of([0.0, *season[1:], *season]) is None
