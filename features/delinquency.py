"""Dates of default: the first day on which an instalment is 90 days past due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.engine.as_of import AsOf
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.instalments import SAME_LOAN, due_rows, paid_rows
from features.engine.sql_text import date_literal, nested, select

if TYPE_CHECKING:
    import datetime as dt

DEFAULT_DAYS_PAST_DUE = 90

_TYPES: dict[str, pa.DataType] = {
    "seller_id": pa.string(),
    "default_date": pa.date32(),
    "known_at": pa.timestamp("us", tz="UTC"),
}
DEFAULT_DATES_SCHEMA = pa.schema(_TYPES)


def default_dates(
    repayment: pa.Table,
    days_past_due: int = DEFAULT_DAYS_PAST_DUE,
    recorded_until: dt.datetime | None = None,
    as_of: dt.date | None = None,
) -> pa.Table:
    """Return the first default of every borrower that has one.

    Payments settle the oldest instalment of their loan first. An instalment is in default on the day it is
    ``days_past_due`` days old if, by the end of that day, less than 99 % of it is covered.

    Args:
        repayment: canonical table ``repayment``.
        days_past_due: age at which an unpaid instalment is in default.
        recorded_until: use only rows recorded up to this instant.
        as_of: use only what was known by this day, and report no later default. None looks back from the last day on
            which any row became known: what turned out to be true, not what was believed at the time.

    Returns:
        ``seller_id`` (sorted, one row each), ``default_date`` (date32) and ``known_at``: the end of that day, or the
        time the instalment became known if that was later.
    """
    day = as_of if as_of is not None else last_known_day(repayment)
    if day is None:
        return DEFAULT_DATES_SCHEMA.empty_table()
    rows = nested(select(["*"], "repayment", where=AsOf(day, recorded_until).condition()), "known_repayment")
    reached = f"unix_date(due.event_date) + {int(days_past_due)}"
    paid_by_then = f"unix_date(paid.paid_on) <= {reached} AND paid.paid_so_far >= due.settled_at"
    source = (
        f"{nested(due_rows(rows), 'due')}\nLEFT JOIN {nested(paid_rows(rows), 'paid')}\n"
        f"ON {SAME_LOAN} AND {paid_by_then}"
    )
    unpaid = f"paid.loan_id IS NULL AND {reached} <= unix_date({date_literal(day)})"
    columns = {"seller_id": "due.seller_id", "reached": reached, "known_at": "due.known_at"}
    with DuckDbEngine() as engine:
        engine.load("repayment", repayment)
        found = engine.query(select(columns, source, where=unpaid))
    return _first_of_seller(found)


def last_known_day(table: pa.Table) -> dt.date | None:
    """Return the last day (UTC) on which a row became known; None without rows."""
    last: dt.datetime | None = pc.max(table["known_at"]).as_py()
    return None if last is None else last.date()


def _first_of_seller(found: pa.Table) -> pa.Table:
    frame = found.to_pandas().sort_values(["seller_id", "reached", "known_at"]).drop_duplicates("seller_id")
    day = frame["reached"].to_numpy(dtype="datetime64[D]")
    end_of_day = (day + np.timedelta64(1, "D")).astype("datetime64[us]") - np.timedelta64(1, "us")
    stated = frame["known_at"].dt.tz_convert(None).to_numpy(dtype="datetime64[us]")
    known_at = pa.array(np.maximum(end_of_day, stated), pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
    columns: list[pa.Array[Any]] = [pa.array(frame["seller_id"], pa.string()), pa.array(day, pa.date32()), known_at]
    return pa.Table.from_arrays(columns, schema=DEFAULT_DATES_SCHEMA)
