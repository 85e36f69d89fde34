"""Files with only the headers, keys, tags or sheets that a source contract requires, made from the contract."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from tests.factories.files.workbooks import workbook
from tests.factories.files.xml_files import xml_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from data_contracts.definition.contract import Column, CompiledContract, ReadSpec, SheetSpec


def every_column(contract: CompiledContract) -> list[Column]:
    """Return all columns, and only the first of columns that exclude or replace one another."""
    spec = _spec(contract)
    excluded = {name for group in spec.exactly_one_of for name in group[1:]}
    excluded |= {name for group in spec.any_of[1:] for name in group} - set(*spec.any_of[:1])
    return [column for column in contract.columns if column.name not in excluded]


def needed_columns(contract: CompiledContract) -> list[Column]:
    """Return the columns without which a file is refused."""
    spec = _spec(contract)
    needs = {name for sheet in _made_sheets(spec) for name in sheet.needs}
    needs |= {group[0] for group in spec.exactly_one_of} | set(*spec.any_of[:1])
    return [c for c in contract.columns if c.name in needs or not (c.cell.header_optional or spec.sheets)]


def locales_of(contract: CompiledContract) -> list[str]:
    """Return the languages of the contract's headers."""
    return sorted({locale for column in contract.columns for _, locale in column.locales})


def in_locale(locale: str) -> Callable[[Column], str]:
    """Return a column's header in a language, or its plain header if there is none."""
    return lambda column: next((text for text, own in column.locales if own == locale), column.header)


def header_file(
    contract: CompiledContract,
    columns: Sequence[Column],
    spelled: Callable[[Column], str] = lambda column: column.header,
) -> bytes:
    """Return a file of the contract's format with these columns."""
    spec = _spec(contract)
    headers = [spelled(column) for column in columns]
    if spec.format == "xlsx":
        return _workbook(contract, columns, spelled)
    if spec.format in {"json", "jsonl"}:
        record = _record(headers, spec)
        return json.dumps(record if spec.format == "jsonl" else [record], ensure_ascii=False).encode(spec.encoding)
    if spec.format == "xml":
        return _xml(_record(headers, spec), spec)
    cells = [spec.tags.header, *headers] if spec.tags else headers
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=spec.delimiter, lineterminator="\n").writerow(cells)
    return text.getvalue().encode(spec.encoding)


def _spec(contract: CompiledContract) -> ReadSpec:
    assert contract.read_spec is not None, contract.identity
    return contract.read_spec


def _workbook(contract: CompiledContract, columns: Sequence[Column], spelled: Callable[[Column], str]) -> bytes:
    spec = _spec(contract)
    if not spec.sheets:
        return workbook({spec.sheet or "Sheet1": [[spelled(column) for column in columns]]})
    heading: list[object] = [spelled(column) for column in columns]
    return workbook({sheet.name: [heading] for sheet in _made_sheets(spec)})


def _made_sheets(spec: ReadSpec) -> list[SheetSpec]:
    """Return the sheets that every file has, or the first one if each may be absent."""
    return [sheet for sheet in spec.sheets if not sheet.optional] or list(spec.sheets[:1])


def _xml(record: dict[str, Any], spec: ReadSpec) -> bytes:
    wrapped = spec.item_path.split(".") if spec.item_path else []
    if wrapped and wrapped[-1] in record:
        held: Any = record.pop(wrapped[-1])
        for name in reversed(wrapped[1:]):
            held = {name: held}
        record[wrapped[0]] = held
    content: Any = record
    for name in reversed(spec.record_path[1:]):
        content = {name: content}
    return xml_file(spec.record_path[0], content)


def _record(paths: Sequence[str], spec: ReadSpec) -> dict[str, Any]:
    lists = spec.item_lists if spec.item_path is None else (spec.item_path.rpartition(".")[2],)
    record: dict[str, Any] = {}
    for path in paths:
        first, *rest = path.split(".")
        place = record
        if first in lists:
            place = record.setdefault(first, [{}])[0]
            first, *rest = rest
        for key in rest:
            place = place.setdefault(first, {})
            first = key
        place[first] = "1"
    return record
