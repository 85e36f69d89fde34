"""Lies that a seller can tell in its own exports: pure functions from canonical tables to falsified ones.

Each lie changes what the seller itself delivers and nothing else: not the lender's books, not the registers, and no
bank account unless it says so. Eleven are cheap, made with a spreadsheet and without thought for anything else. The
twelfth takes the care to let every statement close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.mapping.source_mapping import run_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from data_contracts.arrow import Values

    Tables = Mapping[str, pa.Table]
    Lie = Callable[[Tables], dict[str, pa.Table]]

CAREFUL: Final = "halve_refunds_and_balance"
UPLIFT: Final = 1.3
DELAY_DAYS: Final = 60
MONEY: Final[Mapping[str, tuple[str, ...]]] = {
    "money_event": ("amount", "amount_usd"),
    "trade_invoice": ("net_amount", "tax_amount", "gross_amount", "net_amount_usd"),
    "export_declaration": ("declared_amount", "declared_amount_usd"),
    "site_order": ("total_amount", "refunded_amount", "total_usd", "refunded_usd", "discount_usd"),
    "site_day": ("advertising_usd", "purchase_usd"),
}
_EVERY_ROW: Final = "true"
_PURCHASE: Final = "direction = 'purchase'"

# Of a seller with several platforms, everything on the one with the highest refund share; of others, a third of the
# statements: whole statements, so that those that stay close.
_MOVED: Final = """
SELECT event.* FROM money_event AS event JOIN (
    SELECT seller_id, COUNT(*) AS platforms, ARG_MAX(platform, refunds / NULLIF(sales, 0)) AS worst FROM (
        SELECT seller_id, CAST(platform AS VARCHAR) AS platform,
            SUM(CASE WHEN event_type = 'sale' THEN CAST(amount_usd AS DOUBLE) ELSE 0 END) AS sales,
            SUM(CASE WHEN event_type = 'refund' THEN -CAST(amount_usd AS DOUBLE) ELSE 0 END) AS refunds
        FROM money_event GROUP BY 1, 2
    ) GROUP BY seller_id
) AS split USING (seller_id)
WHERE CASE WHEN platforms > 1 THEN CAST(platform AS VARCHAR) <> worst
    ELSE COALESCE(MD5_NUMBER_LOWER(statement_id) % 3, 1) <> 0 END
"""


# Every other refund of a seller, and the first payout of each statement takes up what was left out.
_BALANCED: Final = """
WITH numbered AS (
    SELECT *, CAST(platform AS VARCHAR) AS of_platform, event_type = 'refund' AS is_refund, ROW_NUMBER() OVER (
        PARTITION BY seller_id, event_type ORDER BY event_date, statement_id, source_row
    ) AS nth, event_type = 'payout' AND ROW_NUMBER() OVER (
        PARTITION BY seller_id, platform, statement_id, event_type ORDER BY amount, source_row
    ) = 1 AS is_first FROM money_event
), taken AS (
    SELECT seller_id, of_platform, statement_id, SUM(amount) AS own, SUM(amount_usd) AS usd
    FROM numbered WHERE is_refund AND nth % 2 = 0 GROUP BY ALL
)
SELECT kept.* REPLACE (
    CAST(kept.amount + CASE WHEN is_first THEN COALESCE(own, 0) ELSE 0 END AS DECIMAL(18, 4)) AS amount,
    CAST(kept.amount_usd + CASE WHEN is_first THEN COALESCE(usd, 0) ELSE 0 END AS DECIMAL(18, 4)) AS amount_usd
) FROM numbered AS kept LEFT JOIN taken USING (seller_id, of_platform, statement_id)
WHERE NOT (is_refund AND nth % 2 = 0)
"""


def _replaced(tables: Tables, name: str, query: str) -> dict[str, pa.Table]:
    """Return the tables with one replaced by the rows of a query over it, in its own types."""
    if name not in tables:
        return dict(tables)
    table = tables[name]
    rows = run_sql(query, None, **{name: table})
    columns = [
        rows[field.name].cast(pa.string()).cast(field.type) if _is_label(field) else rows[field.name].cast(field.type)
        for field in table.schema
    ]
    return {**tables, name: pa.Table.from_arrays(columns, schema=table.schema)}


def _is_label(field: pa.Field[pa.DataType]) -> bool:
    return pa.types.is_dictionary(field.type)


def _without(tables: Tables, name: str, condition: str) -> dict[str, pa.Table]:
    return _replaced(tables, name, f"SELECT * FROM {name} WHERE NOT ({condition})")  # noqa: S608 - our own words


def _raised(tables: Tables, name: str, condition: str, columns: Sequence[str] = ()) -> dict[str, pa.Table]:
    """Return the tables with the amounts of some rows of one table raised."""
    changed = ", ".join(
        f"CAST(CASE WHEN {condition} THEN {column} * {UPLIFT} ELSE {column} END AS DECIMAL(18, 4)) AS {column}"
        for column in (columns or MONEY[name])
    )
    return _replaced(tables, name, f"SELECT * REPLACE ({changed}) FROM {name}")  # noqa: S608 - our own words


def drop_refunds(tables: Tables) -> dict[str, pa.Table]:
    """Leave out the refunds of platforms, and state none for the own shop."""
    nothing = "CAST(0 AS DECIMAL(18, 4))"
    shop = f"SELECT * REPLACE ({nothing} AS refunded_amount, {nothing} AS refunded_usd) FROM site_order"  # noqa: S608
    return _replaced(_without(tables, "money_event", "event_type = 'refund'"), "site_order", shop)


def drop_refunds_penalties_chargebacks(tables: Tables) -> dict[str, pa.Table]:
    """Leave out refunds, penalties and chargebacks."""
    return _without(drop_refunds(tables), "money_event", "event_type IN ('penalty', 'chargeback')")


def delay_refunds(tables: Tables) -> dict[str, pa.Table]:
    """Date each refund 60 days later, so that those of the last two months are not in yet."""
    later = ", ".join(
        f"CAST(CASE WHEN event_type = 'refund' THEN {column} + INTERVAL {DELAY_DAYS} DAY ELSE {column} END AS {kind}) "
        f"AS {column}"
        for column, kind in (("event_date", "DATE"), ("known_at", "TIMESTAMPTZ"))
    )
    return _replaced(tables, "money_event", f"SELECT * REPLACE ({later}) FROM money_event")  # noqa: S608


def raise_everything(tables: Tables) -> dict[str, pa.Table]:
    """Raise every amount of the seller's own exports."""
    for name in MONEY:
        tables = _raised(tables, name, _EVERY_ROW)
    return dict(tables)


def raise_sales_and_payouts(tables: Tables) -> dict[str, pa.Table]:
    """Raise platform sales and payouts, and leave refunds and fees as they are."""
    return _raised(tables, "money_event", "event_type IN ('sale', 'payout')")


def raise_sales(tables: Tables) -> dict[str, pa.Table]:
    """Raise platform sales without any payout for them."""
    return _raised(tables, "money_event", "event_type = 'sale'")


def raise_own_shop(tables: Tables) -> dict[str, pa.Table]:
    """Raise the orders of the own shop."""
    return _raised(tables, "site_order", _EVERY_ROW, ("total_amount", "total_usd"))


def raise_purchases(tables: Tables) -> dict[str, pa.Table]:
    """Raise the invoices of suppliers."""
    return _raised(tables, "trade_invoice", _PURCHASE)


def raise_payouts(tables: Tables) -> dict[str, pa.Table]:
    """Raise payouts alone."""
    return _raised(tables, "money_event", "event_type = 'payout'")


def split_account(tables: Tables) -> dict[str, pa.Table]:
    """Move part of the sales to an account that is not delivered: the one with most refunds, if there are several."""
    kept = _replaced(tables, "money_event", _MOVED)
    if "money_event" not in tables or "source_coverage" not in tables:
        return kept
    delivered = {_key(row) for row in _sources(kept["money_event"])}
    gone = {_key(row) for row in _sources(tables["money_event"])} - delivered
    coverage = tables["source_coverage"]
    join: Values = pc.binary_join_element_wise
    keys = join(coverage["seller_id"], coverage["delivered_source"].cast(pa.string()), "\0")
    stays: Values = pc.invert(pc.is_in(keys, value_set=pa.array(sorted(gone), pa.string())))
    return {**kept, "source_coverage": coverage.filter(stays)}


def leave_out_repayments(tables: Tables) -> dict[str, pa.Table]:
    """Leave out advances and what is withheld or paid by bank to repay loans of others."""
    kept = _without(tables, "money_event", "event_type IN ('advance', 'advance_repayment')")
    return _without(kept, "bank_entry", "counterparty_kind IN ('loan_advance', 'loan_repayment')")


def halve_refunds_and_balance(tables: Tables) -> dict[str, pa.Table]:
    """Leave out every other refund of platforms, and raise the payout of each statement by as much: it closes."""
    return _replaced(tables, "money_event", _BALANCED)


LIES: Final[Mapping[str, Lie]] = {
    "drop_refunds": drop_refunds,
    "drop_refunds_penalties_chargebacks": drop_refunds_penalties_chargebacks,
    "delay_refunds": delay_refunds,
    "raise_everything": raise_everything,
    "raise_sales_and_payouts": raise_sales_and_payouts,
    "raise_sales": raise_sales,
    "raise_own_shop": raise_own_shop,
    "raise_purchases": raise_purchases,
    "raise_payouts": raise_payouts,
    "split_account": split_account,
    "leave_out_repayments": leave_out_repayments,
    CAREFUL: halve_refunds_and_balance,
}
"""The lies in the order of the table."""


def _sources(events: pa.Table) -> list[dict[str, str]]:
    return events.select(["seller_id", "source"]).group_by(["seller_id", "source"]).aggregate([]).to_pylist()


def _key(row: Mapping[str, str]) -> str:
    return f"{row['seller_id']}\0{str(row['source']).partition('@')[0]}"
