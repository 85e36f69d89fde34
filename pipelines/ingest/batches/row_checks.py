"""Sort the rows of a batch into accepted, quarantined and duplicates, by the mapping's screen and the contract."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.checks.rows import RowChecker
from data_contracts.checks.rule_sql import RuleDatabase
from data_contracts.checks.spreadsheet_damage import DAMAGED_RULE, damaged_cells
from data_contracts.definition.contract import Kind, Severity
from data_contracts.lineage import row_numbers
from pipelines.ingest.batches.declared_period import rows_outside_period
from pipelines.ingest.batches.retention import rows_past_retention, set_expired_aside
from pipelines.ingest.batches.setting_aside import Reason

if TYPE_CHECKING:
    from datetime import datetime

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.mapping.source_mapping import SourceMapping
    from data_contracts.sources.registry import Source
    from pipelines.ingest.batches.setting_aside import RowsLeft

REPEATED_KEY = "repeated key"


@dataclass(frozen=True)
class SortedRows:
    """Every row of a batch in one of three places.

    Attributes:
        accepted: typed rows that break no rule.
        quarantined: quarantine entries (QUARANTINE_SCHEMA, and ``row_order``).
        duplicates: ``row_order``, ``reason``.
        remarks: remarks, each with the ordinals of the accepted rows it concerns.
    """

    accepted: pa.Table
    quarantined: pa.Table
    duplicates: pa.Table
    remarks: tuple[tuple[str, Values], ...]


def sort_rows(left: RowsLeft, group_keys: Values | None, source: Source, recorded_at: datetime) -> SortedRows:
    """Sort typed rows.

    Args:
        left: the rows, and the quarantine entries of those that could not be typed.
        group_keys: by ordinal, the key of the row's group, if groups are accepted or set aside as a whole.
        source: the source of the rows.
        recorded_at: moment of recording; no event may be later.
    """
    mapping, contract = source.mapping, source.contract
    expired = rows_past_retention(left.rows, group_keys, source, recorded_at)
    _screen(left, mapping)
    _set_damaged_aside(left, contract)
    _set_future_aside(left, mapping, recorded_at)
    _check(left, group_keys, contract)
    outside = rows_outside_period(left.rows, mapping)
    remarks = (*_warnings(left.rows, contract), *_mapping_remarks(left.rows, mapping), *outside)
    if len(expired):
        set_expired_aside(left, expired)
        remarks = tuple((remark, rows[~np.isin(rows, expired.to_numpy())]) for remark, rows in remarks)
    return SortedRows(left.rows, left.quarantined, left.duplicates, remarks)


def _screen(left: RowsLeft, mapping: SourceMapping) -> None:
    """Set aside what the mapping objects to: duplicates, and rows that break one of its own rules."""
    found: Values = mapping.screen(left.rows)
    if found is None or not found.num_rows:
        return
    is_duplicate = pc.is_null(found["rule_id"])
    repeated: Values = found.filter(is_duplicate)
    objected: Values = found.filter(pc.invert(is_duplicate))
    left.add_duplicates(repeated["row_order"].combine_chunks(), repeated["reason"].to_pylist())
    left.rows = left.rows.filter(pc.invert(pc.is_in(left.rows["row_order"], repeated["row_order"])))
    for rule_id in sorted(set(objected["rule_id"].to_pylist())):
        by_rule = objected.filter(pc.equal(objected["rule_id"], rule_id))
        words = dict(zip(by_rule["row_order"].to_pylist(), by_rule["reason"].to_pylist(), strict=True))
        left.set_aside(pc.is_in(left.rows["row_order"], by_rule["row_order"]), Reason(rule_id, words))


def _set_damaged_aside(left: RowsLeft, contract: CompiledContract) -> None:
    """Set aside rows with cells in which a spreadsheet lost digits."""
    ordinals = left.rows["row_order"].to_numpy()
    for name, positions in damaged_cells(left.rows, tuple(column.name for column in contract.columns)):
        chosen = pc.is_in(left.rows["row_order"], value_set=pa.array(ordinals[positions]))
        left.set_aside(chosen, Reason(DAMAGED_RULE, column=name))


def _set_future_aside(left: RowsLeft, mapping: SourceMapping, recorded_at: datetime) -> None:
    """Set aside rows whose event is later than the moment of recording."""
    if mapping.happened is None:
        return
    happened: Values = left.rows[mapping.happened]
    limit: Values = pa.scalar(recorded_at, pa.timestamp("us", "UTC"))
    if pa.types.is_date(happened.type):
        limit = pa.scalar(recorded_at.date(), pa.date32())
    left.set_aside(pc.greater(happened, limit), Reason("delivery:not_in_the_future", column=mapping.happened))


def _check(left: RowsLeft, group_keys: Values | None, contract: CompiledContract) -> None:
    """Set aside rows that break a rule of the contract, and the rest of their groups.

    A rule may judge a row by its group (a settlement by its sum, a line by its order), so a row that is set aside can
    make others break the rule. The check is repeated until no further row is set aside.
    """
    with RowChecker(_with_keys_per_file(contract)) as checker:
        while True:
            before = left.rows.num_rows
            checked = checker.check(left.rows, left.origin)
            left.rows = checked.accepted
            left.add_entries(checked.quarantined)
            reasons = [f"{REPEATED_KEY} ({rule_id})" for rule_id in checked.duplicates["rule_id"].to_pylist()]
            left.add_duplicates(row_numbers(checked.duplicates), reasons)
            _set_torn_groups_aside(left, group_keys)
            if left.rows.num_rows == before or not _judges_groups(contract, group_keys):
                return


def _with_keys_per_file(contract: CompiledContract) -> CompiledContract:
    """Return the contract with keys that are unique within a file: the same key in a later file is a row version.

    Rules on whole files are left out; they are checked before (``file_rules``).
    """
    rules = [
        replace(rule, arguments=replace(rule.arguments, columns=(*rule.arguments.columns, "file_order")))
        if rule.kind is Kind.UNIQUE
        else rule
        for rule in contract.row_rules()
    ]
    return replace(contract, rules=tuple(rules))


def _judges_groups(contract: CompiledContract, group_keys: Values | None) -> bool:
    return group_keys is not None or any("${table}" in (rule.arguments.sql or "") for rule in contract.row_rules())


def _set_torn_groups_aside(left: RowsLeft, group_keys: Values | None) -> None:
    """Set aside the remaining rows of groups in which a row has been set aside."""
    lost: Values = row_numbers(left.quarantined)
    if group_keys is None or not len(lost):
        return
    keys = group_keys.take(left.rows["row_order"])
    torn = pc.is_in(keys, value_set=group_keys.take(lost))
    left.set_aside(torn, Reason("group:whole", "another row of the same record was set aside"))


def _warnings(rows: pa.Table, contract: CompiledContract) -> list[tuple[str, Values]]:
    rules = [rule for rule in contract.row_rules() if rule.severity is Severity.WARNING]
    if not rules or not rows.num_rows:
        return []
    with RuleDatabase() as database:
        database.load(rows)
        flags = database.bad_rows(rules)
    ordinals = rows["row_order"].to_numpy()
    return [(rule.rule_id, ordinals[flags[rule.rule_id]]) for rule in rules if flags[rule.rule_id].any()]


def _mapping_remarks(rows: pa.Table, mapping: SourceMapping) -> list[tuple[str, Values]]:
    return [*_by_reason(mapping.remarks(rows)), *_by_reason(mapping.silent(rows))]


def _by_reason(found: Values) -> list[tuple[str, Values]]:
    if found is None or not found.num_rows:
        return []
    remarks = []
    for remark in sorted(set(found["reason"].to_pylist())):
        chosen = found.filter(pc.equal(found["reason"], remark))
        remarks.append((remark, chosen["row_order"].to_numpy()))
    return remarks
