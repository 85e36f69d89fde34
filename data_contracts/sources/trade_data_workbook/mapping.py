"""Map records of trade-data publishers to ``export_document``, one row for each record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.definition.compiler import source_contract
from data_contracts.mapping.code_lists import country_names
from data_contracts.mapping.export_documents import TABLE
from data_contracts.mapping.repetition import of_any_account, repeated_or, rows_delivered_before
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql
from data_contracts.privacy import keyed_pseudonyms
from data_contracts.sources.customs_declaration import mapping as customs
from data_contracts.sources.trade_data_workbook.days import iso_days
from data_contracts.sources.trade_data_workbook.exporters import rows_of_other_exporters

if TYPE_CHECKING:
    from data_contracts.arrow import Values

SOURCE = "trade_data_workbook"

# Number cells lose a leading zero; tariff codes have an even number of digits.
_CODES = """
SELECT CASE WHEN regexp_full_match(code, '[0-9]{5}|[0-9]{7}|[0-9]{9}') THEN '0' || code ELSE code END AS code
FROM (SELECT row_order, regexp_replace(trim(tariff_code), '[. ]', '', 'g') AS code FROM text_rows)
ORDER BY row_order
"""

WEIGHT_KG = """CAST(coalesce(nullif(weight_kg, 0), nullif(weight, 0) * CASE
    WHEN weight_unit IS NULL OR regexp_full_match(upper(weight_unit), 'K|KGS?|KGM|KILO(S|GRAMS?)?|公斤|千克') THEN 1
    WHEN regexp_full_match(upper(weight_unit), 'LBS?|POUNDS?|磅') THEN 0.45359237
    WHEN regexp_full_match(upper(weight_unit), 'MT|T|TNE|TONS?|TONNES?|吨') THEN 1000
END) AS DECIMAL(18, 4))"""
"""SQL expression over a record: its gross weight in kilograms, or null in a unit that is not known."""

_WITHOUT_UNIT = """
SELECT row_order, 'weight without a unit, taken as kilograms' AS reason FROM raw
WHERE coalesce(weight_kg, 0) = 0 AND weight <> 0 AND weight_unit IS NULL ORDER BY row_order
"""

_RECORDS = f"""
SELECT
    concat_ws(':', delivered_for, 'trade_record', left(source_sha256, 16), source_row) AS export_document_id,
    delivered_for AS seller_id,
    'trade_record' AS document_kind,
    coalesce(declaration_number, bill_of_lading, record_number, concat_ws(':', left(source_sha256, 16), source_row))
        AS document_number,
    declaration_number AS declaration_id,
    false AS is_withdrawn,
    coalesce(nullif(value_usd, 0), nullif(value_own, 0)) AS amount,
    CASE WHEN value_usd <> 0 THEN 'USD' WHEN value_own <> 0 THEN money_code END AS currency,
    {WEIGHT_KG} AS gross_weight_kg,
    tariff_code AS commodity_code,
    coalesce(
        by_name.alpha_2, by_code.alpha_2, CASE WHEN regexp_full_match(destination, '[A-Z][A-Z]') THEN destination END
    ) AS destination_country,
    {customs.NAMED_CONSIGNEE} AS counterparty,
    recorded_on AS event_date,
    CAST(recorded_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM (
    SELECT *, {customs.CONSIGNEE.format(name="importer_name")} AS consignee FROM raw
)
LEFT JOIN names AS by_name ON lower(trim(destination)) = folded_name
LEFT JOIN codes AS by_code ON upper(trim(destination)) = alpha_3
ORDER BY row_order
"""  # noqa: S608 - put together from constants


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with ISO days and tariff codes without punctuation."""
    texts: list[Any] = text_rows["recorded_on"].to_pylist()
    files: list[Any] = text_rows["file_order"].to_pylist()
    days = iso_days(texts, files)
    codes: Values = run_sql(_CODES, text_rows=text_rows)["code"]
    for name, values in (("recorded_on", pa.array(days, pa.string())), ("tariff_code", codes)):
        text_rows = with_column(text_rows, name, values)
    return text_rows


def _repeated_records(raw: pa.Table) -> pa.Table:
    """Return the rows that repeat a record of their file: the publisher numbers its records, so equal rows are one."""
    stated = ", ".join(f'"{column.name}"' for column in source_contract(SOURCE).columns)
    query = f"""
        SELECT row_order, 'repeated record' AS reason, CAST(NULL AS VARCHAR) AS rule_id FROM (
            SELECT row_order, row_number() OVER (PARTITION BY file_order, {stated} ORDER BY row_order) AS copy
            FROM raw WHERE record_number IS NOT NULL
        ) WHERE copy > 1 ORDER BY row_order
    """  # noqa: S608 - the names are a contract's, whose form is checked when it is compiled
    return run_sql(query, raw=raw)


def screen(raw: pa.Table) -> pa.Table:
    """Return the records delivered before, and those of other exporters than the one their file is about."""
    repeated = repeated_or(rows_delivered_before(of_any_account(raw), SOURCE), _repeated_records(raw))
    return repeated_or(repeated, rows_of_other_exporters(raw).cast(repeated.schema))


def weights_without_unit(raw: pa.Table) -> pa.Table:
    """Return, as remarks, the records whose weight has no unit."""
    return run_sql(_WITHOUT_UNIT, raw=raw)


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``export_document``; buyers become keyed pseudonyms, as consignees do in declarations."""
    mapped = run_sql(
        _RECORDS, context.parameters, raw=raw, names=country_names(__package__), codes=customs.country_codes()
    )
    buyers = keyed_pseudonyms(mapped["counterparty"], context.hmac_key, "consignee")
    mapped = mapped.append_column("counterparty_id", buyers)
    return {TABLE: canonical_table(TABLE, mapped, context, {"amount_usd": "amount"})}


MAPPING = SourceMapping(
    source=SOURCE,
    covered_tables=(TABLE,),
    to_canonical=to_canonical,
    happened="recorded_on",
    prepare=prepare,
    screen=screen,
    asks_own_names=True,
    remarks=weights_without_unit,
)
