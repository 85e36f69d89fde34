"""Whether what a seller delivers can be true: statements that close, payouts that arrived, accounts that are delivered.

A feature takes an amount as it is stated. These checks ask what a false amount cannot hide: a platform closes each
statement with its payout, a payout that was made is in the bank, and goods that were sold were bought and declared.
What a check finds is a question to the seller and no proof; every finding has a code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from features.engine.as_of import AsOf
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.sql_text import OBSERVED, date_literal
from features.reconciliation.reconcile import CONTRADICTED, ReconciliationSettings, reconcile

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

OPEN_STATEMENTS: Final = "statements_do_not_close"
NO_REFUNDS: Final = "no_refunds"
UNSEEN_PAYOUTS: Final = "payouts_beyond_inflow"
CONTRADICTION: Final = "sources_contradict"
UNDELIVERED: Final = "undelivered_account"
CODES: Final = (OPEN_STATEMENTS, NO_REFUNDS, UNSEEN_PAYOUTS, CONTRADICTION, UNDELIVERED)
UNDELIVERED_FEATURE: Final = "undelivered_account_count"

WINDOW_DAYS: Final = 365
# Rounding; ours. A statement that misses more than this share of what it moved does not close.
OPEN_SHARE: Final = 0.001
# A correction may leave single statements open; ours.
OPEN_STATEMENTS_SHARE: Final = 0.05
# Entries of a statement end when it is paid; ours, for days in other time zones and payouts dated ahead.
LATE_ENTRY_DAYS: Final = 7
# Accounts report inflow after fees and exchanged: 99 % of honest synthetic sellers stay below 1.17. Ours.
INFLOW_EXCESS: Final = 1.25
SMALLEST_USD: Final = 10_000

COLUMNS_READ: Final[Mapping[str, tuple[str, ...]]] = {
    "money_event": (
        *("seller_id", "event_type", "status", "amount", "amount_usd", "currency", "platform", "store_id"),
        *("statement_id", "counted_in", "event_date", "known_at", "superseded_at"),
    ),
    "cash_balance": ("seller_id", "platform_inflow_usd", "period_days", "event_date", "known_at", "superseded_at"),
}
"""The tables and columns that ``implausible`` reads."""

# An entry long after the payout of its statement cannot belong to it. A statement that is not paid yet, is in several
# currencies, or has entries that count elsewhere, is not judged.
_OPEN_STATEMENTS: Final = """
WITH statement AS (
    SELECT seller_id, SUM(amount) AS left_over, SUM(ABS(amount)) AS moved,
        MAX(event_date) FILTER (WHERE event_type = 'payout') AS paid_on, MAX(event_date) AS last_on
    FROM money_event ANTI JOIN (
        SELECT DISTINCT seller_id, platform, store_id, statement_id FROM money_event WHERE counted_in IS NOT NULL
    ) AS elsewhere USING (seller_id, platform, store_id, statement_id)
    WHERE {known} AND {observed} AND statement_id IS NOT NULL AND status <> 'estimated'
    GROUP BY seller_id, platform, store_id, statement_id
    HAVING COUNT(*) FILTER (WHERE event_type = 'payout') > 0 AND COUNT(DISTINCT currency) = 1
), judged AS (
    SELECT seller_id, COUNT(*) AS statements, COUNT(*) FILTER (
        WHERE ABS(left_over) > {open_share} * moved OR last_on > paid_on + {late_days}
    ) AS open_ones
    FROM statement WHERE paid_on > {day} - {window_days} GROUP BY seller_id
)
SELECT seller_id FROM judged WHERE open_ones > {open_statements_share} * statements
"""

# No honest synthetic seller with such sales has none.
_NO_REFUNDS: Final = """
SELECT seller_id FROM money_event
WHERE {known} AND {observed} AND event_date > {day} - {window_days} AND status <> 'estimated'
GROUP BY seller_id
HAVING SUM(amount_usd) FILTER (WHERE event_type = 'sale') > {smallest_usd}
    AND COUNT(*) FILTER (WHERE event_type = 'refund') = 0
"""

_UNSEEN_PAYOUTS: Final = """
WITH period AS (
    SELECT seller_id, event_date - period_days AS from_day, event_date AS to_day, SUM(platform_inflow_usd) AS inflow
    FROM cash_balance
    WHERE {known} AND {observed} AND event_date > {day} - {window_days} AND platform_inflow_usd IS NOT NULL
        AND period_days > 0
    GROUP BY seller_id, from_day, to_day
), paid AS (
    SELECT seller_id, event_date, -amount_usd AS usd FROM money_event
    WHERE {known} AND {observed} AND event_type IN ('payout', 'payout_reversal') AND status <> 'estimated'
), compared AS (
    SELECT period.seller_id, period.to_day, ANY_VALUE(period.inflow) AS inflow, COALESCE(SUM(paid.usd), 0) AS usd
    FROM period LEFT JOIN paid ON paid.seller_id = period.seller_id AND paid.event_date > from_day
        AND paid.event_date <= to_day
    GROUP BY period.seller_id, from_day, period.to_day
)
SELECT seller_id FROM compared GROUP BY seller_id
HAVING SUM(usd) > {smallest_usd} AND SUM(usd) > {inflow_excess} * SUM(inflow)
"""


def implausible(
    tables: Mapping[str, pa.Table], sellers_at: Mapping[dt.date, Sequence[str]]
) -> dict[tuple[str, dt.date], tuple[str, ...]]:
    """Return the codes of the sellers whose ledger or accounts do not add up, from what was known as of each day.

    Args:
        tables: canonical tables by name.
        sellers_at: the sellers that are asked about, by day.
    """
    asked = sorted({seller for sellers in sellers_at.values() for seller in sellers})
    if "money_event" not in tables or not asked:
        return {}
    queries = {OPEN_STATEMENTS: _OPEN_STATEMENTS, NO_REFUNDS: _NO_REFUNDS}
    if "cash_balance" in tables:
        queries[UNSEEN_PAYOUTS] = _UNSEEN_PAYOUTS
    codes: dict[tuple[str, dt.date], tuple[str, ...]] = {}
    with DuckDbEngine() as engine:
        for name in COLUMNS_READ.keys() & tables.keys():
            engine.load(name, _of_sellers(tables[name].select(COLUMNS_READ[name]), asked))
        for day, sellers in sorted(sellers_at.items()):
            engine.load("observed", pa.table({"seller_id": pa.array(sorted(set(sellers)), pa.string())}))
            found = {code: _sellers(engine.query(_filled(query, AsOf(day)))) for code, query in queries.items()}
            for seller in set().union(*found.values()):
                codes[seller, day] = tuple(code for code in CODES if seller in found.get(code, ()))
    return codes


def _of_sellers(table: pa.Table, sellers: Sequence[str]) -> pa.Table:
    return table.filter(pc.is_in(table["seller_id"].cast(pa.string()), value_set=pa.array(sellers, pa.string())))


def contradicted(tables: Mapping[str, pa.Table], as_of: AsOf, sellers: Sequence[str]) -> set[str]:
    """Return the sellers with a claim that another source contradicts in the last quarter as of the date."""
    return contradicted_sellers(reconcile(tables, as_of, sellers, ReconciliationSettings(last_quarters=1)))


def contradicted_sellers(reconciliation: pa.Table) -> set[str]:
    """Return the sellers with a contradicted claim in a reconciliation."""
    return _sellers(reconciliation.filter(pc.equal(reconciliation["grade"], pa.scalar(CONTRADICTED))))


def _sellers(rows: pa.Table) -> set[str]:
    return {str(seller) for seller in rows["seller_id"].to_pylist()}


def _filled(query: str, as_of: AsOf) -> str:
    return query.format(
        known=as_of.condition(),
        observed=OBSERVED,
        day=date_literal(as_of.day),
        window_days=WINDOW_DAYS,
        open_share=OPEN_SHARE,
        open_statements_share=OPEN_STATEMENTS_SHARE,
        late_days=LATE_ENTRY_DAYS,
        inflow_excess=INFLOW_EXCESS,
        smallest_usd=SMALLEST_USD,
    )
