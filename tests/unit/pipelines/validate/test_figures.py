"""Figures of the data page: money that two reports state, and rows, money and coverage by month."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from features.engine.as_of import AsOf
from pipelines.validate.figures import doubled_money, figures_by_month, statements_of_several_sellers
from tests.factories.canonical_tables import canonical_table
from tests.factories.raw_files import RawFile, amazon_amount, amazon_file, amazon_total, ingested

if TYPE_CHECKING:
    from pathlib import Path


def event(day: str, usd: int, **row: Any) -> dict[str, Any]:  # noqa: ANN401 - any value of a row
    given = {"seller_id": "S1", "event_type": "sale", "event_date": day, "source": "amazon_settlement_v2@2.0.0"}
    return {**given, "amount_usd": usd, **row}


DOUBLED = event("2024-02-03", 50, counted_in="amazon_date_range", superseded_at="2024-03-01")


def test_doubled_money_is_counted_by_the_two_sources_that_state_it() -> None:
    found = doubled_money({"money_event": canonical_table("money_event", [event("2024-01-02", 100), DOUBLED])})
    pair = {
        "source": "amazon_settlement_v2",
        "counted_in": "amazon_date_range",
        "rows": 1,
        "sellers": 1,
        "usd": "50.00",
    }
    assert found == {"rows": 1, "usd": "50.00", "sellers": 1, "pairs": [pair]}
    assert doubled_money({}) is None


def test_one_settlement_delivered_for_two_sellers_is_named_for_both(tmp_path: Path) -> None:
    number = "17000001120"
    content = amazon_file([amazon_total(number, "91.00"), amazon_amount(number, "91.00", order_id="111-1")])
    sellers = ("S000001", "S000002")
    files = [RawFile(f"{seller}.txt", "amazon_settlement_v2", content, seller) for seller in sellers]
    tables = ingested(tmp_path, files).tables
    found = statements_of_several_sellers(tables, AsOf(dt.date(2023, 12, 31)), 5)
    assert found is not None
    usd = found["usd"]
    assert found == {
        "statements": 1,
        "sellers": 2,
        "usd": usd,
        "dearest": [
            {"platform": "amazon", "document": "statement", "number": number, "sellers": list(sellers), "usd": usd}
        ],
    }
    assert usd == "91.00"
    before = statements_of_several_sellers(tables, AsOf(dt.date(2023, 3, 1)), 5)
    assert before == {"statements": 0, "sellers": 0, "usd": "0.00", "dearest": []}


def test_months_hold_rows_that_count_money_without_payouts_and_covered_sellers() -> None:
    events = [
        event("2024-01-02", 100),
        event("2024-01-30", -40),
        event("2024-02-01", -60, event_type="payout"),
        DOUBLED,
    ]
    coverage = {"delivered_source": "amazon_settlement_v2", "covered_table": "money_event"}
    periods = [
        ("S1", "2024-01-05", "2024-03-01"),
        ("S1", "2024-01-01", "2024-01-31"),
        ("S2", "2024-03-01", "2024-03-31"),
    ]
    covered = [{"seller_id": s, "period_from": a, "period_to": b, **coverage} for s, a, b in periods]
    (found,) = figures_by_month(
        {
            "money_event": canonical_table("money_event", events),
            "source_coverage": canonical_table("source_coverage", covered),
        }
    )
    assert found["rows"] == {"2024-01": 2, "2024-02": 1}
    assert found["usd"] == {"2024-01": 140}
    assert found["sellers"] == {"2024-01": 1, "2024-02": 1, "2024-03": 2}
