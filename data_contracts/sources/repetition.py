"""Records delivered more than once, each time in the state of that day: the newest that holds together counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.compiler import source_contract
from data_contracts.sources.mapping import run_sql

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

# A record opens with its own row, item 0; where that row fell out, the items start again or the key changes.
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


def superseded_records(raw: pa.Table, key: str, newest: str, broken: str, reason: str) -> pa.Table:
    """Give, as a screen does, the rows of all deliveries of a record but one.

    Kept is one that is whole, else the newest, else the furthest settled, else the first.

    Args:
        raw: typed rows; a record's own row is item 0, its items follow. Has a column ``settlement_state``.
        key: column that names the record.
        newest: column that orders its deliveries.
        broken: SQL aggregate over the rows of one delivery of a record: whether it contradicts itself.
        reason: what to call the repetition.
    """
    query = _SUPERSEDED.format(key=key, newest=newest, broken=broken)
    return run_sql(query, {"reason": reason}, raw=raw)


def rows_delivered_before(
    raw: pa.Table,
    source: str,
    besides: str = "delivered_for",
    ignoring: Collection[str] = (),
    first: str = "file_order",
) -> pa.Table:
    """Give, as a screen does, the rows that another file of the same account holds as often, word for word.

    For exports whose rows have no number of their own: two equal rows of one file may both be meant, the same rows in
    the next file are the same amounts delivered again.

    Args:
        raw: typed rows.
        source: their source.
        besides: a further column in which rows must be equal.
        ignoring: columns in which they may differ.
        first: SQL order in which the first of equal rows is kept.
    """
    names = [column.name for column in source_contract(source).columns if column.name not in ignoring]
    row = ", ".join(["delivered_for", '"account"', f'"{besides}"', *(f'"{name}"' for name in names)])
    query = f"""
        SELECT row_order, 'repeated row' AS reason, CAST(NULL AS VARCHAR) AS rule_id
        FROM (
            SELECT row_order, row_number() OVER (PARTITION BY {row}, nth ORDER BY {first}) AS copy
            FROM (SELECT *, row_number() OVER (PARTITION BY {row}, file_order ORDER BY row_order) AS nth FROM raw)
        )
        WHERE copy > 1
        ORDER BY row_order
    """  # noqa: S608 - the names are a contract's, whose form is checked when it is compiled
    return run_sql(query, raw=raw)


def repeated_keys(raw: pa.Table, key: str, first: str = "row_order") -> pa.Table:
    """Give, as a screen does, the rows whose key an account has delivered already.

    Args:
        raw: typed rows.
        key: columns, parted by commas, that name a row; a row with a missing key repeats none.
        first: SQL order in which the first of equal rows is kept.
    """
    given = " AND ".join(f"{name} IS NOT NULL" for name in key.split(", "))
    query = f"""
        SELECT row_order, 'repeated row' AS reason, CAST(NULL AS VARCHAR) AS rule_id
        FROM (
            SELECT row_order, row_number() OVER (PARTITION BY delivered_for, "account", {key} ORDER BY {first}) AS copy
            FROM raw WHERE {given}
        )
        WHERE copy > 1
        ORDER BY row_order
    """  # noqa: S608 - our own column names
    return run_sql(query, raw=raw)
