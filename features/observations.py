"""Observations: which sellers to observe and when, namely those with an open loan and no default."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from features.delinquency import default_dates
from features.engine.as_of import AsOf
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.sql_text import nested, select
from features.loan_book import open_loans

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

    ``features.loan_book`` says when a loan is open. A seller with any default by the date is left out, cured or not.

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
            sellers = engine.query(select(["DISTINCT seller_id"], nested(open_loans(as_of), "book")))["seller_id"].cast(
                pa.string()
            )
            defaulted = default_dates(repayment, recorded_until=recorded_until, as_of=day)["seller_id"]
            kept = sellers.filter(pc.invert(pc.is_in(sellers, value_set=defaulted.combine_chunks())))
            kept = kept.take(pc.sort_indices(kept))
            days = pa.array([day] * len(kept), pa.date32())
            found.append(pa.table([kept, days], schema=OBSERVATION_SCHEMA))
    return pa.concat_tables(found)
