"""Detect records that were delivered more than once.

If a record has an identifier, a later delivery with the same content is a duplicate, and one with different content is
a correction. Ingest keeps both as versions of one canonical row. If rows have no identifier, or only the latest state
can be trusted, one delivery of a record is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.definition.compiler import source_contract
from data_contracts.mapping.source_mapping import run_sql

if TYPE_CHECKING:
    from collections.abc import Collection

# A record starts with its own row, item 0. If that row was set aside, the items restart or the key changes.
_SUPERSEDED = """
WITH opened AS (
    SELECT *,
        source_item = 0
            OR coalesce(source_item <= lag(source_item) OVER file_rows, true)
            OR {key} IS DISTINCT FROM lag({key}) OVER file_rows AS opens
    FROM raw WINDOW file_rows AS (PARTITION BY file_order ORDER BY row_order)
), numbered AS (
    SELECT *, count_if(opens) OVER (ORDER BY row_order) AS block FROM opened
), judged AS (
    SELECT block, any_value(delivered_for) AS delivered_for, any_value({key}) AS record_key,
        {broken} AS broken, max({newest}) AS newest, max(settlement_state) AS state
    FROM numbered GROUP BY block
), ranked AS (
    SELECT block, row_number() OVER (
        PARTITION BY delivered_for, record_key ORDER BY broken, newest DESC NULLS LAST, state DESC, block
    ) AS copy
    FROM judged
)
SELECT row_order, $reason AS reason, CAST(NULL AS VARCHAR) AS rule_id
FROM numbered JOIN ranked USING (block) WHERE copy > 1
ORDER BY row_order
"""

# Compare the content of each delivery of a record with that of the delivery before it. Only records delivered more than
# once are read in full.
_UNCHANGED_RECORDS = """
WITH deliveries AS ({deliveries}), shared AS (
    SELECT {who} FROM deliveries GROUP BY ALL HAVING count(*) > 1
), again AS (
    SELECT deliveries.* FROM deliveries JOIN shared ON {same}
), contents AS (
    SELECT {record} AS record, {content} AS content
    FROM raw WHERE {record} IN (SELECT record FROM again) GROUP BY {record}
), records AS (
    SELECT *, row_number() OVER (PARTITION BY {who}, file_order, content ORDER BY first_row) AS copy
    FROM again JOIN contents USING (record)
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY {who}, file_order ORDER BY first_row) AS place FROM records WHERE copy = 1
), compared AS (
    SELECT record, content, lag(content) OVER (PARTITION BY {who}, place ORDER BY delivered_at, file_order) AS before
    FROM numbered
)
SELECT row_order, $reason AS reason, CAST(NULL AS VARCHAR) AS rule_id
FROM raw WHERE {record} IN (
    SELECT record FROM records WHERE copy > 1
    UNION ALL SELECT record FROM compared WHERE before IS NOT NULL AND content IS NOT DISTINCT FROM before
)
ORDER BY row_order
"""


def of_any_account(raw: pa.Table) -> pa.Table:
    """Return the rows without their account, for exports that say the same under any name of it."""
    return with_column(raw, "account", pa.nulls(raw.num_rows, pa.string()))


def repeated_rows(raw: pa.Table, source: str, reason: str, identity: str, ignoring: Collection[str] = ()) -> pa.Table:
    """Return, as a screen does, the rows that repeat the last delivery of their record or a row of their own file.

    Args:
        raw: typed rows.
        source: name of their source.
        reason: name of the repetition.
        identity: comma-separated columns that identify a record within an account.
        ignoring: columns that are not compared.
    """
    names = _content(source, ignoring)
    query = f"""
        SELECT row_order AS record, row_order AS first_row, file_order, delivered_at, delivered_for, "account",
            {identity}
        FROM raw
    """  # noqa: S608 - our own column names
    return _unchanged_records(raw, _Deliveries(query, "row_order", identity, f"any_value(row({names}))"), reason)


@dataclass(frozen=True)
class LinesOfRecords:
    """How the lines of a record are grouped.

    Attributes:
        column: has one value in the lines of one delivery of a record, and other values elsewhere.
        identity: SQL expression over the column that has one value in all deliveries of the record.
        condition: SQL aggregate over the lines of a delivery that decides whether they are a record at all.
    """

    column: str
    identity: str
    condition: str = "true"


def repeated_records(raw: pa.Table, source: str, reason: str, lines: LinesOfRecords) -> pa.Table:
    """Return, as ``repeated_rows`` does, the lines of records that repeat the last delivery of the record."""
    names = _content(source, ignoring={lines.column})
    query = f"""
        SELECT {lines.column} AS record, min(row_order) AS first_row, any_value(file_order) AS file_order,
            any_value(delivered_at) AS delivered_at, any_value(delivered_for) AS delivered_for,
            any_value("account") AS "account", {lines.identity} AS identity
        FROM raw GROUP BY {lines.column} HAVING {lines.condition}
    """  # noqa: S608 - our own column names
    content = f"list(row({names}) ORDER BY row_order)"
    return _unchanged_records(raw, _Deliveries(query, lines.column, "identity", content), reason)


_OF_ANOTHER_ACCOUNT = """
WITH records AS (
    SELECT {column} AS record, any_value(delivered_for) AS seller, coalesce(any_value("account"), '') AS account,
        (any_value(delivered_at), any_value(file_order)) AS delivery, {identity} AS identity
    FROM raw GROUP BY {column} HAVING {condition}
), firsts AS (
    SELECT seller, identity, arg_min(account, delivery) AS account FROM records
    GROUP BY seller, identity HAVING count(DISTINCT account) > 1
)
SELECT row_order, $reason AS reason, CAST(NULL AS VARCHAR) AS rule_id FROM raw WHERE {column} IN (
    SELECT record FROM records JOIN firsts USING (seller, identity) WHERE records.account <> firsts.account
)
ORDER BY row_order
"""


def records_of_another_account(raw: pa.Table, reason: str, lines: LinesOfRecords) -> pa.Table:
    """Return, as a screen does, the lines of records that a seller also delivered under the name of another account.

    Unlike in ``repeated_records``, the identity of ``lines`` is an aggregate over the lines of a record that two
    records of different accounts never share. The account that was delivered first keeps them.
    """
    query = _OF_ANOTHER_ACCOUNT.format(column=lines.column, identity=lines.identity, condition=lines.condition)
    return run_sql(query, {"reason": reason}, raw=raw)


def _content(source: str, ignoring: Collection[str] = ()) -> str:
    return ", ".join(f'"{column.name}"' for column in source_contract(source).columns if column.name not in ignoring)


@dataclass(frozen=True)
class _Deliveries:
    """The SQL that describes what deliveries state about records.

    Attributes:
        query: one row for each record and delivery: ``record``, ``first_row``, its origin and its identity.
        record: the column of ``raw`` that ``record`` is taken from.
        identity: comma-separated columns that identify the record within an account.
        content: aggregate over the rows of a record with everything it states.
    """

    query: str
    record: str
    identity: str
    content: str


def _unchanged_records(raw: pa.Table, deliveries: _Deliveries, reason: str) -> pa.Table:
    names = ["delivered_for", '"account"', *deliveries.identity.split(", ")]
    query = _UNCHANGED_RECORDS.format(
        deliveries=deliveries.query,
        record=deliveries.record,
        content=deliveries.content,
        who=", ".join(names),
        same=" AND ".join(f"deliveries.{name} IS NOT DISTINCT FROM shared.{name}" for name in names),
    )
    return run_sql(query, {"reason": reason}, raw=raw)


def superseded_records(raw: pa.Table, key: str, newest: str, broken: str, reason: str) -> pa.Table:
    """Return, as a screen does, the rows of all deliveries of a record except one.

    The delivery to keep is one without contradiction, else the newest, else the furthest settled, else the first.

    Args:
        raw: typed rows; item 0 is the record's own row, followed by its items. Has a column ``settlement_state``.
        key: column that identifies the record.
        newest: column that orders its deliveries.
        broken: SQL aggregate over the rows of one delivery of a record: whether the delivery contradicts itself.
        reason: name of the repetition.
    """
    query = _SUPERSEDED.format(key=key, newest=newest, broken=broken)
    return run_sql(query, {"reason": reason}, raw=raw)


def rows_delivered_before(
    raw: pa.Table,
    source: str,
    besides: str = "delivered_for",
    ignoring: Collection[str] = (),
    waits: str = "false",
) -> pa.Table:
    """Return, as a screen does, the rows that another file of the same account also contains, equally often.

    This is for exports whose rows have no number of their own. Two equal rows of one file may both be meant; the same
    rows in the next file are the same amounts delivered again, and so are those of one file in another state.

    Args:
        raw: typed rows.
        source: name of their source.
        besides: another column in which rows must be equal.
        ignoring: columns in which they may differ.
        waits: SQL condition on a row whose money is still to come; of two states of one amount, the other is kept.
    """
    names = [column.name for column in source_contract(source).columns if column.name not in ignoring]
    row = ", ".join(["delivered_for", '"account"', f'"{besides}"', *(f'"{name}"' for name in names)])
    query = f"""
        SELECT row_order, 'repeated row' AS reason, CAST(NULL AS VARCHAR) AS rule_id
        FROM (
            SELECT row_order, row_number() OVER (PARTITION BY {row}, nth ORDER BY {waits}, file_order) AS copy
            FROM (
                SELECT *, row_number() OVER (PARTITION BY {row}, file_order, {waits} ORDER BY row_order) AS nth FROM raw
            )
        )
        WHERE copy > 1
        ORDER BY row_order
    """  # noqa: S608 - the names are a contract's, whose form is checked when it is compiled
    return run_sql(query, raw=raw)


def repeated_keys(raw: pa.Table, key: str, first: str = "row_order") -> pa.Table:
    """Return, as a screen does, the rows whose key an account has already delivered.

    Args:
        raw: typed rows.
        key: comma-separated columns that identify a row; a row with a missing key is never a repetition.
        first: SQL order that decides which of several equal rows is kept.
    """
    complete = " AND ".join(f"{name} IS NOT NULL" for name in key.split(", "))
    query = f"""
        SELECT row_order, 'repeated row' AS reason, CAST(NULL AS VARCHAR) AS rule_id
        FROM (
            SELECT row_order, row_number() OVER (PARTITION BY delivered_for, "account", {key} ORDER BY {first}) AS copy
            FROM raw WHERE {complete}
        )
        WHERE copy > 1
        ORDER BY row_order
    """  # noqa: S608 - our own column names
    return run_sql(query, raw=raw)


def repeated_or(repeated: pa.Table, unclear: pa.Table) -> pa.Table:
    """Return, as a screen does, the repeated rows, and the unclear rows that are not repeated: each row once."""
    both = "SELECT * FROM repeated UNION ALL SELECT * FROM unclear ANTI JOIN repeated USING (row_order)"
    return run_sql(both, repeated=repeated, unclear=unclear)
