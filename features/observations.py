"""Observations: which sellers to observe and when, namely those with an open loan and no default."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from features.delinquency import default_dates
from features.engine.as_of import AsOf
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.instalments import IMMATERIAL_SHARE
from features.engine.sql_text import date_literal, nested, select, with_parts

if TYPE_CHECKING:
    from collections.abc import Iterable

_TYPES: dict[str, pa.DataType] = {"seller_id": pa.string(), "as_of": pa.date32()}
OBSERVATION_SCHEMA = pa.schema(_TYPES)


def quarter_ends(first: dt.date, last: dt.date) -> tuple[dt.date, ...]:
    """Return the last days of calendar quarters from ``first`` to ``last``, both included."""
    starts = (dt.date(year, month, 1) for year in range(first.year, last.year + 2) for month in (1, 4, 7, 10))
    ends = (start - dt.timedelta(days=1) for start in starts)
    return tuple(end for end in ends if first <= end <= last)


def open_loan_observations(
    loan: pa.Table,
    repayment: pa.Table,
    as_of_dates: Iterable[dt.date],
    recorded_until: dt.datetime | None = None,
) -> pa.Table:
    """Return the sellers with an open loan and no default as of each date, by what was known then.

    A loan is open from disbursement until 99 % of its whole schedule is paid; the schedule is known from the day of the
    loan. A loan without a known schedule is open until it matures. A seller with any default by the date is left out,
    cured or not.

    Args:
        loan: canonical table ``loan``.
        repayment: canonical table ``repayment``.
        as_of_dates: dates of observation.
        recorded_until: use only rows recorded up to this instant.

    Returns:
        ``seller_id`` and ``as_of`` (date32), sorted by date and seller, each pair once.
    """
    found = [OBSERVATION_SCHEMA.empty_table()]
    with DuckDbEngine() as engine:
        engine.load("loan", loan)
        engine.load("repayment", repayment)
        for day in sorted(set(as_of_dates)):
            as_of = AsOf(day, recorded_until)
            sellers = engine.query(_open_loans(as_of))["seller_id"].cast(pa.string())
            defaulted = default_dates(repayment, recorded_until=recorded_until, as_of=day)["seller_id"]
            kept = sellers.filter(pc.invert(pc.is_in(sellers, value_set=defaulted.combine_chunks())))
            kept = kept.take(pc.sort_indices(kept))
            days = pa.array([day] * len(kept), pa.date32())
            found.append(pa.table([kept, days], schema=OBSERVATION_SCHEMA))
    return pa.concat_tables(found)


def _open_loans(as_of: AsOf) -> str:
    known_repayments = select(["*"], "repayment", where=as_of.known_condition())
    # The schedule counts to its end; payments count only up to the day.
    is_paid = f"entry_type = 'paid' AND event_date <= {date_literal(as_of.day)}"
    totals = {
        "seller_id": "seller_id",
        "loan_id": "loan_id",
        "due": "SUM(CASE WHEN entry_type = 'due' THEN amount ELSE 0 END)",
        "paid": f"SUM(CASE WHEN {is_paid} THEN amount ELSE 0 END)",
    }
    balance = select(totals, nested(known_repayments, "known_repayment"), group_by="seller_id, loan_id")
    owed = f"balance.paid < balance.due * (1 - CAST({IMMATERIAL_SHARE} AS DECIMAL(3,2)))"
    is_open = (
        f"(balance.due > 0 AND {owed}) OR "
        f"(COALESCE(balance.due, 0) = 0 AND disbursed.maturity_date >= {date_literal(as_of.day)})"
    )
    source = (
        "disbursed LEFT JOIN balance ON balance.loan_id = disbursed.loan_id AND balance.seller_id = disbursed.seller_id"
    )
    parts = {"disbursed": select(["*"], "loan", where=as_of.condition()), "balance": balance}
    return with_parts(parts, select(["DISTINCT disbursed.seller_id AS seller_id"], source, where=is_open))
