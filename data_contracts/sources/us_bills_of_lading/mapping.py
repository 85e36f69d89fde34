"""Map United States bills of lading to ``export_document``, one row for each bill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.mapping.export_documents import TABLE
from data_contracts.mapping.repetition import of_any_account, rows_delivered_before
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql
from data_contracts.privacy import keyed_pseudonyms
from data_contracts.sources.customs_declaration import mapping as customs
from data_contracts.sources.trade_data_workbook.days import iso_days
from data_contracts.sources.trade_data_workbook.exporters import rows_of_other_exporters
from data_contracts.sources.trade_data_workbook.mapping import WEIGHT_KG, weights_without_unit

if TYPE_CHECKING:
    from data_contracts.arrow import Values

SOURCE = "us_bills_of_lading"

# A house bill names its master; the master's own row then repeats the cargo of its house bills.
_MASTERS_WITH_HOUSES = """
SELECT row_order, 'master bill whose house bills are in the file' AS reason FROM raw
WHERE (file_order, bill_of_lading) IN (
    SELECT (file_order, master_bill) FROM raw WHERE master_bill <> bill_of_lading
) ORDER BY row_order
"""

_DAYS = """
SELECT CASE WHEN count(nullif(trim(recorded_on), '')) OVER (PARTITION BY file_order) = 0 THEN expected_on
    ELSE recorded_on END AS day
FROM text_rows ORDER BY row_order
"""

_BILLS = f"""
SELECT
    concat_ws(':', delivered_for, 'bill_of_lading', left(source_sha256, 16), source_row) AS export_document_id,
    delivered_for AS seller_id,
    'bill_of_lading' AS document_kind,
    bill_of_lading AS document_number,
    false AS is_withdrawn,
    {WEIGHT_KG} AS gross_weight_kg,
    nullif(container_teu, 0) AS container_teu,
    'US' AS destination_country,
    {customs.NAMED_CONSIGNEE} AS counterparty,
    recorded_on AS event_date,
    CAST(recorded_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM (SELECT *, {customs.CONSIGNEE.format(name="importer_name")} AS consignee FROM raw)
WHERE row_order NOT IN (SELECT row_order FROM masters)
ORDER BY row_order
"""  # noqa: S608 - put together from constants


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with ISO days, which are the estimated ones in files that have no others."""
    files: list[Any] = text_rows["file_order"].to_pylist()
    texts: list[Any] = run_sql(_DAYS, text_rows=text_rows)["day"].to_pylist()
    days: Values = pa.array(iso_days(texts, files), pa.string())
    return with_column(text_rows, "recorded_on", days)


def screen(raw: pa.Table) -> pa.Table:
    """Return the bills delivered before, and those of other shippers than the one their file is about."""
    repeated = rows_delivered_before(of_any_account(raw), SOURCE)
    return pa.concat_tables([repeated, rows_of_other_exporters(raw).cast(repeated.schema)])


def master_bills(raw: pa.Table) -> pa.Table:
    """Return, as silent rows, the master bills whose house bills are in the same file."""
    return run_sql(_MASTERS_WITH_HOUSES, raw=raw)


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``export_document``; consignees become keyed pseudonyms, as they do in declarations."""
    mapped = run_sql(_BILLS, context.parameters, raw=raw, masters=master_bills(raw))
    buyers = keyed_pseudonyms(mapped["counterparty"], context.hmac_key, "consignee")
    mapped = mapped.append_column("counterparty_id", buyers)
    return {TABLE: canonical_table(TABLE, mapped, context)}


MAPPING = SourceMapping(
    source=SOURCE,
    covered_tables=(TABLE,),
    to_canonical=to_canonical,
    happened="recorded_on",
    prepare=prepare,
    screen=screen,
    asks_own_names=True,
    remarks=weights_without_unit,
    silent=master_bills,
)
