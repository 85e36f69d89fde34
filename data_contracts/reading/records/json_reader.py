"""Strict readers of records with optional items: JSON arrays, JSON lines, or Parquet instead of JSON lines."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pyarrow as pa

from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, InputRefused, listed
from data_contracts.lineage import Origin, OriginalOf, ReadResult, SetAside, quarantine_table
from data_contracts.reading.delimited.decoding import utf8_bytes
from data_contracts.reading.delimited.lines import find_lines
from data_contracts.reading.parquet_files import PARQUET_START
from data_contracts.reading.records.json_originals import ArrayOriginals
from data_contracts.reading.records.nested_parquet import nested_parquet_records
from data_contracts.reading.records.plain_records import plain_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from data_contracts.definition.contract import Column, CompiledContract, ReadSpec


class _NotANumber:
    """Placeholder for NaN or Infinity, which are not JSON."""


class _RepeatedKey(dict[str, Any]):
    """An object with a repeated key; the intended value cannot be known."""


class _Decoder:
    """Decodes JSON without losing digits: numbers stay text until the contract determines their type."""

    def __init__(self) -> None:
        self.met_repeated_key = False
        self._json = json.JSONDecoder(
            object_pairs_hook=self._object, parse_float=str, parse_int=str, parse_constant=lambda _: _NotANumber()
        )
        self.decode, self.raw_decode = self._json.decode, self._json.raw_decode

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        self.met_repeated_key = True
        return _RepeatedKey(found)


class _NoJsonError(Exception):
    """A value below a column of JSON text is NaN or Infinity."""


class _BadRecord(Exception):
    """A record or item that cannot become a row: the broken rule, the column and the offending value."""

    def __init__(self, rule: str, column: str | None = None, value: str | None = None) -> None:
        super().__init__(rule)
        self.rule, self.column, self.value = rule, column, value


@dataclass
class _Gathered:
    """The rows read so far from one file, each a list of cells in contract order."""

    rows: list[list[str]] = field(default_factory=list)
    source_rows: list[int] = field(default_factory=list)
    source_items: list[int] = field(default_factory=list)
    aside: list[tuple[int, _BadRecord]] = field(default_factory=list)
    seen_keys: set[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=set)

    def seen_paths(self) -> set[str]:
        """Return the dotted paths of all fields seen."""
        return {".".join((*prefix, key)) for prefix, keys in self.seen_keys for key in keys}


def read_json_records(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read one row for each record, or for each item with the fields of its record repeated, as text columns.

    ``source_row`` is the 1-based place of the record, ``source_item`` that of the item in it. If the contract names
    item lists, the record is a row of its own (item 0), followed by the items of each list with continuous numbers. A
    list may be absent or empty, and record-only fields are not repeated. A record is set aside if it is not an object
    (``json:record``), repeats a key (``json:repeated_key``) or lacks its items (``json:items``); a row is set aside if
    a value is not a single value (``json:value``) or is NaN (``json:not_a_number``).

    Raises:
        InputRefused: the file is not JSON, the record array is not at the path in the contract, or a required field
            occurs in no record.
    """
    spec = _spec(contract, "json")
    text = utf8_bytes(data, spec.encoding, file_name).decode("utf-8")
    decoder = _Decoder()
    document = _loaded(text, decoder, file_name)
    place = record_place(document, spec)
    is_single = spec.single_record and isinstance(document, dict) and not place
    records = [document] if is_single else _record_array(document, place, file_name)
    gathered, shape = _Gathered(), _Shape(contract, spec, decoder, text)
    for number, record in enumerate(records, start=1):
        _gather(record, number, shape, gathered)
    return _result(gathered, shape, (data, file_name), ArrayOriginals(text, place))


def read_json_lines(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read one row for each line (or item) of a JSON-lines file; ``source_row`` is the physical line.

    Works like ``read_json_records``. In addition, a line that is not JSON is set aside (``json:syntax``) without
    affecting other lines, and blank lines are skipped. A Parquet file of the same records is also accepted;
    ``source_row`` is then the record number.
    """
    spec = _spec(contract, "jsonl")
    if data.startswith(PARQUET_START):
        return _read_nested_parquet(data, contract, spec, file_name)
    text = utf8_bytes(data, spec.encoding, file_name)
    lines, decoder = find_lines(text), _Decoder()
    gathered, shape = _Gathered(), _Shape(contract, spec, decoder, text.decode("utf-8"))
    for number in range(1, len(lines) + 1):
        content = lines.content(number - 1)
        if not content.strip():
            continue
        try:
            record = decoder.decode(content.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            gathered.aside.append((number, _BadRecord("json:syntax", value=str(error)[:200])))
            continue
        _gather(record, number, shape, gathered)
    return _result(gathered, shape, (data, file_name), lambda rows: [lines.content(row - 1) for row in rows])


class RecordRows:
    """Collects records one by one, each a dict as parsed from JSON, and returns their rows.

    The rules that set a record or row aside are those of ``read_json_records``, with ``form`` in place of ``json``.
    """

    def __init__(self, contract: CompiledContract, spec: ReadSpec) -> None:
        self._gathered, self._shape, self._count = _Gathered(), _Shape(contract, spec, _Decoder(), ""), 0

    def take(self, record: object) -> None:
        """Add the rows of one record."""
        self._count += 1
        _gather(record, self._count, self._shape, self._gathered)

    def result(self, file: tuple[bytes, str], originals: OriginalOf, form: str) -> ReadResult:
        """Return the rows and what was set aside; ``file`` holds the bytes and the name of their file.

        Raises InputRefused if a required field occurs in no record.
        """
        for _, bad in self._gathered.aside:
            bad.rule = bad.rule.replace("json:", f"{form}:", 1)
        return _result(self._gathered, self._shape, file, originals)


def _read_nested_parquet(data: bytes, contract: CompiledContract, spec: ReadSpec, file_name: str) -> ReadResult:
    wanted = {place.split(".")[0] for column in contract.columns for place in (column.header, *column.synonyms)}
    records = nested_parquet_records(data, wanted, file_name)
    gathered, shape = _Gathered(), _Shape(contract, spec, _Decoder(), "")
    # Text in a Parquet file can contain a NUL without an escape.
    shape.check_text = True
    for number, record in enumerate(records, start=1):
        _gather(record, number, shape, gathered)
    return _result(gathered, shape, (data, file_name), lambda rows: [_shown_record(records[n - 1]) for n in rows])


def _shown_record(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")


def _spec(contract: CompiledContract, wanted: str) -> ReadSpec:
    spec = contract.read_spec
    if spec is None or spec.format != wanted:
        raise ConfigurationRefused(f"{contract.identity} is not a {wanted} source", "use the reader for its format")
    return spec


def _loaded(text: str, decoder: _Decoder, file_name: str) -> object:
    try:
        return cast("object", decoder.decode(text))
    except json.JSONDecodeError as error:
        raise InputRefused(
            file=file_name,
            row=error.lineno,
            rule=f"not valid JSON: {error.msg} at character {error.pos}",
            remedy="export the complete file again",
        ) from error
    except RecursionError as error:
        raise InputRefused(
            file=file_name, rule="the JSON is nested too deeply", remedy="export the records as a flat array"
        ) from error


def record_place(document: object, spec: ReadSpec) -> tuple[str, ...]:
    """Return the first path of the contract at which a JSON document has an array, or its first path if it has none."""
    places = (spec.record_path, *spec.other_record_paths)
    return next((place for place in places if isinstance(_value_at(document, place), list)), spec.record_path)


def _value_at(document: object, place: tuple[str, ...]) -> object:
    for key in place:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _record_array(document: object, place: tuple[str, ...], file_name: str) -> list[object]:
    document = _value_at(document, place)
    if not isinstance(document, list):
        raise InputRefused(
            file=file_name,
            rule=f"no array of records at {'.'.join(place) or 'the top level'}",
            remedy="export the records as a JSON array in this place",
        )
    return document


class _Field(NamedTuple):
    """The location of a column's value: under ``key``, then along the ``further`` keys."""

    position: int
    column: Column
    key: str
    further: tuple[str, ...]


# JSON escapes can encode a NUL or half a surrogate pair; neither is text.
_NO_TEXT = re.compile("[\\x00\ud800-\udfff]")
_SPELLED_NO_TEXT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class _Shape:
    """The location of each column's value in a record or its items, and the checks this file needs."""

    def __init__(self, contract: CompiledContract, spec: ReadSpec, decoder: _Decoder, text: str) -> None:
        self.contract, self.spec, self.decoder = contract, spec, decoder
        self.check_text = _SPELLED_NO_TEXT.search(text) is not None
        paths = [
            (number, column, tuple(place.split(".")))
            for number, column in enumerate(contract.columns)
            for place in (column.header, *column.synonyms)
        ]
        self.lists = spec.item_lists if spec.item_path is None else (spec.item_path,)
        self.record_fields = [_Field(n, c, path[0], path[1:]) for n, c, path in paths if path[0] not in self.lists]
        self.item_fields = {
            name: [_Field(n, c, path[1], path[2:]) for n, c, path in paths if path[0] == name] for name in self.lists
        }
        self.record_only = [wanted.position for wanted in self.record_fields if wanted.column.cell.record_only]
        self.known = {path[:depth] for _, _, path in paths for depth in range(1, len(path) + 1)}
        self.branches: dict[tuple[str, ...], set[str]] = {}
        for path in self.known:
            if len(path) > 1 and (len(path) > 2 or path[0] not in self.lists):
                self.branches.setdefault(path[:-2], set()).add(path[-2])


def _gather(record: object, number: int, shape: _Shape, gathered: _Gathered) -> None:
    try:
        rows = list(_rows(record, shape, gathered))
    except _BadRecord as bad:
        gathered.aside.append((number, bad))
        return
    if shape.spec.whole_records and any(isinstance(row, _BadRecord) for row in rows):
        rows = [row if isinstance(row, _BadRecord) else _BadRecord("json:whole") for row in rows]
    # With several item lists, item 0 is the record itself.
    for item, row in enumerate(rows, start=0 if shape.spec.item_lists else 1):
        if isinstance(row, _BadRecord):
            gathered.aside.append((number, row))
            continue
        gathered.rows.append(row)
        gathered.source_rows.append(number)
        gathered.source_items.append(item)


def _rows(record: object, shape: _Shape, gathered: _Gathered) -> Iterator[list[str] | _BadRecord]:
    try:
        record = plain_record(record, shape.spec, shape.decoder.decode)
    except RecursionError as error:
        raise _BadRecord("json:value", value="nested too deeply") from error
    if not isinstance(record, dict):
        raise _BadRecord("json:record", value=type(record).__name__)
    if shape.decoder.met_repeated_key and _repeats_key(record):
        raise _BadRecord("json:repeated_key")
    _note_keys(record, (), shape, gathered)
    shared = [""] * len(shape.contract.columns)
    _fill(shared, record, shape.record_fields, shape)
    lists = {name: _items(record, name, shape) for name in shape.lists}
    if not lists or shape.spec.item_lists:
        yield shared
        shared = shared.copy()
        for position in shape.record_only:
            shared[position] = ""
    for name, items in lists.items():
        for item in items:
            try:
                yield _item_row(item, name, shared, shape, gathered)
            except _BadRecord as bad:
                yield bad


def _items(record: Mapping[str, Any], name: str, shape: _Shape) -> list[object]:
    items = record.get(name)
    if items is None and shape.spec.item_lists:
        return []
    if not isinstance(items, list) or (not items and not shape.spec.item_lists):
        raise _BadRecord("json:items", column=name)
    return items


def _item_row(item: object, name: str, shared: list[str], shape: _Shape, gathered: _Gathered) -> list[str]:
    if not isinstance(item, dict):
        raise _BadRecord("json:record", column=name, value=type(item).__name__)
    _note_keys(item, (name,), shape, gathered)
    row = shared.copy()
    _fill(row, item, shape.item_fields[name], shape)
    return row


def _repeats_key(value: object) -> bool:
    if isinstance(value, dict):
        return isinstance(value, _RepeatedKey) or any(_repeats_key(part) for part in value.values())
    return isinstance(value, list) and any(_repeats_key(part) for part in value)


def _note_keys(values: Mapping[str, Any], prefix: tuple[str, ...], shape: _Shape, gathered: _Gathered) -> None:
    gathered.seen_keys.add((prefix, tuple(values)))
    for key in shape.branches.get(prefix, ()):
        inner = values.get(key)
        if isinstance(inner, dict):
            _note_keys(inner, (*prefix, key), shape, gathered)


def _fill(row: list[str], values: Mapping[str, Any], fields: Sequence[_Field], shape: _Shape) -> None:
    check = shape.check_text
    for position, column, key, further in fields:
        value: object = values.get(key)
        for inner in further:
            if value is None:
                break
            if not isinstance(value, dict):
                raise _BadRecord("json:value", column.name, _shown(value))
            value = value.get(inner)
        if value is None:
            continue
        if column.cell.json_text:
            row[position] = _json_text(value, column, check=check)
        else:
            row[position] = value if isinstance(value, str) and not check else _text(value, column, check=check)


def _text(value: object, column: Column, *, check: bool) -> str:
    if isinstance(value, str):
        if check and _NO_TEXT.search(value):
            raise _BadRecord("json:value", column.name, ascii(value)[:200])
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _NotANumber):
        raise _BadRecord("json:not_a_number", column.name, "NaN or Infinity")
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        separator = column.cell.list_separator
        if len(value) <= 1 or (separator is not None and not any(separator in part for part in value)):
            return _text((separator or "").join(value), column, check=check)
    raise _BadRecord("json:value", column.name, _shown(value))


def _json_text(value: object, column: Column, *, check: bool) -> str:
    """Return a value of any structure as JSON text, with every number as a string of its digits."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_refuse_value)
    except _NoJsonError as error:
        raise _BadRecord("json:not_a_number", column.name, "NaN or Infinity") from error
    except RecursionError as error:
        raise _BadRecord("json:value", column.name, "nested too deeply") from error
    if check and (_NO_TEXT.search(text) or _SPELLED_NO_TEXT.search(text)):
        raise _BadRecord("json:value", column.name, ascii(text)[:200])
    return text


def _refuse_value(_: object) -> object:
    raise _NoJsonError


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:200]


def _result(gathered: _Gathered, shape: _Shape, file: tuple[bytes, str], originals: OriginalOf) -> ReadResult:
    data, file_name = file
    present = _present(gathered, shape, file_name)
    origin = Origin(shape.contract.identity, file_name, sha256_bytes(data), originals)
    groups = [
        SetAside(bad.rule, [number], [bad.value], column=bad.column, originals=None) for number, bad in gathered.aside
    ]
    quarantined = quarantine_table(origin, _merged(groups))
    columns = zip(*gathered.rows, strict=True) if gathered.rows else ((),) * len(shape.contract.columns)
    arrays: list[pa.Array[Any]] = [pa.array(cells, pa.string()) for cells in columns]
    names = [column.name for column in shape.contract.columns]
    arrays.append(pa.array(gathered.source_rows, pa.int64()))
    names.append("source_row")
    if shape.lists:
        arrays.append(pa.array(gathered.source_items, pa.int64()))
        names.append("source_item")
    rows = pa.table(arrays, names=names)
    notes = _unknown_notes(gathered, shape, file_name)
    return ReadResult(rows, quarantined, rows.num_rows + quarantined.num_rows, present, origin, notes)


def _merged(groups: Sequence[SetAside]) -> list[SetAside]:
    """Merge the groups by rule and column, so that setting many rows aside stays cheap."""
    merged: dict[tuple[str, str | None], tuple[list[int], list[str | None]]] = {}
    for group in groups:
        rows, values = merged.setdefault((group.rule_id, group.column), ([], []))
        rows.extend(group.rows)
        values.extend(group.values)
    return [SetAside(rule, rows, values, column=column) for (rule, column), (rows, values) in merged.items()]


def _present(gathered: _Gathered, shape: _Shape, file_name: str) -> tuple[str, ...]:
    if not gathered.source_rows:
        return ()
    seen = gathered.seen_paths()
    present = [c for c in shape.contract.columns if not seen.isdisjoint((c.header, *c.synonyms))]
    names = tuple(column.name for column in present)
    missing = [c for c in shape.contract.columns if c.name not in names and not c.cell.header_optional]
    if missing:
        raise InputRefused(
            file=file_name,
            column=missing[0].header,
            rule=f"fields missing in every record: {', '.join(repr(column.header) for column in missing)}",
            remedy=f"export the file with all fields of {shape.contract.identity}",
        )
    return names


def _unknown_notes(gathered: _Gathered, shape: _Shape, file_name: str) -> tuple[str, ...]:
    known = {".".join(path) for path in shape.known} | set(shape.lists)
    unknown = sorted(path for path in gathered.seen_paths() if path not in known)
    if not unknown or shape.spec.extra_columns == "allow":
        return ()
    named = listed(unknown)
    if shape.spec.extra_columns == "refuse":
        raise InputRefused(
            file=file_name,
            column=unknown[0],
            rule=f"fields that are not in the contract: {named}",
            remedy=f"remove them, or extend {shape.contract.identity}",
        )
    return (f"{len(unknown)} fields that are not in the contract were ignored: {named}",)
