"""Every value can be followed to the rows that it counts, and to no others."""

from __future__ import annotations

import datetime as dt

import pytest

from data_contracts.errors import ConfigurationRefused
from features.catalogue import load_feature_set
from features.record import Feature
from features.trace import Step, TraceSource, trace_feature
from tests.factories.canonical_tables import canonical_tables

AS_OF = dt.date(2024, 6, 30)
SET = load_feature_set("seller_core")
EVERYTHING = {"period_from": "2020-01-01", "period_to": "2024-06-30"}


def source(**rows: list[dict[str, object]]) -> TraceSource:
    """Return tables of sellers S1 and S2 that were delivered up to the day."""
    covered = [{"seller_id": seller, "covered_table": table, **EVERYTHING} for seller in ("S1", "S2") for table in rows]
    return TraceSource(canonical_tables(**rows, source_coverage=covered), "S1", AS_OF)


def sale(seller: str, day: str, amount: float, **more: object) -> dict[str, object]:
    return {
        "seller_id": seller,
        "event_type": "sale",
        "event_date": day,
        "amount": amount,
        "platform": "amazon",
        **more,
    }


def named(steps: tuple[Step, ...]) -> dict[str, Step]:
    return {step.record.name: step for step in steps}


def test_a_ratio_is_followed_through_its_sums_to_the_rows_in_its_window_alone() -> None:
    steps = trace_feature(
        SET,
        "refund_share_worst_180d",
        source(
            money_event=[
                sale("S1", "2024-06-01", 100.0, source_file="new.csv", source_row=7),
                sale("S1", "2024-05-01", 300.0),
                sale("S1", "2023-12-01", 5000.0),
                sale("S1", "2024-06-29", 7000.0, known_at=dt.datetime(2024, 7, 2, tzinfo=dt.UTC)),
                sale("S2", "2024-06-01", 900.0),
                {**sale("S1", "2024-06-02", -40.0), "event_type": "refund"},
            ]
        ),
    )
    assert [step.depth for step in steps] == [0, 1, 1, 1]
    assert steps[0].rows is None
    assert steps[0].value == pytest.approx(0.1)
    found = named(steps)
    sales, refunds = found["platform_sales_180d"], found["platform_refunds_180d"]
    assert sales.rows is not None
    assert refunds.rows is not None
    assert (sales.value, refunds.value) == (400.0, 40.0)
    assert [float(row["amount_usd"]) for row in sales.rows.to_pylist()] == [300.0, 100.0]
    assert (sales.rows["source_file"][1].as_py(), sales.rows["source_row"][1].as_py()) == ("new.csv", 7)
    assert refunds.rows.num_rows == 1


def test_a_count_counts_the_traced_rows_and_a_view_shows_its_columns() -> None:
    steps = trace_feature(
        SET,
        "days_late_max_365d",
        source(
            loan=[{"seller_id": "S1", "loan_id": "L1"}],
            repayment=[
                {"seller_id": "S1", "loan_id": "L1", "entry_type": "due", "event_date": "2024-05-01", "amount": 10},
                {"seller_id": "S1", "loan_id": "L1", "entry_type": "paid", "event_date": "2024-05-11", "amount": 10},
            ],
        ),
    )
    last = steps[-1]
    assert isinstance(last.record, Feature)
    assert last.rows is not None
    assert last.value == 10
    (row,) = last.rows.to_pylist()
    assert (row["loan_id"], row["days_late"]) == ("L1", 10)
    assert "source_file" not in row


def test_a_value_that_is_missing_has_no_rows_and_an_unknown_feature_is_refused() -> None:
    nothing = TraceSource(canonical_tables(), "S1", AS_OF)
    steps = trace_feature(SET, "refund_share_worst_180d", nothing)
    assert all(step.value is None for step in steps)
    assert all(step.rows is None or step.rows.num_rows == 0 for step in steps)
    with pytest.raises(ConfigurationRefused, match="passport features list"):
        trace_feature(SET, "platform_sales_180d", nothing)
