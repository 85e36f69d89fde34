"""Map Walmart reconciliation reports to ``money_event``: one row for each amount, and one payout for each period."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_or, rows_delivered_before
from data_contracts.mapping.source_mapping import run_sql
from data_contracts.values.money_text import NumberStyle, with_plain_amounts

if TYPE_CHECKING:
    import pyarrow as pa

# A summary without a period belongs to the only period of its file.
_PERIODS = """
WITH kinds AS (
    SELECT *, replace(lower(transaction_type), ' ', '') = 'paymentsummary' AS is_summary,
        coalesce(money_code, CASE WHEN min(money_code) OVER same_file = max(money_code) OVER same_file
            THEN min(money_code) OVER same_file END) AS currency,
        CASE WHEN period_to IS NULL AND min(period_to) OVER same_file = max(period_to) OVER same_file
            THEN min(period_to) OVER same_file ELSE period_to END AS paid_period
    FROM raw WINDOW same_file AS (PARTITION BY file_order)
)
SELECT *, delivered_for || ':' || file_order || ':' || coalesce(CAST(paid_period AS VARCHAR), '') AS period FROM kinds
"""

_ENTRIES = f"""
WITH periods AS ({_PERIODS}), closed AS (
    SELECT *, CASE WHEN is_summary THEN -coalesce(total_payable, signed_amount) END AS payout_amount,
        CASE WHEN is_summary AND row_number() OVER (PARTITION BY period, is_summary ORDER BY row_order) = 1
            THEN sum(CASE WHEN is_summary THEN coalesce(total_payable, signed_amount) ELSE -signed_amount END)
                OVER (PARTITION BY period) END AS unlisted
    FROM periods
)
SELECT closed.* EXCLUDE (currency), currency, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type, CAST(transaction_type AS VARCHAR) AS kind,
    coalesce(CAST(amount_type AS VARCHAR), '') AS what_amount,
    concat_ws(' ', what, reason) AS purpose,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    CASE WHEN part = 'amount' THEN coalesce(purchase_order, buyer_order) END AS order_id, stock_unit AS sku,
    CASE WHEN lower(amount_type) = 'product price' THEN sign(amount) * abs(pieces) END AS quantity,
    transaction_type AS raw_type, coalesce(amount_type, part) AS raw_subtype, 'Walmart.com' AS marketplace,
    coalesce(paid_period, posted_on) || ':' || currency AS statement_id, CAST(NULL AS TIMESTAMPTZ) AS event_at,
    coalesce(posted_on, paid_period) AS event_date,
    CASE WHEN is_summary THEN coalesce(posted_on, paid_period) END AS paid_out_on,
    CASE WHEN is_summary THEN 'paid' ELSE 'released' END AS status
FROM closed, LATERAL (
    SELECT unnest(['amount', 'payout', 'not listed']) AS part,
        unnest([CASE WHEN NOT is_summary THEN signed_amount END, payout_amount, unlisted]) AS amount
)
WHERE amount <> 0
"""  # noqa: S608 - put together from constants of this module

_NO_CURRENCY = f"""
SELECT row_order, 'no currency stated, and the file has none or several' AS reason, 'money_code:known' AS rule_id
FROM ({_PERIODS}) WHERE currency IS NULL
"""  # noqa: S608 - put together from constants of this module


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with amounts without currency signs and grouping."""
    styles = [NumberStyle.POINT] * text_rows.num_rows
    return with_plain_amounts(text_rows, ("signed_amount", "total_payable"), "money_code", styles)


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows delivered before, and those without a currency of their own or of their file."""
    repeated = rows_delivered_before(raw, "walmart_recon")
    return repeated_or(repeated, run_sql(_NO_CURRENCY, raw=raw))


MAPPING = MoneyEventSource(
    source="walmart_recon",
    platform="Walmart",
    entries=_ENTRIES,
    kinds=("part", "kind", "what_amount", "purpose", "direction"),
    silent_reason="'row without an amount'",
    screen=screen,
    prepare=prepare,
    happened="posted_on",
).mapping()
