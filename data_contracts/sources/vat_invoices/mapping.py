"""Map VAT invoices to ``trade_invoice``."""

from __future__ import annotations

import pyarrow as pa

from data_contracts.mapping.repetition import repeated_rows
from data_contracts.mapping.source_mapping import (
    NamedSellers,
    SourceMapping,
    query_mapping,
    run_sql,
)

# Invoice numbers repeat across series and years, so the identifier includes a digest of the rest of the invoice. One
# file may contain a void and a valid copy, which are separate rows. A later file with the invoice in another state is
# an update.
_INVOICES = """
SELECT
    concat_ws(':', firm_code, direction, number, left(md5(concat_ws('|',
        counterparty_id, issued_on, net, tax, gross, state_place)), 12)) AS invoice_id,
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

# The columns that identify an invoice, apart from its state.
_INVOICE = "firm_code, number, issued_on, supplier_code, customer_code, net, tax, gross"

_STATE_PLACES = f"""
SELECT coalesce(place, 1) AS place
FROM text_rows LEFT JOIN (
    SELECT file_order, {_INVOICE}, trim(state) AS state,
        row_number() OVER (PARTITION BY file_order, {_INVOICE} ORDER BY min(row_order)) AS place
    FROM text_rows GROUP BY file_order, {_INVOICE}, trim(state)
    QUALIFY count(*) OVER (PARTITION BY file_order, {_INVOICE}) > 1
) AS states USING (file_order, {_INVOICE})
WHERE states.state IS NULL OR states.state = trim(text_rows.state)
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module

_FOREIGN = """
SELECT row_order, 'invoice of another firm' AS reason, 'delivery:seller_matches' AS rule_id
FROM raw WHERE delivered_for IS NOT NULL AND delivered_for <> firm_code
"""


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with ``state_place``: the place of their state among the invoice's states in the file, from 1."""
    return text_rows.append_column("state_place", run_sql(_STATE_PLACES, text_rows=text_rows)["place"])


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows that repeat another one except for the row number, and rows of a firm not delivered for."""
    repeated = repeated_rows(raw, "vat_invoices", "repeated invoice", f"{_INVOICE}, state_place", {"row_label"})
    return pa.concat_tables([repeated, run_sql(_FOREIGN, raw=raw)])


MAPPING = SourceMapping(
    source="vat_invoices",
    covered_tables=("trade_invoice",),
    to_canonical=query_mapping(_INVOICES, "trade_invoice", {"net_amount_usd": "net_amount"}, relabel=True),
    happened="issued_on",
    prepare=prepare,
    screen=screen,
    needs_seller=False,
    named_sellers=NamedSellers(seller="firm_code"),
    partition_by="number",
)
