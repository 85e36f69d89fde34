"""Features of named applicants: those of the builder, and a code where there are none."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from features.build import build_features
from features.catalogue import FeatureSet
from features.record import Feature
from pipelines.passports.passport import Delivery
from pipelines.profiles.score_settings import ScoringLimits
from pipelines.score.applicant_features import (
    SellerTables,
    deliveries_by_seller,
    describe_applicants,
    known_coverage,
    pillar_tables,
)
from tests.factories.canonical_tables import canonical_table, coverage_rows, observations

SALES = Feature(
    name="sales_sum_90d",
    pillar="sales_health",
    family="sales_sum",
    unit="USD",
    direction=-1,
    title_en="Sales",
    title_zh="销售额",
    description="Sales of the last 90 days.",
    missing="Settlements were not delivered.",
    table="money_event",
    aggregate="sum",
    value="amount_usd",
    window_days=90,
)
FEATURES = FeatureSet(name="tiny", version="1.0.0", description="for this test", records=(SALES,), inputs=())
AS_OF = "2024-06-30"
LIMITS = ScoringLimits(coverage_gap_days=60)


def applicants(*pairs: tuple[str | None, str | None], refusals: tuple[str, ...] | None = None) -> pa.Table:
    days = [None if day is None else dt.date.fromisoformat(day) for _, day in pairs]
    return pa.table(
        {
            "source_row": pa.array(range(1, len(pairs) + 1), pa.int64()),
            "applicant_id": pa.array([f"A{number}" for number, _ in enumerate(pairs)], pa.string()),
            "seller_id": pa.array([seller for seller, _ in pairs], pa.string()),
            "as_of": pa.array(days, pa.date32()),
            "refusals": pa.array(refusals or [""] * len(pairs), pa.string()),
        }
    )


def tables(*events: dict[str, object], coverage: list[dict[str, object]] | None = None) -> SellerTables:
    given = coverage if coverage is not None else coverage_rows(["S1", "S2"], ["money_event"])
    return SellerTables(
        {
            "money_event": canonical_table("money_event", events),
            "source_coverage": canonical_table("source_coverage", given),
        },
        {},
    )


def described(chunk: pa.Table, source: SellerTables) -> list[dict[str, object]]:
    return describe_applicants(chunk, source, FEATURES, LIMITS).to_pylist()


def test_features_are_those_of_the_builder_in_the_order_of_the_applicants() -> None:
    source = tables(
        {"seller_id": "S1", "amount": 10, "event_date": "2024-06-01"},
        {"seller_id": "S2", "amount": 20, "event_date": "2024-03-01"},
    )
    rows = described(applicants(("S2", AS_OF), ("S1", AS_OF), ("S2", "2024-03-31"), ("S1", AS_OF)), source)
    built = build_features(
        source.tables, observations([("S1", AS_OF), ("S2", AS_OF), ("S2", "2024-03-31")]), FEATURES
    ).table.to_pylist()
    expected = {(row["seller_id"], row["as_of"]): row["sales_sum_90d"] for row in built}
    assert [row["sales_sum_90d"] for row in rows] == [expected[(row["seller_id"], row["as_of"])] for row in rows]
    assert [row["sales_sum_90d"] for row in rows] == [0.0, 10.0, 20.0, 10.0]


def test_an_unknown_seller_is_refused_and_affects_no_other() -> None:
    source = tables({"seller_id": "S1", "amount": 10, "event_date": "2024-06-01"})
    rows = described(applicants(("S404", AS_OF), ("S1", AS_OF)), source)
    assert [row["refusals"] for row in rows] == ["unknown_seller", ""]
    assert [row["sales_sum_90d"] for row in rows] == [None, 10.0]


def test_a_seller_known_only_from_the_lenders_books_has_no_coverage() -> None:
    source = tables(coverage=coverage_rows(["S1"], ["loan", "repayment"]))
    assert described(applicants(("S1", AS_OF)), source)[0]["refusals"] == "no_coverage"


def test_deliveries_that_ended_long_before_the_date_are_stale() -> None:
    early = coverage_rows(["S1"], ["money_event"], "2023-01-01", "2024-05-01", "2023-01-05")
    source = tables(coverage=early)
    rows = described(applicants(("S1", AS_OF), ("S1", "2024-07-01")), source)
    assert [row["refusals"] for row in rows] == ["", "stale_data"]


def test_a_delivery_known_only_after_the_date_covers_nothing() -> None:
    late = coverage_rows(["S1"], ["money_event"], "2023-01-01", "2024-12-31", "2024-07-01")
    assert described(applicants(("S1", AS_OF)), tables(coverage=late))[0]["refusals"] == "no_coverage"


def test_rows_already_refused_keep_their_code_and_get_no_other() -> None:
    chunk = applicants((None, None), ("S404", AS_OF), refusals=("unreadable_row", "duplicate_applicant"))
    assert [row["refusals"] for row in described(chunk, tables())] == ["unreadable_row", "duplicate_applicant"]


def test_recent_entries_of_an_unknown_type_are_warned_of() -> None:
    source = tables(
        {"seller_id": "S1", "amount": 1, "event_date": "2024-06-01", "event_type": "other"},
        {"seller_id": "S2", "amount": 1, "event_date": "2023-05-01", "event_type": "other"},
    )
    rows = described(applicants(("S1", AS_OF), ("S2", AS_OF)), source)
    assert [row["warnings"] for row in rows] == ["unseen_type", ""]
    assert [row["refusals"] for row in rows] == ["", ""]


def test_recent_sales_or_payouts_delivered_in_two_reports_are_warned_of() -> None:
    repeated = {"seller_id": "S1", "amount": -9, "counted_in": "amazon_settlement_v2@2.0.0"}
    repeated |= {"superseded_at": "2024-06-02", "superseded_recorded_at": "2024-06-02", "event_date": "2024-06-01"}
    for kind, warnings in (("payout", "repeated_money"), ("sale", "repeated_money"), ("commission", "")):
        source = tables({**repeated, "event_type": kind})
        assert described(applicants(("S1", AS_OF)), source)[0]["warnings"] == warnings
    other = {"seller_id": "S1", "amount": 1, "event_date": "2024-06-01", "event_type": "other"}
    both = tables({**repeated, "event_type": "sale"}, other)
    assert described(applicants(("S1", AS_OF)), both)[0]["warnings"] == "unseen_type;repeated_money"


def test_both_sellers_of_one_settlement_are_warned_of_once_the_second_is_known() -> None:
    row = {"amount": 9, "statement_id": "17000001120", "event_date": "2024-05-01", "platform": "amazon"}
    source = tables(
        {**row, "seller_id": "S1", "known_at": "2024-05-02"},
        {**row, "seller_id": "S2", "known_at": "2024-06-10"},
        {**row, "seller_id": "S3", "known_at": "2024-05-02", "statement_id": "17000001129"},
        coverage=coverage_rows(["S1", "S2", "S3"], ["money_event"], "2023-01-01", AS_OF, "2023-01-05"),
    )
    asked = applicants(("S1", "2024-06-01"), ("S1", AS_OF), ("S2", AS_OF), ("S3", AS_OF))
    warnings = [row["warnings"] for row in described(asked, source)]
    assert warnings == ["", "shared_statement", "shared_statement", ""]


def test_a_forecast_of_the_platform_is_no_entry_of_an_unknown_type() -> None:
    entry = {"seller_id": "S1", "amount": 1, "event_date": "2024-06-01", "event_type": "other", "status": "estimated"}
    assert described(applicants(("S1", AS_OF)), tables(entry))[0]["warnings"] == ""


def test_a_delivery_in_doubt_is_warned_of_once_it_is_known() -> None:
    coverage = [
        *coverage_rows(["S1", "S2"], ["money_event"], "2023-01-01", "2024-05-01", "2023-01-05"),
        {**coverage_rows(["S1"], ["money_event"], "2024-01-01", "2024-05-01", "2024-01-05")[0], "doubts": "no payouts"},
    ]
    rows = described(
        applicants(("S1", "2023-12-31"), ("S1", "2024-05-01"), ("S2", "2024-05-01")), tables(coverage=coverage)
    )
    assert [row["warnings"] for row in rows] == ["", "unclear_amounts", ""]


def test_deliveries_are_listed_by_table_up_to_the_date() -> None:
    coverage = [
        *coverage_rows(["S1"], ["money_event"], "2023-01-01", "2023-12-31", "2023-01-05"),
        *coverage_rows(["S1"], ["money_event"], "2024-01-01", "2024-12-31", "2024-01-05"),
        *coverage_rows(["S1"], ["money_event"], "2025-01-01", "2025-12-31", "2025-01-05"),
    ]
    known = known_coverage(canonical_table("source_coverage", coverage), observations([("S1", AS_OF)]))
    assert deliveries_by_seller(known) == {
        "S1": (Delivery("amazon_settlement_v2", "money_event", dt.date(2023, 1, 1), dt.date(2024, 6, 30), 2),)
    }


def test_deliveries_of_two_sources_for_one_table_are_distinguished() -> None:
    coverage = coverage_rows(["S1"], ["money_event"], "2023-01-01", "2023-12-31", "2023-01-05")
    coverage += [row | {"delivered_source": "template_money_event"} for row in coverage]
    known = known_coverage(canonical_table("source_coverage", coverage), observations([("S1", AS_OF)]))
    (delivered,) = deliveries_by_seller(known).values()
    assert [delivery.source for delivery in delivered] == ["amazon_settlement_v2", "template_money_event"]


def test_without_a_coverage_table_nothing_was_delivered() -> None:
    assert deliveries_by_seller(known_coverage(None, observations([("S1", AS_OF)]))) == {}


def test_the_tables_of_a_pillar_are_those_its_features_read() -> None:
    assert pillar_tables(FEATURES) == {"sales_health": frozenset({"money_event"})}


def test_a_source_that_ended_long_before_the_others_is_named() -> None:
    def delivered(seller: str, source: str, period_to: str) -> dict[str, object]:
        (row,) = coverage_rows([seller], ["money_event"], "2023-01-01", period_to, "2023-01-05")
        return {**row, "delivered_source": source}

    coverage = [
        delivered("S1", "amazon_settlement_v2", AS_OF),
        delivered("S1", "shein_report", "2024-03-31"),
        delivered("S2", "amazon_settlement_v2", AS_OF),
        delivered("S2", "shein_report", "2024-05-31"),
    ]
    rows = described(applicants(("S1", AS_OF), ("S2", AS_OF), ("S1", "2024-04-30")), tables(coverage=coverage))
    assert [row["warnings"] for row in rows] == ["source_withdrawn", "", ""]


def test_statements_that_do_not_close_have_a_warning_as_of_each_date() -> None:
    ledger = [
        {"seller_id": seller, "statement_id": "ST", "event_type": kind, "amount": amount, "event_date": "2024-06-20"}
        for seller, paid in (("S1", -100), ("S2", -80))
        for kind, amount in (("sale", 100), ("payout", paid))
    ]
    asked = (("S1", AS_OF), ("S2", AS_OF), ("S2", "2024-06-19"), (None, AS_OF))
    rows = described(applicants(*asked, refusals=("", "", "", "missing_seller")), tables(*ledger))
    assert [row["warnings"] for row in rows] == ["", "statements_do_not_close", "", ""]
