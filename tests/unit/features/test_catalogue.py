from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from data_contracts.errors import ConfigurationRefused
from features.build import ALWAYS_COVERED
from features.catalogue import feature_records, feature_set_names, load_feature_set, select_features
from features.engine.views import tables_behind as tables_of
from features.record import DerivedFeature, Feature, GraphFeature

if TYPE_CHECKING:
    from pathlib import Path

    from features.catalogue import FeatureSet
    from features.record import FeatureRecord

CATALOGUE = {record.name: record for record in feature_records()}
TRADING = {"money_event", "trade_invoice", "export_declaration", "site_order", "site_day"}


def tables_behind(record: FeatureRecord) -> set[str]:
    """Return every canonical table behind a feature, through all its inputs."""
    if isinstance(record, Feature):
        return set(tables_of(record.table))
    if isinstance(record, GraphFeature):
        return set(record.tables)
    return set().union(*(tables_behind(CATALOGUE[name]) for name in record.inputs()))


def base_inputs(record: FeatureRecord) -> list[Feature]:
    if isinstance(record, DerivedFeature):
        return [base for name in record.inputs() for base in base_inputs(CATALOGUE[name])]
    return [record] if isinstance(record, Feature) else []


@pytest.fixture(params=feature_set_names())
def feature_set(request: pytest.FixtureRequest) -> FeatureSet:
    return load_feature_set(request.param)


def test_every_packaged_set_loads_and_names_each_feature_once(feature_set: FeatureSet) -> None:
    assert len(set(feature_set.names)) == len(feature_set.names) > 20


def test_the_seller_set_is_wide_enough_and_covers_every_pillar() -> None:
    records = load_feature_set("seller_core").records
    assert len(records) >= 45
    assert sum(isinstance(record, GraphFeature) for record in records) >= 6
    assert len({record.pillar for record in records}) == 8


def test_every_feature_that_a_seller_could_hide_has_a_direction(feature_set: FeatureSet) -> None:
    """Only a constrained feature can be encoded so that hiding never pays."""
    hideable = [record for record in feature_set.records if tables_behind(record) - ALWAYS_COVERED]
    assert [record.name for record in hideable if record.direction == 0] == []


def test_features_that_stop_with_trading_are_marked() -> None:
    for record in CATALOGUE.values():
        bases = [base for base in base_inputs(record) if base.table in TRADING]
        recent = any(base.window_days is not None or base.aggregate == "days_since_last" for base in bases)
        if isinstance(record, GraphFeature):
            recent = bool(set(record.tables) & TRADING) and record.window_days is not None
        if recent:
            assert record.stops_with_trading, record.name


def test_the_set_without_recency_is_the_other_less_what_stops() -> None:
    whole = load_feature_set("trade_invoice")
    kept = tuple(record.name for record in whole.records if not record.stops_with_trading)
    assert load_feature_set("trade_invoice_without_recency").names == kept
    assert len(kept) < len(whole.names)


def test_the_invoice_sets_read_invoices_and_nothing_of_neighbours_defaults() -> None:
    records = load_feature_set("trade_invoice").records
    assert set().union(*(tables_behind(record) for record in records)) == {"trade_invoice"}
    signals = {record.signal for record in records if isinstance(record, GraphFeature)}
    assert signals == {"counterparty_overlap_count", "counterparty_overlap_jaccard", "counterparty_shared_share"}


def test_the_digest_follows_every_word_and_formula() -> None:
    names = ["sales_trend_90d"]
    digest = select_features("one", "1.0.0", names).digest
    for changed in (
        {"sales_trend_90d": {"title_en": "Another title"}},
        {"platform_sales_90d": {"value": "amount_usd * 2"}},
    ):
        catalogue = [record.model_copy(update=changed.get(name, {})) for name, record in CATALOGUE.items()]
        assert select_features("one", "1.0.0", names, catalogue=catalogue).digest != digest
    assert select_features("one", "1.0.0", names).digest == digest


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["sales_trend_90d", "sales_trend_90d"], "twice: sales_trend_90d"),
        (["no_such_feature"], "do not exist: no_such_feature"),
        (["platform_sales_90d"], "intermediate quantities, which only feed other features: platform_sales_90d"),
    ],
)
def test_a_set_that_makes_no_sense_is_refused_by_name(names: list[str], said: str) -> None:
    with pytest.raises(ConfigurationRefused, match=said):
        select_features("bad", "1.0.0", names)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"table": "credit_record", "value": "1"}, "reads the outcome: credit_record"),
        ({"table": "credit_record", "value": "credit_rating"}, "reads the outcome"),
        ({"where": "is_default"}, "reads the outcome: is_default"),
        ({"value": "amuont_usd"}, "columns that money_event lacks: amuont_usd"),
    ],
)
def test_a_feature_over_the_outcome_or_an_unknown_column_is_refused(changes: dict[str, str], said: str) -> None:
    leak = CATALOGUE["sku_hhi_365d"].model_copy(update={"aggregate": "sum", "key": None, **changes})
    with pytest.raises(ConfigurationRefused, match=said):
        select_features("leak", "1.0.0", [leak.name], catalogue=[leak])


def test_a_leak_hidden_in_an_input_is_refused_too() -> None:
    hidden = CATALOGUE["platform_sales_90d"].model_copy(update={"table": "credit_record", "where": None, "value": "1"})
    catalogue = [hidden if record.name == hidden.name else record for record in CATALOGUE.values()]
    with pytest.raises(ConfigurationRefused, match="reads the outcome"):
        select_features("leak", "1.0.0", ["sales_trend_90d"], catalogue=catalogue)


def test_features_that_need_each_other_are_refused() -> None:
    one = CATALOGUE["reserve_share_90d"].model_copy(update={"name": "one_share", "expression": "other_share * 1"})
    other = one.model_copy(update={"name": "other_share", "expression": "one_share * 1"})
    with pytest.raises(ConfigurationRefused, match="cycle"):
        select_features("circle", "1.0.0", ["one_share"], catalogue=[one, other])


def test_a_set_can_be_given_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    content = {
        "name": "own",
        "version": "1.0.0",
        "description": "Two features.",
        "features": ["sku_hhi_365d", "loan_count"],
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert load_feature_set(str(path)).names == ("sku_hhi_365d", "loan_count")


@pytest.mark.parametrize("text", ["features: [", "name: own", "name: own\nversion: 1.0.0\nfeatures: [a]\nextra: 1\n"])
def test_a_malformed_set_file_is_refused_on_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationRefused) as refusal:
        load_feature_set(str(path))
    assert "\n" not in str(refusal.value)


def test_an_unknown_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationRefused, match="seller_core"):
        load_feature_set("../../etc/passwd")
