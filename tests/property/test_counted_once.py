"""Money that two reports or files state counts once, whichever two they are, and later rows change nothing earlier."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.sources.registry import known_source, mapped_sources
from features.engine.as_of import AsOf
from pipelines.ingest.counted_once import counted_once
from pipelines.ingest.deliveries.manifest import DeliveredFile, Origin
from pipelines.ingest.spill.chunked_rows import ChunkedRows
from tests.factories.canonical_tables import canonical_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn

PAYOUT_SOURCES = sorted(
    name for name in mapped_sources() if known_source(name).mapping.covered_tables == ("money_event",)
)
PAIRS = list(itertools.combinations_with_replacement(PAYOUT_SOURCES, 2))
START = dt.date(2023, 3, 1)
SIGNS = {"sale": 1, "shipping": 1, "refund": -1, "commission": -1, "advertising": -1, "advance": 1}

Row = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """How a report or file writes what moved."""

    number: int
    source: str
    lag_days: int = 1
    names_account: str | None = None
    has_moments: bool = True


@st.composite
def movements(draw: DrawFn) -> list[Row]:
    """Return amounts of a few statements, each of which ends with its payout; amounts repeat at times."""
    moved: list[Row] = []
    for statement in range(draw(st.integers(1, 3))):
        amounts: list[Row] = []
        for number in range(draw(st.integers(1, 4))):
            kind, cents = draw(st.sampled_from(sorted(SIGNS))), draw(st.sampled_from([500, 500, 1999, 2000, 123]))
            ordered = kind not in {"advertising", "advance"}
            amounts.append(
                {
                    "event_type": kind,
                    "amount": Decimal(SIGNS[kind] * cents) / 100,
                    "event_at": dt.datetime.combine(START, dt.time(9, number), dt.UTC) + dt.timedelta(14 * statement),
                    "order_id": f"order-{statement}-{number}" if ordered else None,
                    "statement_id": f"statement-{statement}",
                }
            )
        total = sum(row["amount"] for row in amounts)
        paid_at = dt.datetime.combine(START, dt.time(0), dt.UTC) + dt.timedelta(14 * statement + 10)
        payout = {"event_type": "payout", "amount": -total, "event_at": paid_at, "order_id": None}
        moved += [*amounts, {**payout, "statement_id": f"statement-{statement}"}]
    return moved


def rows_of(report: Report, moved: Sequence[Row], seller: str = "S1") -> list[Row]:
    identity = known_source(report.source).contract.identity
    return [
        {
            **row,
            "seller_id": seller,
            "store_id": report.names_account,
            "event_id": f"{seller}-{report.number}-{place}",
            "event_date": row["event_at"].date(),
            "event_at": row["event_at"] if report.has_moments else None,
            "known_at": row["event_at"] + dt.timedelta(report.lag_days),
            "recorded_at": dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
            "source": identity,
            "source_file": f"{report.number}/{report.source}",
            "source_row": place + 1,
        }
        for place, row in enumerate(moved)
    ]


def counted(rows: Sequence[Row]) -> tuple[pa.Table, int]:
    """Return the money events with marks, and the number of rows remarked on."""
    day = dt.date(2023, 12, 31)
    files = [
        DeliveredFile(
            *(name, name.partition("/")[2], None, 1, "", None, None, day, day),
            *(dt.datetime(2023, 12, 31, tzinfo=dt.UTC), None, Origin("deliveries@1.0.0", "d.csv", None, 1)),
        )
        for name in sorted({row["source_file"] for row in rows})
    ]
    table = canonical_table("money_event", rows)
    chunks = ChunkedRows(table.schema, (table.slice(0, 5), table.slice(5)))
    once = counted_once({"money_event": chunks}, files, None)
    return once.tables["money_event"].whole(), sum(sum(remarks.values()) for remarks in once.repeated.values())


def in_force(table: pa.Table, day: dt.date = dt.date(2023, 12, 31)) -> Counter[tuple[str, ...]]:
    """Return the sum of the amounts in force by seller, type and order."""
    found: Counter[tuple[str, ...]] = Counter()
    for row in AsOf(day).visible(table).to_pylist():
        found[row["seller_id"], row["event_type"], row["order_id"] or ""] += row["amount"]
    return Counter({key: amount for key, amount in found.items() if amount})


@settings(max_examples=10, deadline=None)
@given(movements(), st.integers(0, 9), st.sampled_from([None, "another"]), st.booleans())
def test_the_same_money_in_any_two_reports_counts_once(
    moved: list[Row], lag_days: int, account: str | None, has_moments: bool
) -> None:
    once: list[Row] = []
    twice: list[Row] = []
    for first, second in PAIRS:
        seller = f"{first} and {second}"
        # Fees without order of two accounts, in two files of one report, may be two fees; they are no income.
        named = account if first != second else None
        rows = rows_of(Report(1, first, has_moments=has_moments), moved, seller)
        once += rows
        twice += [*rows, *rows_of(Report(2, second, lag_days, named, has_moments=has_moments), moved, seller)]
    events, remarked = counted(twice)
    assert in_force(events) == in_force(canonical_table("money_event", once))
    assert remarked == len([row for row in once if row["amount"]])


CROSSING = [("amazon_date_range", "amazon_settlement_v2"), ("paypal_activity", "paypal_settlement")]


@pytest.mark.parametrize("sources", [*CROSSING, ("stripe_payout_reconciliation", "stripe_payout_reconciliation")])
@settings(max_examples=10, deadline=None)
@given(movements(), st.data())
def test_rows_known_later_change_no_earlier_sum_and_money_of_one_report_alone_counts(
    sources: tuple[str, str], moved: list[Row], data: st.DataObject
) -> None:
    # No two amounts or sums are equal, because equal fees of a day in two reports may be one. No amounts of a part of a
    # statement sum to nearly zero, because a report with such a part closes the statement.
    moved = [{**row, "amount": 1000 * row["amount"] + Decimal(3 * 2**place) / 100} for place, row in enumerate(moved)]
    first = [row for row in moved if data.draw(st.booleans())]
    second = [row for row in moved if row not in first or data.draw(st.booleans())]
    rows = [*rows_of(Report(1, sources[0], 1), first), *rows_of(Report(2, sources[1], 8), second)]
    everything, _ = counted(rows)
    assert in_force(everything) == in_force(canonical_table("money_event", rows_of(Report(3, sources[0]), moved)))
    for days in (3, 9, 16, 23):
        day = START + dt.timedelta(days)
        known, _ = counted([row for row in rows if row["known_at"].date() <= day])
        assert in_force(known, day) == in_force(everything, day)


def test_the_other_side_of_a_payout_and_the_same_amount_of_another_seller_or_platform_are_not_repetitions() -> None:
    at = dt.datetime(2023, 3, 14, tzinfo=dt.UTC)
    paid = {"event_type": "payout", "amount": Decimal(-91), "event_at": at, "order_id": None, "statement_id": "987"}
    settled = rows_of(Report(1, "amazon_settlement_v2"), [paid])
    wallet = rows_of(Report(2, "payoneer"), [{**paid, "event_type": "own_transfer", "amount": Decimal(91)}])
    withdrawn = rows_of(Report(2, "payoneer"), [paid])
    arrived = [{**row, "platform": "Payoneer", "event_id": f"w{i}"} for i, row in enumerate([*wallet, *withdrawn])]
    other = rows_of(Report(3, "amazon_date_range"), [paid], "S2")
    _, remarked = counted([*settled, *arrived, *other])
    assert remarked == 0
