"""The loan book as of a date: every open loan with what is owed, and how many days its oldest unpaid instalment is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.engine.duckdb_engine import DuckDbEngine
from features.engine.instalments import IMMATERIAL_SHARE, instalment_view
from features.engine.sql_text import date_literal, nested, select, with_parts

if TYPE_CHECKING:
    import pyarrow as pa

    from features.engine.as_of import AsOf

LOAN_BOOK_COLUMNS = (
    *("loan_id", "seller_id", "lender_id", "paid_out_on", "matures_on", "principal_usd", "outstanding_usd"),
    "days_past_due",
)


def open_loans(as_of: AsOf) -> str:
    """Return SQL for the loans open as of the date, by what was known then.

    A loan is open from disbursement until 99 % of its whole schedule is paid; the schedule is known from the day of the
    loan. A loan without a known schedule is open until it matures. ``paid_share`` is NULL for it.
    """
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
    columns = ["disbursed.*", "CAST(balance.paid AS DOUBLE) / NULLIF(CAST(balance.due AS DOUBLE), 0) AS paid_share"]
    return with_parts(parts, select(columns, source, where=is_open))


def loan_book(loan: pa.Table, repayment: pa.Table, as_of: AsOf) -> pa.Table:
    """Return the open loans as of a date, sorted by number, with the columns ``LOAN_BOOK_COLUMNS``.

    ``outstanding_usd`` is the principal times the share of the schedule that is unpaid; ``days_past_due`` counts from
    the day on which the oldest unpaid instalment was due, and is 0 where nothing is overdue.

    Args:
        loan: canonical table ``loan``.
        repayment: canonical table ``repayment``.
        as_of: the date.
    """
    overdue = select(
        {"seller_id": "seller_id", "loan_id": "loan_id", "days_past_due": "MAX(days_late)"},
        nested(instalment_view(as_of), "instalment"),
        where="is_unpaid",
        group_by="seller_id, loan_id",
    )
    source = (
        f"{nested(open_loans(as_of), 'book')}\nLEFT JOIN {nested(overdue, 'overdue')}\n"
        "ON overdue.seller_id = book.seller_id AND overdue.loan_id = book.loan_id"
    )
    columns = {
        "loan_id": "book.loan_id",
        "seller_id": "book.seller_id",
        "lender_id": "book.lender_id",
        "paid_out_on": "book.event_date",
        "matures_on": "book.maturity_date",
        "principal_usd": "CAST(book.principal_usd AS DOUBLE)",
        "outstanding_usd": "CAST(book.principal_usd AS DOUBLE) * (1 - LEAST(COALESCE(book.paid_share, 0), 1))",
        "days_past_due": "COALESCE(overdue.days_past_due, 0)",
    }
    with DuckDbEngine() as engine:
        engine.load("loan", loan)
        engine.load("repayment", repayment)
        return engine.query(f"{select(columns, source)}\nORDER BY book.loan_id")
