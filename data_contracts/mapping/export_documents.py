"""Shared parts of the sources of ``export_document``: customs codes, and which submission of a document counts.

A message may be sent again, changed or withdrawn under the number of the same document. Within one file the newest
submission counts. Across files, a submission that repeats the one before it is a duplicate, and any other is a new
version.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.definition.compiler import source_contract
from data_contracts.mapping.code_lists import code_list
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, canonical_table, run_sql

if TYPE_CHECKING:
    from data_contracts.arrow import Values

TABLE = "export_document"
# Number, time and kind of a submission; they are not part of the content of the document.
_OF_THE_SENDING = ("message_number", "sent_at", "report_kind")

# Records of one file may have the same number; a new record begins where the item numbers restart.
_RECORD_KEYS = """
SELECT CASE WHEN trim(message_number) = '' THEN message_number
    ELSE concat(message_number, '@', file_order, ':', sum(opens) OVER (ORDER BY row_order)) END AS record_key
FROM (
    SELECT *, CAST(coalesce(source_item <= lag(source_item) OVER file_rows, true)
        OR message_number IS DISTINCT FROM lag(message_number) OVER file_rows AS INTEGER) AS opens
    FROM text_rows WINDOW file_rows AS (PARTITION BY file_order ORDER BY row_order)
)
ORDER BY row_order
"""

_REPEATED_DOCUMENTS = """
WITH messages AS (
    SELECT message_number, {identity} AS identity, any_value(delivered_for) AS delivered_for,
        any_value("account") AS "account", any_value(file_order) AS file_order, max(sent_at) AS sent_at,
        min(row_order) AS first_row, list(row({content}) ORDER BY row_order) AS content
    FROM raw GROUP BY message_number, identity
), versions AS (
    SELECT *, row_number() OVER (
        PARTITION BY delivered_for, "account", identity, file_order ORDER BY sent_at DESC, first_row DESC
    ) AS newest
    FROM messages
), compared AS (
    SELECT message_number, content, lag(content) OVER (
        PARTITION BY delivered_for, "account", identity ORDER BY sent_at, file_order
    ) AS before
    FROM versions WHERE newest = 1
)
SELECT row_order, 'repeated document' AS reason, CAST(NULL AS VARCHAR) AS rule_id FROM raw WHERE message_number IN (
    SELECT message_number FROM versions WHERE newest > 1
    UNION ALL SELECT message_number FROM compared WHERE before IS NOT NULL AND content IS NOT DISTINCT FROM before
)
ORDER BY row_order
"""

_UNKNOWN_CURRENCY = """
SELECT row_order, money_code AS reason, 'money_code:known' AS rule_id FROM raw
WHERE regexp_full_match(money_code, '[0-9]{3}') AND money_code NOT IN (SELECT customs_code FROM currencies)
ORDER BY row_order
"""

_DRAFTS = """
SELECT row_order, 'draft, not declared' AS reason FROM raw
WHERE report_state = '1' AND report_kind <> '3' ORDER BY row_order
"""

# China is eight hours ahead of UTC all year round.
SENT_ON = "CAST(any_value(sent_at) + to_hours(8) AS DATE)"
"""SQL expression over the rows of a message: the day on which it was sent, in China."""

LINEAGE = """
    any_value(delivered_for) AS delivered_for,
    any_value(merchant_code) AS merchant_code,
    any_value(sent_at) AS known_from,
    min(row_order) AS row_order,
    any_value(source_file) AS source_file, any_value(source_sha256) AS source_sha256, min(source_row) AS source_row
"""
"""SQL columns over the rows of a message that every document has."""

_DECLARED = """
SELECT {lineage},
    '{kind}' AS kind,
    any_value({identity}) AS identity,
    any_value(report_kind) = '3' OR any_value(report_state) = '3' AS is_withdrawn,
    any_value(money_code) AS money_code,
    {columns}
FROM raw WHERE report_state <> '1' OR report_kind = '3' GROUP BY message_number
"""

# A day begins earlier in China than in UTC, so its events are known from the start of that date in UTC.
_DOCUMENTS = """
SELECT
    concat_ws(':', delivered_for, kind, identity) AS export_document_id,
    delivered_for AS seller_id,
    kind AS document_kind,
    * EXCLUDE (delivered_for, kind, identity, known_from, customs_code, iso_4217, money_code),
    coalesce(iso_4217, money_code) AS currency,
    greatest(known_from, CAST(event_date AS TIMESTAMPTZ)) + to_days($known_lag_days) AS known_at
FROM documents LEFT JOIN currencies ON money_code = customs_code
ORDER BY row_order
"""


@dataclass(frozen=True)
class Message:
    """How the rows of a type of message make documents.

    Attributes:
        source: the source.
        kind: document type.
        identity: SQL expression over a row that identifies the document among those of its type and seller.
        columns: SQL over the rows of a message: ``event_date`` and columns of the table.
        happened: column with the time of the event.
        has_items: whether a message has several rows, which are accepted or set aside together.
    """

    source: str
    kind: str
    identity: str
    columns: str
    happened: str = "sent_at"
    has_items: bool = False


def currency_codes() -> pa.Table:
    """Return the currencies of the customs code list: ``customs_code``, three digits, and ``iso_4217``."""
    return code_list(__package__, "customs_codes.toml", "iso_4217_of", ("customs_code", "iso_4217"))


def message_mapping(message: Message) -> SourceMapping:
    """Return the mapping of a type of message that companies send to customs."""
    return SourceMapping(
        source=message.source,
        covered_tables=(TABLE,),
        to_canonical=functools.partial(_declared_documents, message),
        happened=message.happened,
        prepare=_with_record_keys,
        screen=functools.partial(screened, message.source, message.identity),
        silent=_drafts,
        group_column="message_number" if message.has_items else None,
    )


def _with_record_keys(text_rows: pa.Table) -> pa.Table:
    """Return text rows with a message number that is unique to each record and shared by its items."""
    keys: Values = run_sql(_RECORD_KEYS, text_rows=text_rows)["record_key"]
    return with_column(text_rows, "message_number", keys)


def _drafts(raw: pa.Table) -> pa.Table:
    """Return, as silent rows, the rows of documents that were prepared but not sent."""
    return run_sql(_DRAFTS, raw=raw)


def _declared_documents(message: Message, raw: pa.Table, context: MappingContext) -> Tables:
    given = {"kind": message.kind, "identity": message.identity, "columns": message.columns, "lineage": LINEAGE}
    return documents_of(_DECLARED.format(**given), raw, context)


def screened(source: str, identity: str, raw: pa.Table) -> pa.Table:
    """Return, as a screen does, the rows of superseded submissions and those in an unknown currency."""
    content = [f'"{column.name}"' for column in source_contract(source).columns if column.name not in _OF_THE_SENDING]
    if "report_kind" in raw.column_names:
        content.append("report_kind = '3'")
    repeated = run_sql(_REPEATED_DOCUMENTS.format(identity=identity, content=", ".join(content)), raw=raw)
    if "money_code" not in raw.column_names:
        return repeated
    unknown = run_sql(_UNKNOWN_CURRENCY, raw=raw, currencies=currency_codes())
    return pa.concat_tables([repeated, unknown.cast(repeated.schema)])


def documents_of(query: str, raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``export_document``.

    Args:
        query: SQL over ``raw`` that returns one row for each document: ``delivered_for``, ``kind``, ``identity``,
            ``money_code``, ``event_date``, ``known_from``, ``row_order``, the file lineage and columns of the table.
        raw: typed rows.
        context: context of the mapping.
    """
    mapped = run_sql(_DOCUMENTS, context.parameters, documents=run_sql(query, raw=raw), currencies=currency_codes())
    return {TABLE: canonical_table(TABLE, mapped, context, {"amount_usd": "amount"})}
