"""Map eBay's transaction report to ``money_event``: goods, shipping, tax and fees of each entry, and payouts.

All parts are converted to the payout currency, so that those of a row sum to its net amount.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data_contracts.mapping.days.written_days import WrittenDays
from data_contracts.mapping.days_in_words import with_days_in_words
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_or, rows_delivered_before
from data_contracts.mapping.source_mapping import run_sql
from data_contracts.values.money_text import NumberStyle, with_plain_amounts

if TYPE_CHECKING:
    import pyarrow as pa

_DAYS = ("created_on", "paid_on")
_COMMISSIONS = ("fixed_fee", "variable_fee", "regulatory_fee", "international_fee", "donation", "deposit_fee")
_PENALTIES = ("not_as_described_fee", "below_standard_fee")
_MERGED = ("item_subtotal", "shipping", "seller_tax", *_COMMISSIONS, *_PENALTIES)

# The kinds that the mapping itself must know, in English.
_KIND = """
CASE lower(transaction_type) WHEN 'bestellung' THEN 'order' WHEN 'rückerstattung' THEN 'refund'
    WHEN 'auszahlung' THEN 'payout' ELSE lower(transaction_type) END
"""

# An order of several items has one head row without item and a row for each item. If only the head has a net amount,
# the items complete it. If the net amounts of the items sum to the head's, the head repeats them. If the head has no
# gross amount, its fees are its own. Anything else cannot be told apart.
_ORDERS = f"""
WITH kinds AS (
    SELECT *, {_KIND} AS kind FROM raw
), counted AS (
    SELECT *, count(item_number) OVER rows_of_order AS items,
        count(*) OVER rows_of_order - count(item_number) OVER rows_of_order AS heads,
        sum(net_amount) FILTER (item_number IS NOT NULL) OVER rows_of_order AS items_net,
        max(net_amount) FILTER (item_number IS NULL) OVER rows_of_order AS head_net,
        max(gross_amount) FILTER (item_number IS NULL) OVER rows_of_order AS head_gross,
        {", ".join(f"sum({name}) OVER rows_of_order AS all_{name}" for name in _MERGED)},
        sum(pieces) FILTER (item_number IS NOT NULL) OVER rows_of_order AS all_pieces
    FROM kinds
    WINDOW rows_of_order AS (PARTITION BY delivered_for, account, file_order, order_number, kind, created_on)
)
SELECT *, CASE
    WHEN kind <> 'order' OR order_number IS NULL OR items = 0 OR heads <> 1 THEN 'alone'
    WHEN items_net IS NULL THEN 'head counts'
    WHEN head_net IS NULL OR head_net = items_net THEN 'items count'
    WHEN coalesce(head_gross, 0) = 0 THEN 'alone'
    ELSE 'unclear' END AS reading
FROM counted
"""  # noqa: S608 - put together from constants of this module

_ENTRIES = f"""
WITH orders AS ({_ORDERS}), merged AS (
    SELECT * EXCLUDE (pieces, {", ".join(_MERGED)}),
        {", ".join(f"CASE reading WHEN 'head counts' THEN coalesce({n}, all_{n}) ELSE {n} END {n}" for n in _MERGED)},
        CASE reading WHEN 'head counts' THEN coalesce(all_pieces, pieces) ELSE pieces END AS pieces
    FROM orders
    WHERE reading = 'alone' OR (reading = 'head counts') = (item_number IS NULL)
), converted AS (
    SELECT *, CASE WHEN payout_currency <> money_code THEN coalesce(exchange_rate, 1) ELSE 1 END AS rate,
        {" + ".join(f"coalesce({name}, 0)" for name in _COMMISSIONS)} AS commissions,
        {" + ".join(f"coalesce({name}, 0)" for name in _PENALTIES)} AS penalties,
        max(coalesce(paid_on, CASE kind WHEN 'payout' THEN created_on END))
            OVER (PARTITION BY delivered_for, account, payout_number) AS sent_on
    FROM merged
), netted AS (
    SELECT *, coalesce(net_amount, CAST((gross_amount + commissions + penalties) * rate AS DECIMAL(18, 4))) AS net
    FROM converted
), parted AS (
    SELECT *, CAST(commissions * rate AS DECIMAL(18, 4)) AS fees, CAST(penalties * rate AS DECIMAL(18, 4)) AS fines,
        CASE kind
            WHEN 'order' THEN CAST(coalesce(
                item_subtotal, gross_amount - coalesce(shipping, 0) - coalesce(seller_tax, 0)
            ) * rate AS DECIMAL(18, 4))
            WHEN 'refund' THEN CAST(coalesce(
                gross_amount, item_subtotal + coalesce(shipping, 0) + coalesce(seller_tax, 0)
            ) * rate AS DECIMAL(18, 4))
            ELSE net - CAST((commissions + penalties) * rate AS DECIMAL(18, 4)) END AS main_amount,
        CASE kind WHEN 'order' THEN CAST(shipping * rate AS DECIMAL(18, 4)) END AS postage,
        CASE kind WHEN 'order' THEN CAST(seller_tax * rate AS DECIMAL(18, 4)) END AS tax
    FROM netted
), closed AS (
    SELECT *, net - coalesce(main_amount, 0) - coalesce(postage, 0) - coalesce(tax, 0) - fees - fines AS remainder,
    FROM parted
)
SELECT closed.* EXCLUDE (kind), kind, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction, coalesce(note, '') AS purpose,
    CASE WHEN kind <> 'payout' THEN order_number END AS order_id, stock_unit AS sku,
    CASE WHEN part = 'amount' AND kind = 'order' THEN pieces WHEN part = 'amount' AND kind = 'refund' THEN -abs(pieces)
        END AS quantity,
    transaction_type AS raw_type, coalesce(note, part) AS raw_subtype,
    coalesce(payout_currency, money_code) AS currency,
    payout_number AS statement_id, CAST(NULL AS TIMESTAMPTZ) AS event_at, created_on AS event_date,
    CASE WHEN payout_number IS NOT NULL THEN sent_on END AS paid_out_on,
    CASE WHEN kind = 'hold' AND amount < 0 OR hold_reason IS NOT NULL THEN 'reserved'
        WHEN kind = 'payout' OR (payout_number IS NOT NULL AND sent_on IS NOT NULL) THEN 'paid'
        ELSE 'released' END AS status
FROM closed, LATERAL (
    SELECT unnest(['amount', 'shipping', 'tax', 'fees', 'fines',
            CASE WHEN rate <> 1 AND abs(remainder) <= 0.02 THEN 'rounding' ELSE 'rest' END]) AS part,
        unnest([main_amount, postage, tax, fees, fines, remainder]) AS amount
)
WHERE amount <> 0
"""  # noqa: S608 - put together from constants of this module

_SILENT = f"""
CASE WHEN {_KIND} = 'order' THEN 'row of an order that its other rows give' ELSE 'entry without an amount' END
"""

_UNCLEAR = f"""
SELECT row_order, 'the net amounts of the items do not sum to that of their order' AS reason,
    'order:one_total' AS rule_id
FROM ({_ORDERS}) WHERE reading = 'unclear'
"""  # noqa: S608 - put together from constants of this module


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with days in ISO form and plain amounts; German reports have a decimal comma."""
    rows = with_days_in_words(text_rows, _DAYS)
    languages: list[Any] = rows["report_language"].to_pylist()
    styles = [NumberStyle.COMMA if language == "de-DE" else NumberStyle.POINT for language in languages]
    amounts = ("gross_amount", *_MERGED, "ebay_tax", "exchange_rate")
    rows = with_plain_amounts(rows, amounts, "money_code", styles)
    return with_plain_amounts(rows, ("net_amount",), "payout_currency", styles)


def screen(raw: pa.Table) -> pa.Table:
    """Return the entries delivered before (the paid one is kept), and orders whose rows contradict each other."""
    changing = ("paid_on", "payout_number", "payout_method", "payout_state", "hold_reason")
    repeated = rows_delivered_before(raw, "ebay_transactions", ignoring=changing, waits="payout_number IS NULL")
    return repeated_or(repeated, run_sql(_UNCLEAR, raw=raw))


MAPPING = MoneyEventSource(
    source="ebay_transactions",
    platform="eBay",
    entries=_ENTRIES,
    kinds=("kind", "part", "direction", "purpose"),
    silent_reason=_SILENT,
    screen=screen,
    prepare=prepare,
    days=WrittenDays(columns=_DAYS),
    happened="created_on",
).mapping()
