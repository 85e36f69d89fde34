"""VAT invoices to ``trade_invoice``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.sources.mapping import MappingContext, SourceMapping, Tables, canonical_table, relabelled, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

# An invoice number repeats over series and years and a void copy may stand beside the valid one, so the rest of the
# invoice enters its identifier as a digest.
_INVOICES = """
SELECT
    concat_ws(':', firm_code, direction, number, left(md5(concat_ws('|',
        counterparty_id, issued_on, net, tax, gross, raw_state)), 12)) AS invoice_id,
    firm_code AS seller_id,
    direction,
    counterparty_id,
    number AS invoice_number,
    net AS net_amount,
    tax AS tax_amount,
    gross AS gross_amount,
    'CNY' AS currency,
    state AS status,
    gross < 0 AS is_credit_note,
    issued_on AS event_date,
    CAST(issued_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM (
    SELECT *,
        CASE WHEN supplier_code IS NULL THEN 'sale' ELSE 'purchase' END AS direction,
        coalesce(supplier_code, customer_code) AS counterparty_id
    FROM raw
)
"""

_OBJECTIONS = """
SELECT row_order, reason, rule_id
FROM (
    SELECT row_order,
        CASE WHEN copy > 1 THEN 'repeated invoice' WHEN foreign_firm THEN 'invoice of another firm' END AS reason,
        CASE WHEN copy = 1 AND foreign_firm THEN 'delivery:seller_matches' END AS rule_id
    FROM (
        SELECT row_order,
            delivered_for IS NOT NULL AND delivered_for <> firm_code AS foreign_firm,
            row_number() OVER (
                PARTITION BY firm_code, number, issued_on, supplier_code, customer_code, net, tax, gross, state
                ORDER BY row_order) AS copy
        FROM raw
    )
)
WHERE reason IS NOT NULL
"""


def screen(raw: pa.Table) -> pa.Table:
    """Give the rows that repeat another in everything but the row number, and those of a firm not delivered for."""
    return run_sql(_OBJECTIONS, raw=raw)


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Give ``trade_invoice``."""
    labelled = relabelled(raw.append_column("raw_state", raw["state"]), context.contract)
    mapped = run_sql(_INVOICES, {"known_lag_days": context.known_lag_days}, raw=labelled)
    return {"trade_invoice": canonical_table("trade_invoice", mapped, context, {"net_amount_usd": "net_amount"})}


MAPPING = SourceMapping(
    source="vat_invoices",
    covered_tables=("trade_invoice",),
    to_canonical=to_canonical,
    happened="issued_on",
    screen=screen,
    needs_seller=False,
)
