"""Map transactions of Amazon's Finances API to ``money_event``, one row for each smallest amount of a transaction.

A sale that Amazon defers appears first as deferred and later once more as released, under another number that refers
to the first. Both are one record here: its first state, and its next version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.mapping.amazon.marketplaces import marketplace_identifiers
from data_contracts.mapping.event_types import event_type_rules, event_types, money_event_table, unknown_kinds
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql
from data_contracts.sources.amazon_finances.breakdowns import NotAddingUpError, amounts_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

SOURCE = "amazon_finances"
_KIND = ("type", "description", "path")
_AMOUNT_FIELDS: dict[str, pa.DataType] = {
    "row_order": pa.int64(),
    "nth": pa.int32(),
    "path": pa.string(),
    "amount": pa.decimal128(18, 4),
    "sku": pa.string(),
    "quantity": pa.int32(),
}
_FAULT_FIELDS: dict[str, pa.DataType] = {"row_order": pa.int64(), "reason": pa.string()}

# What the lists of named values in a transaction say. A deferred transaction is named by the one that releases it.
_FACTS = """
WITH read AS (
    SELECT *, lower(trim(transaction_state)) AS state,
        list_transform(
            from_json(identifiers, '[{"relatedIdentifierName": "VARCHAR", "relatedIdentifierValue": "VARCHAR"}]'),
            lambda x: {'name': x.relatedIdentifierName, 'number': x.relatedIdentifierValue}
        ) AS named,
        list_filter(
            from_json(surroundings, '[{"maturityDate": "VARCHAR"}]'), lambda x: x.maturityDate IS NOT NULL
        )[1].maturityDate AS matures_at
    FROM raw
), facts AS (
    SELECT * EXCLUDE (named, matures_at),
        list_filter(named, lambda x: x.name = 'ORDER_ID')[1].number AS order_number,
        coalesce(list_filter(named, lambda x: x.name = 'SETTLEMENT_ID')[1].number,
            list_filter(named, lambda x: x.name = 'FINANCIAL_EVENT_GROUP_ID')[1].number)
            AS settlement,
        list_filter(named, lambda x: x.name = 'DEFERRED_TRANSACTION_ID')[1].number
            AS released_number,
        list_filter(named, lambda x: x.name = 'RELEASE_TRANSACTION_ID')[1].number
            AS releasing_number,
        TRY_CAST(left(matures_at, 10) AS DATE) AS matures_on
    FROM read
), pairs AS (
    SELECT delivered_for, "account", releasing_number, min(transaction_number) AS deferred_number FROM facts
    WHERE releasing_number <> transaction_number GROUP BY ALL
), records AS (
    SELECT facts.*, coalesce(released_number, deferred_number, transaction_number) AS record,
        record <> transaction_number AS is_release
    FROM facts LEFT JOIN pairs ON facts.delivered_for IS NOT DISTINCT FROM pairs.delivered_for
        AND facts."account" IS NOT DISTINCT FROM pairs."account"
        AND facts.transaction_number = pairs.releasing_number
), ranked AS (
    SELECT *,
        row_number() OVER (PARTITION BY delivered_for, "account", record, file_order
            ORDER BY is_release, state NOT IN ('released', 'deferred_released'), row_order) AS place,
        min(CASE WHEN NOT is_release THEN posted_at END) OVER so_far AS earned_at,
        min(CASE WHEN is_release THEN posted_at END) OVER in_file AS freed_at
    FROM records
    WINDOW in_file AS (PARTITION BY delivered_for, "account", record, file_order),
        so_far AS (PARTITION BY delivered_for, "account", record ORDER BY delivered_at, file_order
            RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)
SELECT * FROM ranked ORDER BY row_order
"""

# A file that repeats what the one before it said of a record adds nothing.
_REPEATED = """
WITH contents AS (
    SELECT row_order, delivered_for, "account", record, file_order, delivered_at,
        row(transaction_state, transaction_kind, total_amount, money_code, parts, lines, surroundings) AS content
    FROM facts WHERE place = 1
), compared AS (
    SELECT row_order, content, lag(content) OVER (PARTITION BY delivered_for, "account", record
        ORDER BY delivered_at, file_order) AS before
    FROM contents
)
SELECT row_order, 'repeated transaction' AS reason, CAST(NULL AS VARCHAR) AS rule_id FROM facts
WHERE place > 1 AND NOT is_release
UNION ALL SELECT row_order, 'repeated transaction', NULL FROM compared
WHERE before IS NOT NULL AND content IS NOT DISTINCT FROM before
UNION ALL SELECT row_order, reason, 'breakdowns_add_up' FROM faults
ORDER BY row_order
"""

_AMOUNTS = """
SELECT amounts.*, transaction_kind AS type, coalesce(what, '') AS description
FROM amounts JOIN raw USING (row_order) WHERE amount <> 0 ORDER BY row_order, nth
"""

_EVENTS = """
SELECT
    concat_ws(':', 'amazon-finances', coalesce(account, delivered_for), record, nth) AS event_id,
    delivered_for AS seller_id,
    'amazon' AS platform,
    account AS store_id,
    lower(coalesce(marketplaces.marketplace, marketplace_label)) AS marketplace,
    settlement AS statement_id,
    order_number AS order_id,
    sku,
    CASE WHEN NOT regexp_matches(lower(path), 'product ?charges|princip(al|le)|our ?price') THEN NULL
        WHEN event_type = 'refund' THEN -quantity WHEN event_type = 'sale' THEN quantity END AS quantity,
    CASE WHEN event_type = 'advance' AND amount < 0 THEN 'advance_repayment' ELSE event_type END AS event_type,
    transaction_kind AS raw_type,
    nullif(path, '') AS raw_subtype,
    amount,
    money_code AS currency,
    coalesce(earned_at, posted_at) AS event_at,
    CAST(coalesce(CASE WHEN is_release THEN posted_at ELSE freed_at END, matures_on) AS DATE) AS available_on,
    CASE event_type WHEN 'payout' THEN CAST(posted_at AS DATE) END AS paid_out_on,
    CASE WHEN event_type = 'payout' THEN 'paid'
        WHEN freed_at IS NOT NULL OR state IN ('released', 'deferred_released') THEN 'released'
        ELSE 'deferred' END AS status,
    CAST(coalesce(earned_at, posted_at) AS DATE) AS event_date,
    coalesce(earned_at, posted_at) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM amounts
JOIN event_types USING (type, description, path)
JOIN facts USING (row_order)
LEFT JOIN marketplaces ON marketplace_code = marketplaces.name
WHERE place = 1
ORDER BY row_order, nth
"""

_REMARKS = """
SELECT row_order, reason FROM unknown
UNION SELECT row_order, 'a transfer in favour of the seller''s balance' FROM events
    WHERE event_type = 'payout' AND amount > 0
UNION SELECT row_order, 'deferred without a day on which it matures' FROM facts
    WHERE state = 'deferred' AND matures_on IS NULL AND freed_at IS NULL
UNION SELECT row_order, 'no numbers that the transaction refers to, so a deferred sale may count twice' FROM facts
    WHERE identifiers IS NULL AND lower(transaction_kind) IN ('shipment', 'refund')
UNION SELECT row_order, 'status of unknown meaning, read as deferred: ' || transaction_state FROM facts
    WHERE state NOT IN ('deferred', 'released', 'deferred_released')
ORDER BY row_order, reason
"""

# If a file has a deferred transaction and its release, the first is counted, with the state and date of the second.
_SILENT = """
SELECT row_order, 'release of a deferred transaction, counted with it' AS reason FROM facts WHERE place > 1
UNION ALL SELECT row_order, 'transaction without an amount' FROM facts ANTI JOIN amounts USING (row_order)
WHERE place = 1 ORDER BY row_order
"""


def _unfolded(raw: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the amounts of all transactions, and the transactions whose breakdowns do not add up."""
    names = ["row_order", "total_amount", "money_code", "parts", "lines"]
    amounts: list[dict[str, Any]] = []
    faults: list[dict[str, Any]] = []
    for row in raw.select(names).to_pylist():
        try:
            amounts.extend(_numbered(row))
        except NotAddingUpError as fault:
            faults.append({"row_order": row["row_order"], "reason": str(fault)})
    return pa.Table.from_pylist(amounts, pa.schema(_AMOUNT_FIELDS)), pa.Table.from_pylist(
        faults, pa.schema(_FAULT_FIELDS)
    )


def _numbered(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if row["total_amount"] is None or row["money_code"] is None:
        return
    found = amounts_of(row["total_amount"], row["money_code"], row["parts"], row["lines"])
    for nth, one in enumerate(found):
        amount = {"path": one.path, "amount": one.amount, "sku": one.sku, "quantity": one.quantity}
        yield {"row_order": row["row_order"], "nth": nth, **amount}


def _amounts(raw: pa.Table) -> pa.Table:
    return run_sql(_AMOUNTS, raw=raw, amounts=_unfolded(raw)[0])


def screen(raw: pa.Table) -> pa.Table:
    """Return repeated transactions, and those whose breakdowns do not add up."""
    return run_sql(_REPEATED, facts=run_sql(_FACTS, raw=raw), faults=_unfolded(raw)[1])


def silent(raw: pa.Table) -> pa.Table:
    """Return the transactions without an amount, and the releases that are counted with their deferred transaction."""
    return run_sql(_SILENT, facts=run_sql(_FACTS, raw=raw), amounts=_amounts(raw))


def remarks(raw: pa.Table) -> pa.Table:
    """Return amounts of unknown kind, which count as ``other``, odd transfers and deferrals without a date."""
    amounts = _amounts(raw)
    rules = event_type_rules(__package__)
    types = event_types(amounts, _KIND, rules)
    events = run_sql("SELECT * FROM amounts JOIN types USING (type, description, path)", amounts=amounts, types=types)
    unknown = unknown_kinds(amounts, _KIND, rules)
    return run_sql(_REMARKS, unknown=unknown, events=events, facts=run_sql(_FACTS, raw=raw))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``money_event``."""
    amounts = _amounts(raw)
    tables = {"event_types": event_types(amounts, _KIND, event_type_rules(__package__)), "amounts": amounts}
    tables |= {"facts": run_sql(_FACTS, raw=raw), "marketplaces": marketplace_identifiers()}
    return money_event_table(run_sql(_EVENTS, context.parameters, **tables), context)


MAPPING = SourceMapping(
    source=SOURCE,
    covered_tables=("money_event",),
    to_canonical=to_canonical,
    happened="posted_at",
    screen=screen,
    remarks=remarks,
    silent=silent,
    unfolds=True,
)
