"""Map invoices of the tax platform to ``trade_invoice``, one row for each invoice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.mapping.repetition import LinesOfRecords, repeated_records
from data_contracts.mapping.source_mapping import (
    MappingContext,
    SourceMapping,
    Tables,
    canonical_table,
    relabelled,
    run_sql,
)
from data_contracts.privacy import keyed_pseudonyms
from data_contracts.sources.vat_tax_platform.own_numbers import own_numbers

if TYPE_CHECKING:
    from data_contracts.arrow import Values

SOURCE = "vat_tax_platform"

_KEYS = """
SELECT
    CASE WHEN is_sum THEN '合计' ELSE '' END AS row_label,
    CASE WHEN is_sum THEN 'sum:' || row_order ELSE coalesce(
        nullif(trim(digital_number), ''), concat_ws('-', nullif(trim(series_code), ''), trim(paper_number))
    ) END AS invoice_key
FROM (
    SELECT *, '合计' IN (trim(row_label), trim(series_code), trim(paper_number), trim(digital_number)) AS is_sum
    FROM text_rows
)
ORDER BY row_order
"""

_SUMS = """
SELECT total.row_order, 'the sum of the sheet is ' || total.net || ', its rows add up to ' || sum(one.net) AS reason,
    'sheet:sum' AS rule_id
FROM raw AS total JOIN raw AS one
    ON one.file_order = total.file_order AND one.sheet_name = total.sheet_name AND one.row_label IS NULL
WHERE total.row_label = '合计'
GROUP BY total.row_order, total.net HAVING abs(sum(one.net) - total.net) > 0.05
"""

_NOT_OWN = """
SELECT row_order, CASE WHEN own_number IS NULL THEN
        'no tax number is on every row, or two are: name the seller as account (--account NUMBER)'
    ELSE 'invoice of another firm' END AS reason,
    CASE WHEN own_number IS NULL THEN 'seller:unclear' ELSE 'delivery:seller_matches' END AS rule_id
FROM raw WHERE row_label IS NULL
    AND coalesce(own_number NOT IN (coalesce(supplier_number, ''), coalesce(customer_number, '')), true)
"""

# Lines of an invoice that the first sheet also holds, sums, and all but the last row of an invoice make no row.
_SILENT = """
SELECT row_order, CASE
    WHEN row_label = '合计' THEN 'sum of the sheet'
    WHEN sheet_name <> '发票基础信息' AND in_first THEN 'line of an invoice in the first sheet'
    WHEN sheet_name = '发票基础信息' AND nth > 1 THEN 'earlier row of the same invoice'
END AS reason
FROM (
    SELECT *, bool_or(sheet_name = '发票基础信息') OVER (PARTITION BY file_order, invoice_key) AS in_first,
        row_number() OVER (PARTITION BY file_order, sheet_name, invoice_key ORDER BY row_order DESC) AS nth
    FROM raw
)
WHERE reason IS NOT NULL ORDER BY row_order
"""

_LINES_DIFFER = """
SELECT first.row_order, 'its lines do not add up to the invoice' AS reason
FROM raw AS first JOIN raw AS line
    ON line.file_order = first.file_order AND line.invoice_key = first.invoice_key
    AND line.sheet_name <> '发票基础信息' AND first.sheet_name = '发票基础信息'
WHERE first.row_label IS NULL
GROUP BY first.row_order, first.gross HAVING abs(sum(line.gross) - first.gross) > 0.05
ORDER BY first.row_order
"""

_INVOICES = """
SELECT
    concat_ws(':', delivered_for, direction, invoice_key) AS invoice_id,
    delivered_for AS seller_id,
    direction,
    CASE direction WHEN 'sale' THEN coalesce(customer_number, customer_name)
        ELSE coalesce(supplier_number, supplier_name) END AS counterparty,
    coalesce(digital_number, paper_number) AS invoice_number,
    net AS net_amount,
    gross - net AS tax_amount,
    gross AS gross_amount,
    'CNY' AS currency,
    state AS status,
    gross < 0 AS is_credit_note,
    event_date,
    CAST(event_date AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM (
    SELECT any_value(delivered_for) AS delivered_for, invoice_key,
        CASE WHEN any_value(own_number) = any_value(supplier_number) THEN 'sale' ELSE 'purchase' END AS direction,
        any_value(customer_number) AS customer_number, any_value(customer_name) AS customer_name,
        any_value(supplier_number) AS supplier_number, any_value(supplier_name) AS supplier_name,
        any_value(digital_number) AS digital_number, any_value(paper_number) AS paper_number,
        CAST(sum(net) AS DECIMAL(18, 4)) AS net, CAST(sum(gross) AS DECIMAL(18, 4)) AS gross,
        any_value(state) AS state, CAST(min(issued_at) + to_hours(8) AS DATE) AS event_date,
        min(row_order) AS row_order, any_value(source_file) AS source_file, any_value(source_sha256) AS source_sha256,
        min(source_row) AS source_row
    FROM raw ANTI JOIN silent USING (row_order)
    GROUP BY file_order, invoice_key
)
ORDER BY row_order
"""

_OWN_NAMES = """
SELECT DISTINCT delivered_for AS seller, trim(CASE WHEN own_number = supplier_number THEN supplier_name
    WHEN own_number = customer_number THEN customer_name END) AS name
FROM raw WHERE name <> '' ORDER BY ALL
"""


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with the number of their invoice, a key of its rows in one sheet, and the seller's tax number."""
    keys = run_sql(_KEYS, text_rows=text_rows)
    rows = with_column(text_rows, "row_label", keys["row_label"]).append_column("invoice_key", keys["invoice_key"])
    rows = rows.append_column("own_number", own_numbers(rows))
    query = "SELECT concat_ws(':', file_order, sheet_name, invoice_key) AS key FROM text_rows ORDER BY row_order"
    record_keys: Values = run_sql(query, text_rows=rows)["key"]
    return rows.append_column("record_key", record_keys)


def screen(raw: pa.Table) -> pa.Table:
    """Return the invoices delivered before, the rows that are not the seller's, and sums that do not add up."""
    lines = LinesOfRecords("record_key", "any_value(concat_ws(':', sheet_name, invoice_key))")
    repeated = repeated_records(raw, SOURCE, "repeated invoice", lines)
    strange = run_sql(_NOT_OWN, raw=raw)
    return pa.concat_tables([repeated, *(part.cast(repeated.schema) for part in (strange, run_sql(_SUMS, raw=raw)))])


def silent(raw: pa.Table) -> pa.Table:
    """Return the rows that make no invoice of their own: sums, and lines of an invoice in the first sheet."""
    return run_sql(_SILENT, raw=raw)


def remarks(raw: pa.Table) -> pa.Table:
    """Return the invoices whose lines do not add up to them."""
    return run_sql(_LINES_DIFFER, raw=raw)


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``trade_invoice``; counterparties become keyed pseudonyms."""
    rows = relabelled(raw, context.contract)
    mapped = run_sql(_INVOICES, context.parameters, raw=rows, silent=silent(raw))
    parties = keyed_pseudonyms(mapped["counterparty"], context.hmac_key, "invoice_party")
    mapped = mapped.append_column("counterparty_id", parties)
    return {"trade_invoice": canonical_table("trade_invoice", mapped, context, {"net_amount_usd": "net_amount"})}


def own_names(raw: pa.Table) -> pa.Table:
    """Return the names under which the sellers of the files trade."""
    return run_sql(_OWN_NAMES, raw=raw)


MAPPING = SourceMapping(
    source=SOURCE,
    own_names=own_names,
    covered_tables=("trade_invoice",),
    to_canonical=to_canonical,
    happened="issued_at",
    prepare=prepare,
    screen=screen,
    silent=silent,
    remarks=remarks,
    group_column="record_key",
)
