from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.definition.compiler import table_contract
from data_contracts.errors import ConfigurationRefused, InputRefused
from features.build import ALWAYS_COVERED, BuildSettings, build_features, make_plan, matrix_schema, tables_read
from features.catalogue import feature_records, load_feature_set, select_features
from features.engine.as_of import AsOf
from features.engine.rendering import render
from features.engine.views import tables_behind
from features.record import DerivedFeature
from tests.factories.canonical_tables import OWN_COLUMNS, canonical_tables, coverage_rows, observations
from tests.factories.progress import Recorder

SELLER_TABLES = ("money_event", "trade_invoice", "export_declaration", "site_order", "site_day", "party_link")
CATALOGUE = {record.name: record for record in feature_records()}
# Features that say by themselves what it means that a table was not delivered.
SPEAKS_OF_ABSENCE = {"missing_source_count_365d", "undelivered_account_count"}
SITE_IS_OPTIONAL = {"purchase_to_sales_365d", "declared_over_sales_365d"}


# Cells of the monthly rows of the tables of the credit data pool.
POOL_ROW: dict[str, dict[str, Any]] = {
    "inventory_snapshot": {
        "warehouse_id": "w1", "on_hand_quantity": 100, "unsellable_quantity": 1, "aged_181_270_days_quantity": 5,
        "aged_271_365_days_quantity": 2, "aged_over_365_days_quantity": 1, "sold_30d_quantity": 50, "sku_count": 9,
        "stocked_out_sku_count": 1, "stock_value_usd": 900, "is_platform_bound": True,
    },
    "purchase_order": {
        "supplier_id": "s1", "amount_usd": 90, "lead_time_days": 40, "payment_terms_days": 30,
    },
    "logistics_event": {"milestone": "warehoused", "transit_days": 20, "delay_days": 1},
    "receivable": {"entry_type": "collected", "collection_days": 9},
    "pledge": {"asset_id": "a1", "entry_type": "pledged", "asset_value_usd": 90, "secured_usd": 60},
    "warehouse_receipt": {"asset_id": "r1", "entry_type": "issued", "goods_value_usd": 90},
    "cash_balance": {"balance": 80, "balance_usd": 80, "inflow_usd": 90, "platform_inflow_usd": 70, "outflow_usd": 80},
    "account_health": {"measured": 1, "limit_value": 4, "limit_side": "maximum", "standing": "good"},
    "login_event": {"device_id": "d1", "changed_account": False},
    "rating_review": {
        "one_star_count": 1, "two_star_count": 1, "three_star_count": 1, "four_star_count": 1, "five_star_count": 6,
        "verified_count": 9,
    },
    "social_day": {"network": "tiktok", "follower_count": 90, "view_count": 90, "like_count": 5, "comment_count": 1},
    "certificate": {
        "certificate_kind": "ce", "entry_type": "granted", "covered_sku_count": 5, "required_sku_count": 9,
        "is_verified": True, "valid_to": "2030-01-01",
    },
    "public_record": {"record_kind": "tax_due", "amount_usd": 9},
    "consent": {},
    "ip_claim": {"claim_number": "1", "role": "accused", "entry_type": "filed", "frozen_usd": 1},
    "insurance": {"policy_number": "1", "cover_type": "cargo", "entry_type": "bound", "valid_to": "2030-01-01"},
    "debt": {"facility_id": "f1", "outstanding_usd": 60, "limit_usd": 90, "due_30d_usd": 9, "overdue_usd": 0},
    "asset_register": {"asset_id": "a1", "entry_type": "acquired", "book_value_usd": 90, "is_platform_bound": True},
    "production_capacity": {"capacity_quantity": 90, "produced_quantity": 60, "rejected_quantity": 1},
    "ad_spend": {"spend_usd": 9, "attributed_sales_usd": 90, "order_count": 3},
}  # fmt: skip


def pool_of(every: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of the pool with these rows, each order also received and each shipment of its own."""
    pool = {table: [{**row, **cells} for row in every] for table, cells in POOL_ROW.items()}
    orders = pool["purchase_order"]
    pool["purchase_order"] = [{**row, "entry_type": entry} for row in orders for entry in ("placed", "received")]
    pool["logistics_event"] = [{**row, "shipment_id": str(n)} for n, row in enumerate(pool["logistics_event"])]
    return pool


def busy_seller(*, with_pool: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Return a seller that trades every month in every way, so that nearly every feature has a value."""
    days = [dt.date(2022, 5, 15) + dt.timedelta(days=28 * month) for month in range(28)]
    kinds = ["payout", "refund", "commission", "penalty", "reserve_hold", "chargeback", "advertising", "storage_fee"]
    seller = {"seller_id": "S1"}
    every = [{**seller, "event_date": day} for day in days]
    sales = [{**row, "event_type": "sale", "sku": f"k{n % 3}", "amount": 900 + n} for n, row in enumerate(every)]
    taken = [{**row, "event_type": kind, "amount": -9 - n} for n, row in enumerate(every) for kind in kinds]
    invoices = [{**row, "counterparty_id": f"c{n % 4}", "net_amount": 500 + n} for n, row in enumerate(every)]
    return {
        "money_event": sales + taken,
        "trade_invoice": [{**row, "direction": side} for row in invoices for side in ("sale", "purchase")],
        "export_declaration": [
            {**row, "consignee_id": f"k{n % 2}", "customs_office": "1"} for n, row in enumerate(every)
        ],
        "site_order": [{**row, "customer_id": f"u{n % 5}"} for n, row in enumerate(every)],
        "site_day": every,
        "party": [{**seller, "party_id": "P1"}],
        **(pool_of(every) if with_pool else {}),
        "source_coverage": coverage_rows(["S1"], [*SELLER_TABLES, *(POOL_ROW if with_pool else ())]),
    }


def reads(name: str) -> set[str]:
    record = CATALOGUE[name]
    if isinstance(record, DerivedFeature):
        return set().union(*(reads(each) for each in record.inputs()))
    return set(tables_behind(record.table) if record.kind == "base" else record.tables)


ASKED = observations([("S1", "2024-06-30")])


@pytest.mark.slow
@pytest.mark.parametrize("withheld", SELLER_TABLES)
def test_a_withheld_table_makes_everything_that_reads_it_missing(withheld: str) -> None:
    world = busy_seller(with_pool=False)
    names = {*load_feature_set("seller_core").names, *load_feature_set("trade_invoice").names}
    feature_set = select_features("all", "1.0.0", sorted(names))
    before = build_features(canonical_tables(**world), ASKED, feature_set).table.to_pylist()[0]
    world["source_coverage"] = [row for row in world["source_coverage"] if row["covered_table"] != withheld]
    world[withheld] = []
    after = build_features(canonical_tables(**world), ASKED, feature_set).table.to_pylist()[0]
    excused = SPEAKS_OF_ABSENCE | (SITE_IS_OPTIONAL if withheld == "site_order" else set())
    affected = {name for name in feature_set.names if withheld in reads(name)}
    assert {name for name in affected - excused if after[name] is not None} == set()
    assert {name for name in affected if before[name] is not None}, "nothing was there to be withheld"
    assert all(after[name] == before[name] for name in set(feature_set.names) - affected - SPEAKS_OF_ABSENCE)
    # The traffic of a shop whose orders are withheld still shows the shop.
    seen_by_traffic = {"site_day": None, "site_order": 1}
    assert after["undelivered_account_count"] == seen_by_traffic.get(withheld, 0)
    # The registry is no source of the seller's own, so its absence does not count here.
    own_sources_missing = int(withheld != "party_link")
    assert after["missing_source_count_365d"] == before["missing_source_count_365d"] + own_sources_missing
    for name in SITE_IS_OPTIONAL:
        assert after[name] is None or after[name] >= before[name]


def test_a_busy_seller_has_nearly_every_feature() -> None:
    """Without this, features that are always missing would pass the test above."""
    row = build_features(canonical_tables(**busy_seller()), ASKED, load_feature_set("seller_core")).table.to_pylist()[0]
    assert [name for name, value in row.items() if value is None] == []


def test_without_the_lenders_books_nothing_is_known_of_related_sellers_either() -> None:
    """An absent book must not look like relatives who all pay on time."""
    tables = canonical_tables(
        party=[{"party_id": f"P{n}", "seller_id": f"S{n}"} for n in (1, 2)],
        party_link=[{"from_party_id": "P1", "to_party_id": "P2", "link_type": "owner", "valid_from": "2023-01-01"}],
        repayment=[{"seller_id": "S2", "loan_id": "L", "entry_type": "due", "event_date": "2024-06-20"}],
        source_coverage=coverage_rows(["S1", "S2"], ["party_link"]),
    )
    late = select_features("late", "1.0.0", ["related_days_late_now"])
    assert build_features(tables, ASKED, late).table["related_days_late_now"].to_pylist() == [10.0]
    del tables["repayment"]
    assert build_features(tables, ASKED, late).table["related_days_late_now"].to_pylist() == [None]


def test_the_matrix_has_the_sets_columns_and_is_sorted() -> None:
    feature_set = load_feature_set("seller_core")
    asked = observations([("S2", "2024-06-30"), ("S1", "2024-06-30"), ("S3", "2024-03-31")])
    built = build_features(canonical_tables(**busy_seller()), asked, feature_set)
    assert built.table.schema.equals(matrix_schema(feature_set))
    rows = list(zip(built.table["as_of"].to_pylist(), built.table["seller_id"].to_pylist(), strict=True))
    assert rows == sorted(rows)
    assert built.to_numpy().shape == (3, len(feature_set.names))
    assert not np.isinf(built.to_numpy()).any()


def test_without_observations_the_matrix_is_empty() -> None:
    feature_set = load_feature_set("seller_core")
    built = build_features(canonical_tables(), observations([]), feature_set)
    assert built.table.num_rows == 0
    assert built.table.schema.equals(matrix_schema(feature_set))


def test_a_table_that_is_not_there_counts_as_not_delivered() -> None:
    row = build_features({}, ASKED, load_feature_set("seller_core")).table.to_pylist()[0]
    assert row["penalty_count_365d"] is None
    assert row["missing_source_count_365d"] == 5
    assert row["loan_count"] is None


@pytest.mark.slow
def test_an_empty_lenders_book_means_no_events_and_a_missing_book_means_unknown() -> None:
    feature_set = load_feature_set("seller_core")
    read = tables_read(feature_set)
    assert sum(bool(tables & ALWAYS_COVERED) for tables in read.values()) > 8
    row = build_features(canonical_tables(), ASKED, feature_set).table.to_pylist()[0]
    assert (row["loan_count"], row["arrears_share"], row["days_late_now"], row["application_count_365d"]) == (
        0,
        0,
        0,
        0,
    )
    for absent in sorted(ALWAYS_COVERED):
        there = {name: table for name, table in canonical_tables().items() if name != absent}
        row = build_features(there, ASKED, feature_set).table.to_pylist()[0]
        assert all(row[name] is None for name, tables in read.items() if absent in tables)


def test_an_observation_named_twice_is_refused() -> None:
    with pytest.raises(InputRefused, match="S1 is listed more than once as of 2024-06-30"):
        build_features({}, observations([("S1", "2024-06-30")] * 2), load_feature_set("seller_core"))


def test_a_table_without_a_needed_column_is_refused_by_name() -> None:
    tables = canonical_tables()
    tables["money_event"] = tables["money_event"].drop_columns(["amount_usd"])
    with pytest.raises(InputRefused, match="amount_usd"):
        build_features(tables, ASKED, load_feature_set("seller_core"))


def test_amounts_too_large_to_sum_exactly_are_refused_and_never_rounded() -> None:
    huge = [
        {"seller_id": "S1", "event_date": "2024-06-01", "total_amount": Decimal("99999999999999")} for _ in range(200)
    ]
    tables = canonical_tables(site_order=huge, source_coverage=coverage_rows(["S1"], SELLER_TABLES))
    with pytest.raises(InputRefused, match="too large to sum exactly"):
        build_features(tables, ASKED, select_features("one", "1.0.0", ["site_order_variation_365d"]))


def test_a_table_without_a_coverage_lag_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="trade_invoice"):
        make_plan(load_feature_set("trade_invoice"), BuildSettings(coverage_lag_days={"money_event": 45}))


def test_the_sql_text_is_the_same_for_the_same_question() -> None:
    plan = make_plan(load_feature_set("seller_core"), BuildSettings())
    as_of = AsOf(dt.date(2024, 6, 30))
    assert render(plan, as_of) == render(make_plan(load_feature_set("seller_core"), BuildSettings()), as_of)


def test_the_sql_text_keeps_to_what_two_engines_share() -> None:
    text = render(make_plan(load_feature_set("seller_core"), BuildSettings()), AsOf(dt.date(2024, 6, 30)))
    for only_here in (
        "::",
        "HUGEINT",
        "date_diff",
        "EXCLUDE",
        "QUALIFY",
        "list(",
        "ARG_MAX",
        "TRY_CAST",
        "USING SAMPLE",
    ):
        assert only_here not in text


def test_tables_that_are_always_covered_are_contracts() -> None:
    assert {table_contract(name).table for name in ALWAYS_COVERED} == ALWAYS_COVERED


@pytest.mark.parametrize("table", sorted(OWN_COLUMNS))
def test_the_factories_build_tables_that_keep_their_contracts(table: str) -> None:
    """Tests on tables that differ from the real ones would prove nothing."""
    contract = table_contract(table)
    made = canonical_tables()[table].schema
    assert {field.name: field.type for field in made} == {column.name: column.arrow_type for column in contract.columns}


def test_sums_of_money_are_exact() -> None:
    cents = [
        {"seller_id": "S1", "event_date": "2024-06-01", "event_type": "payout", "amount": "-0.1"} for _ in range(10)
    ]
    tables = canonical_tables(money_event=cents, source_coverage=coverage_rows(["S1"], SELLER_TABLES))
    built = build_features(tables, ASKED, select_features("one", "1.0.0", ["payout_net_log_90d"]))
    assert built.table["payout_net_log_90d"][0].as_py() == np.log(2.0)
    assert isinstance(built.table, pa.Table)


def test_progress_counts_every_date() -> None:
    recorder = Recorder()
    asked = observations([("S1", "2024-06-30"), ("S1", "2024-03-31"), ("S2", "2024-03-31")])
    build_features(
        canonical_tables(**busy_seller()),
        asked,
        load_feature_set("trade_invoice"),
        settings=BuildSettings(progress=recorder),
    )
    assert recorder.phases == [("dates built", 2)]
    assert recorder.is_complete
