"""What was known of the loans of sellers as of a date: late payments, and what is owed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from features.delinquency import DEFAULT_DAYS_PAST_DUE
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.instalments import instalment_view
from features.engine.sql_text import nested, select
from features.graph.edges import coded

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from features.engine.as_of import AsOf


@dataclass(frozen=True)
class LateEvents:
    """The worst late payment of each seller that ever paid late, in the order of ``sellers``.

    Attributes:
        sellers: ids, sorted.
        weight: days late as a share of the 90 of a default, at most 1, and less the longer ago that was.
        days_late: days late of that instalment; up to the date while it is unpaid.
    """

    sellers: NDArray[np.str_]
    weight: NDArray[np.float64]
    days_late: NDArray[np.int64]


def late_events(repayment: pa.Table, as_of: AsOf, decay_days: float) -> LateEvents:
    """Return the late payment of each seller that weighs most on the date.

    An event is as old as the payment that ended it, and of today while the instalment is unpaid. Its weight falls with
    age by the exponential of minus the age over ``decay_days``.
    """
    with DuckDbEngine() as engine:
        engine.load("repayment", repayment)
        rows = engine.query(instalment_view(as_of))
    rows = rows.filter(pc.field("days_late") > 0)
    sellers, seller = coded(rows["seller_id"])
    days_late = rows["days_late"].to_numpy().astype(np.int64)
    due = rows["event_date"].to_numpy().astype("datetime64[D]")
    age = (np.datetime64(as_of.day, "D") - due).astype(np.int64) - days_late
    weight = np.minimum(days_late / DEFAULT_DAYS_PAST_DUE, 1.0) * np.exp(-age / decay_days)
    order = np.lexsort((days_late, weight, seller))
    last = np.flatnonzero(np.r_[seller[order][1:] != seller[order][:-1], np.ones(min(len(order), 1), dtype=np.bool_)])
    worst = order[last]
    return LateEvents(sellers, weight[worst], days_late[worst])


def loan_balances(loan: pa.Table, repayment: pa.Table, as_of: AsOf) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """Return the sellers with a loan, sorted, and the principal of their loans less what was repaid of each.

    A loan counts with 0 once more than its principal was repaid, interest included.
    """
    paid = select(
        {"seller_id": "seller_id", "loan_id": "loan_id", "usd": "SUM(amount_usd)"},
        "repayment",
        where=f"entry_type = 'paid' AND {as_of.condition()}",
        group_by="seller_id, loan_id",
    )
    lent = select(["seller_id", "loan_id", "principal_usd"], "loan", where=as_of.condition())
    owed = "GREATEST(lent.principal_usd - COALESCE(paid.usd, 0), 0)"
    columns = {"seller_id": "CAST(lent.seller_id AS VARCHAR)", "usd": f"CAST(SUM({owed}) AS DOUBLE)"}
    source = (
        f"{nested(lent, 'lent')}\nLEFT JOIN {nested(paid, 'paid')}\n"
        "ON lent.seller_id = paid.seller_id AND lent.loan_id = paid.loan_id"
    )
    with DuckDbEngine() as engine:
        engine.load("loan", loan)
        engine.load("repayment", repayment)
        found = engine.query(select(columns, source, group_by="lent.seller_id")).sort_by("seller_id")
    return np.asarray(found["seller_id"].to_pylist(), dtype=np.str_), np.nan_to_num(found["usd"].to_numpy())
