"""The strict reader of XML: one row for each record or item, as text; ambiguous rows are set aside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from data_contracts.errors import ConfigurationRefused, InputRefused, listed, shown
from data_contracts.reading.records.json_paths import field_paths
from data_contracts.reading.records.json_reader import RecordRows
from data_contracts.reading.records.xml_text import XmlRecord, XmlRecords, xml_as_utf8

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.definition.contract import CompiledContract, ReadSpec
    from data_contracts.lineage import ReadResult


def read_xml(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read one row for each record, or for each item with the fields of its record repeated, as text columns.

    The record path names the elements from the root to the record; fields are dotted paths of elements from there. The
    item path may lead through elements that only hold the items; fields of an item start with the item's own element.
    ``source_row`` is the 1-based number of the record, ``source_item`` that of the item in it. A record without items
    is set aside (``xml:items``). A row is set aside if an element is repeated or contains elements instead of a value
    (``xml:value``). Elements and attributes that the contract does not know are noted.

    Raises:
        InputRefused: the file is not well-formed XML, declares a document type, exceeds the limits of
            ``data_contracts.reading.records.xml_text``, has no record at the path in the contract, or lacks a required
            field in every record.
    """
    spec = contract.read_spec
    if spec is None or spec.format != "xml" or not spec.record_path:
        raise ConfigurationRefused(
            f"{contract.identity} is not an xml source with records", "use the reader for its format"
        )
    text = xml_as_utf8(data, spec, file_name)
    wrapped = tuple(spec.item_path.split(".")) if spec.item_path else ()
    rows = RecordRows(contract, replace(spec, item_path=wrapped[-1] if wrapped else None))
    places: list[tuple[int, int]] = []

    def take(record: XmlRecord) -> None:
        places.append((record.start_byte, record.stop_byte))
        rows.take(_with_items_lifted(record.value, wrapped) if wrapped else record.value)

    parsed = XmlRecords(spec, file_name, take)
    parsed.read(text)
    if not places:
        raise _no_record(spec, parsed.root, file_name)
    result = rows.result((data, file_name), lambda numbers: _originals(text, places, numbers), "xml")
    return replace(result, notes=(*result.notes, *_beside_notes(parsed, spec)))


def record_paths(record: object, spec: ReadSpec) -> frozenset[str]:
    """Return the dotted paths of the fields in a record, in the form that contracts use."""
    return frozenset(field_paths(_with_items_lifted(record, spec.item_path.split(".")) if spec.item_path else record))


def _with_items_lifted(record: object, path: Sequence[str]) -> object:
    """Return a record whose items are a list under their own name, taken out of the elements that only hold them."""
    holders = [record]
    for name in path[:-1]:
        inner = holders[-1].get(name) if isinstance(holders[-1], dict) else None
        holders.append(inner)
    innermost = holders[-1]
    if not isinstance(record, dict) or not isinstance(innermost, dict):
        return record
    found = innermost.pop(path[-1], None)
    for holder, name in zip(holders[-2::-1], path[-2::-1], strict=True):
        if isinstance(holder, dict) and not holder[name]:
            del holder[name]
    if found is not None:
        record[path[-1]] = found if isinstance(found, list) else [found]
    return record


def _originals(text: bytes, places: Sequence[tuple[int, int]], numbers: Sequence[int]) -> list[bytes | None]:
    return [text[places[number - 1][0] : places[number - 1][1]] for number in numbers]


def _no_record(spec: ReadSpec, root: str | None, file_name: str) -> InputRefused:
    return InputRefused(
        file=file_name,
        rule=f"no record at {'.'.join(spec.record_path)}; the root element is {shown(root or '')}",
        remedy="deliver a message of this contract, or name another source",
    )


def _beside_notes(parsed: XmlRecords, spec: ReadSpec) -> tuple[str, ...]:
    if not parsed.beside or spec.extra_columns == "allow":
        return ()
    named = listed(sorted(parsed.beside))
    return (f"elements beside the records were ignored: {named}",)
