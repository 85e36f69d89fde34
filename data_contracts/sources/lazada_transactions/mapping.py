"""Map Lazada transactions of the older form to ``money_event``: one row for each amount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.days.written_days import WrittenDays
from data_contracts.mapping.days_in_words import with_days_in_words
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.mapping.source_mapping import run_sql
from data_contracts.values.money_text import NumberStyle, with_plain_amounts

if TYPE_CHECKING:
    import pyarrow as pa

_DAYS = ("transacted_on",)
_CODES = "MYR|SGD|PHP|THB|IDR|VND|PKR|BDT|LKR|NPR"
_CURRENCY = f"coalesce(money_code, nullif(regexp_extract(account, '-({_CODES})$', 1), ''))"

_ENTRIES = f"""
SELECT raw.*, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CASE WHEN part = 'estimate' THEN 'other' END AS event_type,
    CAST(transaction_type AS VARCHAR) AS kind,
    CASE part WHEN 'withheld' THEN 'withholding' ELSE CAST(fee_name AS VARCHAR) END AS purpose,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    order_number AS order_id, coalesce(stock_unit, platform_unit) AS sku,
    transaction_type AS raw_type, fee_name AS raw_subtype, {_CURRENCY} AS currency,
    statement AS statement_id, CAST(NULL AS TIMESTAMPTZ) AS event_at,
    coalesce(transacted_on, covered_to) AS event_date, CAST(NULL AS DATE) AS available_on,
    CASE WHEN lower(paid_state) IN ('paid', 'yes') THEN 'paid' ELSE 'released' END AS status
FROM raw, LATERAL (
    SELECT unnest(['amount', 'withheld']) AS part,
        unnest([signed_amount, CASE WHEN lower(withheld_within) = 'no' THEN -abs(withheld) END]) AS amount
)
WHERE amount <> 0
"""  # noqa: S608 - put together from constants of this module

_NO_CURRENCY = f"""
SELECT row_order, 'no currency stated; name it at the end of the shop: --account SHOP-MYR' AS reason,
    'money_code:known' AS rule_id
FROM raw WHERE {_CURRENCY} IS NULL
"""  # noqa: S608 - put together from constants of this module


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with days in ISO form and amounts without grouping."""
    rows = with_days_in_words(text_rows, _DAYS)
    styles = [NumberStyle.POINT] * rows.num_rows
    return with_plain_amounts(rows, ("signed_amount", "vat_part", "withheld"), "money_code", styles)


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows delivered before, and those without a currency."""
    repeated = rows_delivered_before(raw, "lazada_transactions", ignoring=("paid_state", "payment_reference"))
    both = "SELECT * FROM repeated UNION ALL SELECT * FROM unclear ANTI JOIN repeated USING (row_order)"
    return run_sql(both, repeated=repeated, unclear=run_sql(_NO_CURRENCY, raw=raw))


MAPPING = MoneyEventSource(
    source="lazada_transactions",
    platform="Lazada",
    entries=_ENTRIES,
    kinds=("kind", "purpose", "direction"),
    silent_reason="'row without an amount'",
    screen=screen,
    prepare=prepare,
    days=WrittenDays(columns=_DAYS),
    happened="transacted_on",
).mapping()
