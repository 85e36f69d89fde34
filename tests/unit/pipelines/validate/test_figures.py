"""Figures of the data page: money that two reports state, and rows, money and coverage by month."""

from __future__ import annotations

from typing import Any

from pipelines.validate.figures import doubled_money, figures_by_month
from tests.factories.canonical_tables import canonical_table


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
