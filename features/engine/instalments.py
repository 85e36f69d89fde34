"""Instalments due and how late each was paid, as of a date.

Payments settle the oldest instalment of their loan first (FIFO), whichever instalment they were meant for. Running sums
of what was due and what was paid are enough, so no payment has to be split.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.engine.sql_text import date_literal, nested, select

if TYPE_CHECKING:
    from features.engine.as_of import AsOf

INSTALMENT_COLUMNS: tuple[str, ...] = ("seller_id", "loan_id", "event_date", "due_amount_usd", "days_late", "is_unpaid")
REPAYMENT_COLUMNS: tuple[str, ...] = ("repayment_id", "loan_id", "entry_type", "amount", "amount_usd")

# An instalment short by less than this share counts as paid: rounding and bank charges are not arrears.
IMMATERIAL_SHARE = "0.01"

SAME_LOAN = "paid.seller_id = due.seller_id AND paid.loan_id = due.loan_id"


def due_rows(source: str) -> str:
    """Return SQL for the instalments in ``source`` (rows of ``repayment``) and the total paid that settles each."""
    so_far = (
        "SUM(amount) OVER (PARTITION BY seller_id, loan_id ORDER BY event_date, repayment_id ROWS UNBOUNDED PRECEDING)"
    )
    columns = {
        "seller_id": "seller_id",
        "loan_id": "loan_id",
        "event_date": "event_date",
        "known_at": "known_at",
        "due_amount_usd": "amount_usd",
        "settled_at": f"{so_far} - CAST({IMMATERIAL_SHARE} AS DECIMAL(3,2)) * amount",
    }
    return select(columns, source, where="entry_type = 'due'")


def paid_rows(source: str) -> str:
    """Return SQL for the payments in ``source``, each with the total paid on its loan by its day."""
    # RANGE, not ROWS: payments of one day count together, whatever order they are booked in.
    so_far = "SUM(amount) OVER (PARTITION BY seller_id, loan_id ORDER BY event_date RANGE UNBOUNDED PRECEDING)"
    columns = {"seller_id": "seller_id", "loan_id": "loan_id", "paid_on": "event_date", "paid_so_far": so_far}
    return select(columns, source, where="entry_type = 'paid'")


def instalment_view(as_of: AsOf) -> str:
    """Return SQL for the view ``instalment``, which features may read like a table.

    One row per instalment due as of the date: ``event_date`` (its due date), ``due_amount_usd``, ``days_late`` (from
    the due date to the payment that settled it, or to the as-of date while unpaid) and ``is_unpaid``.
    """
    known = nested(select(["*"], "repayment", where=as_of.condition()), "known_repayment")
    settled_on = "MIN(unix_date(paid.paid_on))"
    today = f"unix_date({date_literal(as_of.day)})"
    columns = {
        "seller_id": "due.seller_id",
        "loan_id": "due.loan_id",
        "event_date": "due.event_date",
        "due_amount_usd": "due.due_amount_usd",
        "days_late": f"GREATEST(COALESCE({settled_on}, {today}) - unix_date(due.event_date), 0)",
        "is_unpaid": f"{settled_on} IS NULL",
    }
    source = (
        f"{nested(due_rows(known), 'due')}\nLEFT JOIN {nested(paid_rows(known), 'paid')}\n"
        f"ON {SAME_LOAN} AND paid.paid_so_far >= due.settled_at"
    )
    return select(
        columns, source, group_by="due.seller_id, due.loan_id, due.event_date, due.due_amount_usd, due.settled_at"
    )
