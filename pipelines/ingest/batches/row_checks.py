"""The rows of a batch sorted into accepted, quarantined and duplicates, by the mapping's screen and the contract."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.checks.rows import RowChecker
from data_contracts.checks.rule_sql import RuleDatabase
from data_contracts.checks.spreadsheet_damage import DAMAGED_RULE, damaged_cells
from data_contracts.definition.contract import Kind, Severity
from data_contracts.lineage import ReadResult, SetAside, concat_quarantine, empty_quarantine, quarantine_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.mapping.source_mapping import SourceMapping

_DUPLICATE_FIELDS: list[pa.Field[Any]] = [pa.field("row_order", pa.int64()), pa.field("reason", pa.string())]
_DUPLICATES = pa.schema(_DUPLICATE_FIELDS)
REPEATED_KEY = "repeated key"


@dataclass(frozen=True)
class SortedRows:
    """Every row of a batch in one of three places.

    Attributes:
        accepted: typed rows that keep every rule.
        quarantined: QUARANTINE_SCHEMA, ``source_row`` the ordinal.
        duplicates: ``row_order``, ``reason``.
        remarks: for each remark the ordinals of the accepted rows it is made on.
    """

    accepted: pa.Table
    quarantined: pa.Table
    duplicates: pa.Table
    remarks: tuple[tuple[str, Values], ...]


def sort_rows(
    typed: ReadResult,
    group_keys: Values | None,
    mapping: SourceMapping,
    contract: CompiledContract,
    recorded_at: datetime,
) -> SortedRows:
    """Sort typed rows.

    A rule may judge a row by its group (a settlement by its sum, a line by its order), so a row that falls out can
    break others; checking is repeated until nothing more falls out.

    Args:
        typed: the rows, and the records of those that could not be typed.
        group_keys: by ordinal the key of the group of each row, where groups stand or fall together.
        mapping: the source's mapping.
        contract: the source's contract.
        recorded_at: moment of recording, before which everything must have happened.
    """
    rows, repeated, objected = _screened(typed, mapping)
    rows, damaged = _without_damaged(rows, typed, contract)
    rows, future = _without_future(rows, mapping, typed, recorded_at)
    quarantined, duplicates = [typed.quarantined, objected, damaged, future], [repeated]
    with RowChecker(_judging_files_apart(contract)) as checker:
        while True:
            checked = checker.check(rows, typed.origin)
            quarantined.append(checked.quarantined)
            duplicates.append(_as_duplicates(checked.duplicates))
            whole, torn = _whole_groups(checked.accepted, quarantined, group_keys, typed)
            quarantined.append(torn)
            settled = whole.num_rows == rows.num_rows or not _judges_groups(contract, group_keys)
            rows = whole
            if settled:
                break
    return SortedRows(
        accepted=rows,
        quarantined=concat_quarantine(quarantined),
        duplicates=pa.concat_tables(duplicates),
        remarks=(*_warnings(rows, contract), *_mapping_remarks(rows, mapping)),
    )


def _judging_files_apart(contract: CompiledContract) -> CompiledContract:
    """Give the contract with keys that are unique within a file: the same key in a later one is a correction.

    Rules on a whole file are left out: they have been judged before (``pipelines.file_rules``).
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


def _screened(typed: ReadResult, mapping: SourceMapping) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Give the rows without objection, the duplicates, and the quarantine records of the others."""
    found = mapping.screen(typed.rows)
    if found is None or not found.num_rows:
        return typed.rows, _DUPLICATES.empty_table(), empty_quarantine()
    repeated, objected = _split(found, pc.is_null(found["rule_id"]))
    _, objected = _split(objected, pc.is_in(objected["row_order"], repeated["row_order"]))
    _, kept = _split(typed.rows, pc.is_in(typed.rows["row_order"], found["row_order"]))
    return kept, repeated.select(["row_order", "reason"]), _objection_records(typed, objected)


def _split(table: Values, chosen: Values) -> tuple[pa.Table, pa.Table]:
    """Give the chosen rows and the others."""
    return table.filter(chosen), table.filter(pc.invert(chosen))


def _without_damaged(rows: pa.Table, typed: ReadResult, contract: CompiledContract) -> tuple[pa.Table, pa.Table]:
    """Give the rows of which a spreadsheet has not lost digits, and the quarantine records of the others."""
    spoilt = np.zeros(rows.num_rows, dtype=bool)
    groups = []
    for name, positions in damaged_cells(rows, tuple(column.name for column in contract.columns)):
        first = positions[~spoilt[positions]]
        spoilt[first] = True
        places: Values = pa.array(first)
        found: Values = rows.select(["row_order", name]).take(places)
        ordinals, values = found["row_order"].to_pylist(), found[name].to_pylist()
        groups.append(SetAside(DAMAGED_RULE, ordinals, values, column=name))
    if not groups:
        return rows, empty_quarantine()
    return rows.filter(pa.array(~spoilt)), quarantine_table(typed.origin, groups)


def _without_future(
    rows: pa.Table, mapping: SourceMapping, typed: ReadResult, recorded_at: datetime
) -> tuple[pa.Table, pa.Table]:
    """Give the rows that had happened when they were recorded, and the quarantine records of the others."""
    if mapping.happened is None:
        return rows, empty_quarantine()
    happened: Values = rows[mapping.happened]
    limit: Values = pa.scalar(recorded_at, pa.timestamp("us", "UTC"))
    if pa.types.is_date(happened.type):
        limit = pa.scalar(recorded_at.date(), pa.date32())
    future, past = _split(rows, pc.and_kleene(pc.is_valid(happened), pc.greater(happened, limit)))
    ordinals: Values = future["row_order"]
    values = [str(value) for value in future[mapping.happened].to_pylist()]
    group = SetAside("delivery:not_in_the_future", ordinals.to_pylist(), values, column=mapping.happened)
    return past, quarantine_table(typed.origin, [group])


def _objection_records(typed: ReadResult, objected: Values) -> pa.Table:
    groups = []
    for rule_id in sorted(set(objected["rule_id"].to_pylist())):
        chosen = objected.filter(pc.equal(objected["rule_id"], rule_id))
        groups.append(SetAside(rule_id, chosen["row_order"].to_pylist(), chosen["reason"].to_pylist()))
    return quarantine_table(typed.origin, groups)


def _as_duplicates(records: pa.Table) -> pa.Table:
    reasons = [f"{REPEATED_KEY} ({rule_id})" for rule_id in records["rule_id"].to_pylist()]
    ordinals: Values = records["source_row"]
    return pa.Table.from_arrays([ordinals, pa.array(reasons, pa.string())], schema=_DUPLICATES)


def _whole_groups(
    accepted: pa.Table, quarantined: Iterable[pa.Table], group_keys: Values | None, typed: ReadResult
) -> tuple[pa.Table, pa.Table]:
    """Give the rows whose whole group is accepted, and the records of the rows left over from broken groups."""
    lost = np.concatenate([table["source_row"].to_numpy() for table in quarantined])
    if group_keys is None or not len(lost):
        return accepted, empty_quarantine()
    keys = group_keys.take(accepted["row_order"])
    torn: Values = pc.is_in(keys, value_set=group_keys.take(pa.array(lost)))
    left_over, whole = _split(accepted, torn)
    ordinals: Values = left_over["row_order"]
    rows: list[int] = ordinals.to_pylist()
    group = SetAside("group:whole", rows, ["another row of the same record was set aside"] * len(rows))
    return whole, quarantine_table(typed.origin, [group])


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
