"""SQL of what a cash forecast reads, as of a date.

Past rows pass the as-of filter. What is announced for later (a payout on its way, an instalment falling due) passes the
filter on knowledge only; its amount is converted at the rate of the as-of date, because the rate of its own day is not
known yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from features.engine.sql_text import OBSERVED, date_literal, days_before, nested, select
from features.engine.views import AS_OF_VIEWS
from lending.cash_forecast.settings import DAYS, HISTORY_WEEKS

if TYPE_CHECKING:
    from features.engine.as_of import AsOf
    from lending.cash_forecast.settings import CashForecastSettings

SALES: Final = "('sale', 'shipping', 'discount')"
# Everything a statement sums up except money moved, lent or held back.
NOT_EARNED: Final = (
    "('payout', 'payout_reversal', 'advance', 'advance_repayment', 'reserve_hold', 'reserve_release', "
    "'own_transfer', 'debt_carried', 'fx')"
)
_SCHEDULE_DAYS: Final = 200
_OVERDUE_DAYS: Final = 60
_RECENT_DAYS: Final = 91


def _ahead(as_of: AsOf, column: str = "event_date") -> str:
    """Return SQL for the days from the as-of date to a day."""
    return f"(unix_date({column}) - unix_date({date_literal(as_of.day)}))"


def _soon(as_of: AsOf, column: str = "event_date") -> str:
    return f"{_ahead(as_of, column)} BETWEEN 1 AND {DAYS}"


def weekly_sales(as_of: AsOf) -> str:
    """Return SQL for sales and net earnings by seller, channel and week before the date (0 = the last week)."""
    columns = {
        "seller_id": "seller_id",
        "channel": "platform",
        "weeks_back": f"-{_ahead(as_of)} // 7",
        "sales": f"CAST(COALESCE(SUM(amount_usd) FILTER (event_type IN {SALES}), 0) AS DOUBLE)",
        "earned": "CAST(SUM(amount_usd) AS DOUBLE)",
    }
    where = f"{OBSERVED} AND {as_of.condition(7 * HISTORY_WEEKS - 1)} AND event_type NOT IN {NOT_EARNED}"
    return select(columns, "money_event", where=where, group_by="1, 2, 3")


def channels(as_of: AsOf) -> str:
    """Return SQL for each seller's channels: last day with a sale, reserve held, advance owed and withheld."""
    recent = f"event_date > {days_before(as_of.day, _RECENT_DAYS)}"
    lent = "event_type IN ('advance', 'advance_repayment')"
    held = "event_type IN ('reserve_hold', 'reserve_release')"
    columns = {
        "seller_id": "seller_id",
        "channel": "platform",
        "last_sale": f"MAX({_ahead(as_of)}) FILTER (event_type = 'sale')",
        "first_sale": f"MIN({_ahead(as_of)}) FILTER (event_type = 'sale')",
        "held": f"CAST(-COALESCE(SUM(amount_usd) FILTER ({held}), 0) AS DOUBLE)",
        "advance_owed": f"CAST(COALESCE(SUM(amount_usd) FILTER ({lent}), 0) AS DOUBLE)",
        "withheld": "CAST(-COALESCE(SUM(amount_usd) FILTER "
        f"(event_type = 'advance_repayment' AND {recent}), 0) AS DOUBLE)",
    }
    return select(columns, "money_event", where=f"{OBSERVED} AND {as_of.condition()}", group_by="1, 2")


def schedules(as_of: AsOf) -> str:
    """Return SQL for each channel's observed payouts: day of the last, days between two, days from sale to payout."""
    known = f"{OBSERVED} AND {as_of.known_condition()} AND event_date >= {days_before(as_of.day, _SCHEDULE_DAYS)}"
    keys = "seller_id, platform, statement_id"
    paid = select(
        [keys, f"MAX({_ahead(as_of)}) AS paid"], "money_event", where=f"{known} AND event_type = 'payout'",
        group_by=keys,
    )  # fmt: skip
    sold = select(
        [keys, f"AVG({_ahead(as_of)}) AS sold"], "money_event",
        where=f"{OBSERVED} AND {as_of.condition(2 * _SCHEDULE_DAYS)} AND event_type = 'sale'", group_by=keys,
    )  # fmt: skip
    gap = "paid - LAG(paid) OVER (PARTITION BY seller_id, platform ORDER BY paid, statement_id)"
    joined = f"{nested(paid, 'paid')} LEFT JOIN {nested(sold, 'sold')} USING ({keys})"
    rows = nested(select([keys, "paid", f"{gap} AS gap", "paid - sold AS lag"], joined), "payouts")
    columns = {
        "seller_id": "seller_id", "channel": "platform", "last_payout": "MAX(paid)", "gap": "MEDIAN(gap)",
        "lag": "MEDIAN(lag)", "payouts": f"COUNT(*) FILTER (paid > -{_RECENT_DAYS})",
    }  # fmt: skip
    return select(columns, rows, group_by="1, 2")


def announced(as_of: AsOf) -> str:
    """Return SQL for payouts that were announced but have not arrived, by seller and days ahead."""
    where = f"{OBSERVED} AND {as_of.known_condition()} AND event_type = 'payout' AND {_soon(as_of)}"
    return _dated("money_event", "-amount", _ahead(as_of), where)


def earned_unpaid(as_of: AsOf) -> str:
    """Return SQL for settled amounts whose payout has not been sent, by the platform's expected payout day."""
    paid = select(
        ["seller_id", "platform", "statement_id"], "money_event",
        where=f"{OBSERVED} AND {as_of.known_condition()} AND event_type = 'payout' AND statement_id IS NOT NULL "
        f"AND event_date > {days_before(as_of.day, _SCHEDULE_DAYS)}",
    )  # fmt: skip
    where = (
        f"{OBSERVED} AND {as_of.condition()} AND event_type NOT IN {NOT_EARNED} AND available_on IS NOT NULL AND "
        f"{_ahead(as_of, 'available_on')} BETWEEN -{_OVERDUE_DAYS} AND {DAYS} "
        f"AND (({_ahead(as_of, 'available_on')} > 0 AND statement_id IS NULL) "
        f"OR (statement_id IS NOT NULL AND (seller_id, platform, statement_id) NOT IN ({paid})))"
    )
    return _dated("money_event", "amount", f"GREATEST({_ahead(as_of, 'available_on')}, 1)", where)


def _dated(table: str, amount: str, ahead: str, where: str) -> str:
    """Return SQL for exact sums by seller, days ahead and currency, in US dollars at the rate of the as-of date."""
    columns = {
        "seller_id": "seller_id", "days_ahead": ahead, "currency": "currency",
        "usd": f"CAST(SUM({amount}) AS DOUBLE) * ANY_VALUE(usd_per_unit)",
    }  # fmt: skip
    rated = f"{table} JOIN usd_rate USING (currency)"
    return f"{select(columns, rated, where=where, group_by='1, 2, 3')} ORDER BY 1, 2, 3"


def instalments(as_of: AsOf) -> str:
    """Return SQL for the instalments of loans that fall due, by seller and days ahead."""
    where = f"{OBSERVED} AND {as_of.known_condition()} AND entry_type = 'due' AND {_soon(as_of)}"
    return _dated("repayment", "amount", _ahead(as_of), where)


def arrears(as_of: AsOf) -> str:
    """Return SQL for instalments unpaid at the date; they are due at once."""
    view = nested(AS_OF_VIEWS["instalment"].sql(as_of), "instalment")
    columns = {"seller_id": "seller_id", "days_ahead": "1", "usd": "CAST(SUM(due_amount_usd) AS DOUBLE)"}
    return select(columns, view, where=f"is_unpaid AND {OBSERVED}", group_by="1")


def declared_debt(as_of: AsOf, months: int) -> str:
    """Return SQL for declared debt due a month from now, repeated each month up to what is owed."""
    view = nested(AS_OF_VIEWS["latest_debt"].sql(as_of), "debt")
    month = f"{view}, range({months}) AS later(month)"
    left = "GREATEST(CAST(outstanding_usd AS DOUBLE) - month * CAST(due_30d_usd AS DOUBLE), 0)"
    columns = {
        "seller_id": "seller_id", "days_ahead": "30 * month + 15", "facility_id": "facility_id",
        "usd": f"LEAST(CAST(due_30d_usd AS DOUBLE), {left})",
    }  # fmt: skip
    kinds = "debt_type IN ('term_loan', 'lease', 'factoring', 'tax') AND due_30d_usd > 0"
    fresh = f"event_date > {days_before(as_of.day, 100)}"
    return f"{select(columns, month, where=f'{kinds} AND {fresh} AND {OBSERVED}')} ORDER BY 1, 2, 3"


def payables(as_of: AsOf, settings: CashForecastSettings) -> str:
    """Return SQL for stocking orders placed whose balance is still to be paid, by seller and days ahead, in full."""
    cancelled = select(
        ["seller_id", "order_number"], "purchase_order",
        where=f"{OBSERVED} AND {as_of.condition()} AND entry_type = 'cancelled' AND order_number IS NOT NULL",
    )  # fmt: skip
    due = f"{_ahead(as_of)} + COALESCE(payment_terms_days, {settings.usual_terms_days})"
    where = (
        f"{OBSERVED} AND {as_of.condition()} AND entry_type = 'placed' AND {due} BETWEEN 1 AND {DAYS} "
        f"AND (seller_id, order_number) NOT IN ({cancelled})"
    )
    return _dated("purchase_order", "amount", due, where)


def ordering(as_of: AsOf, settings: CashForecastSettings) -> str:
    """Return SQL for each seller's orders of the last half year and the usual payment terms."""
    columns = {
        "seller_id": "seller_id",
        "ordered": "CAST(SUM(amount_usd) AS DOUBLE)",
        "terms": f"COALESCE(MEDIAN(payment_terms_days), {settings.usual_terms_days})",
    }
    where = f"{OBSERVED} AND {as_of.condition(181)} AND entry_type = 'placed'"
    return select(columns, "purchase_order", where=where, group_by="1")


def claims(as_of: AsOf) -> str:
    """Return SQL for receivables not collected, by due day plus the seller's observed delay.

    A claim on a platform counts only for sellers whose platform statements are not there: else it would count twice.
    """
    delay = select(
        {"seller_id": "seller_id", "late": "MEDIAN(unix_date(event_date) - unix_date(due_date))"}, "receivable",
        where=f"{OBSERVED} AND {as_of.condition()} AND entry_type = 'collected'", group_by="1",
    )  # fmt: skip
    view = nested(AS_OF_VIEWS["latest_receivable"].sql(as_of), "claim")
    source = f"{view} LEFT JOIN {nested(delay, 'delay')} USING (seller_id)"
    stated = select(["seller_id"], "money_event", where=f"{OBSERVED} AND {as_of.condition(_SCHEDULE_DAYS)}")
    day = "CAST(GREATEST(days_left + COALESCE(late, 0), 1) AS BIGINT)"
    where = (
        f"{OBSERVED} AND entry_type IN ('issued', 'confirmed') AND days_left BETWEEN -{_OVERDUE_DAYS} AND {DAYS} "
        f"AND (debtor_type <> 'platform' OR seller_id NOT IN ({stated}))"
    )
    columns = {"seller_id": "seller_id", "days_ahead": day, "usd": "CAST(SUM(amount_usd) AS DOUBLE)"}
    return select(columns, source, where=where, group_by="1, 2")


def balances(as_of: AsOf, settings: CashForecastSettings) -> str:
    """Return SQL for each seller's operating balance and its age; older balances do not count."""
    view = nested(AS_OF_VIEWS["latest_cash_balance"].sql(as_of), "balance")
    fresh = f"event_date > {days_before(as_of.day, settings.oldest_balance_days)}"
    columns = {
        "seller_id": "seller_id",
        "balance": "CAST(SUM(balance_usd) AS DOUBLE)",
        "age_days": f"-MIN({_ahead(as_of)})",
    }
    return select(columns, view, where=f"account_purpose = 'operating' AND {fresh} AND {OBSERVED}", group_by="1")


def arrived(as_of: AsOf, settings: CashForecastSettings) -> str:
    """Return SQL for payouts of each seller by days before the date, as far back as a balance may be old."""
    where = f"{OBSERVED} AND {as_of.condition(settings.oldest_balance_days)} AND event_type = 'payout'"
    columns = {"seller_id": "seller_id", "days_back": f"-{_ahead(as_of)}", "usd": "CAST(-SUM(amount_usd) AS DOUBLE)"}
    return select(columns, "money_event", where=where, group_by="1, 2")


def credited(as_of: AsOf) -> str:
    """Return SQL for the mean weekly payouts that arrived at each seller's bank in the last year."""
    columns = {
        "seller_id": "seller_id",
        "weekly": "CAST(SUM(amount_usd) AS DOUBLE) / GREATEST(7, "
        f"-MIN({_ahead(as_of)})) * 7",
    }  # fmt: skip
    where = f"{OBSERVED} AND {as_of.condition(364)} AND counterparty_kind IN ('platform_payout', 'wallet_payout')"
    return select(columns, "bank_entry", where=where, group_by="1")
