"""Map customs answers on summary declarations to ``export_document``, one row for each list and declaration."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from data_contracts.arrow import with_column
from data_contracts.mapping.export_documents import LINEAGE, SENT_ON, TABLE, documents_of, screened
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql

if TYPE_CHECKING:
    import pyarrow as pa

    from data_contracts.arrow import Values

SOURCE = "ceb_summary"

_IDENTITY = "concat_ws(':', entry_number, customs_number)"

# An answer covers many lists, and repeats each of them for every item.
_KEYS = """
SELECT concat_ws('@', message_number, file_order, entry_number, customs_number) AS list_key
FROM text_rows ORDER BY row_order
"""

_UNANSWERED = """
SELECT row_order, 'no declaration named yet' AS reason FROM raw WHERE entry_number IS NULL ORDER BY row_order
"""

_DOCUMENTS = f"""
SELECT {LINEAGE},
    'summary' AS kind,
    any_value({_IDENTITY}) AS identity,
    any_value(summary_number) AS document_number,
    any_value(waybill_number) AS waybill_number,
    any_value(customs_number) AS list_number,
    any_value(entry_number) AS declaration_id,
    false AS is_withdrawn,
    CAST(NULL AS VARCHAR) AS money_code,
    CAST(NULL AS DECIMAL(18, 4)) AS amount,
    {SENT_ON} AS event_date
FROM raw WHERE entry_number IS NOT NULL GROUP BY message_number
"""  # noqa: S608 - put together from constants


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with a key of message, list and declaration in place of the message number."""
    keys: Values = run_sql(_KEYS, text_rows=text_rows)["list_key"]
    return with_column(text_rows, "message_number", keys)


def silent(raw: pa.Table) -> pa.Table:
    """Return the rows of answers that do not name a declaration yet."""
    return run_sql(_UNANSWERED, raw=raw)


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``export_document``."""
    return documents_of(_DOCUMENTS, raw, context)


MAPPING = SourceMapping(
    source=SOURCE,
    covered_tables=(TABLE,),
    to_canonical=to_canonical,
    happened="sent_at",
    prepare=prepare,
    screen=functools.partial(screened, SOURCE, _IDENTITY),
    silent=silent,
    group_column="message_number",
)
