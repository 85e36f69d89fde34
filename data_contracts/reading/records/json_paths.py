"""Dotted paths of the fields at the beginning of a JSON text."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING

from data_contracts.definition.contract import ReadSpec
from data_contracts.reading.records.plain_records import plain_record

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_RECORDS = 1000
_DEEPEST = 8
_BETWEEN = re.compile(r"[\s,]*")
# Numbers stay text: only the keys matter, and a number of a million digits costs nothing.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


class JsonText:
    """A JSON text, or its beginning, and the paths of the fields in its records."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._paths_at = functools.cache(self._found_paths)

    def paths(self, spec: ReadSpec) -> frozenset[str] | None:
        """Return the record paths that the contract's reader would find, or None if it would find none."""
        own = ReadSpec(
            format=spec.format,
            record_path=spec.record_path,
            single_record=spec.single_record,
            value_key=spec.value_key,
            json_in_text=spec.json_in_text,
        )
        return self._paths_at(own)

    def any_paths(self) -> frozenset[str]:
        """Return the paths of any records: those of an array, of JSON lines, or of one object."""
        tried = (ReadSpec(format="json"), ReadSpec(format="jsonl"), ReadSpec(format="json", single_record=True))
        return next((paths for spec in tried if (paths := self._paths_at(spec))), frozenset())

    def _found_paths(self, spec: ReadSpec) -> frozenset[str] | None:
        records = self._line_records() if spec.format == "jsonl" else self._json_records(spec)
        paths = frozenset(path for record in records for path in field_paths(_plain(record, spec)))
        return paths or None

    def _json_records(self, spec: ReadSpec) -> list[object]:
        if not spec.record_path and self._text.startswith("["):
            return self._array_records(1)
        if len(spec.record_path) == 1:
            # The end of a long array may be missing.
            key = re.escape(json.dumps(spec.record_path[0]))
            opening = re.match(rf"\{{\s*{key}\s*:\s*\[", self._text)
            if opening:
                return self._array_records(opening.end())
        return self._records_at(spec.record_path) if spec.record_path or spec.single_record else []

    def _array_records(self, position: int) -> list[object]:
        """Return the first records of an array one by one, because the end of the array may be missing."""
        records: list[object] = []
        while len(records) < _MOST_RECORDS:
            position = self._skipped(position)
            try:
                record, position = _DECODER.raw_decode(self._text, position)
            except (ValueError, RecursionError):
                break
            records.append(record)
        return records

    def _skipped(self, position: int) -> int:
        between = _BETWEEN.match(self._text, position)
        return between.end() if between else position

    def _line_records(self) -> list[object]:
        """Return the objects on lines of their own; none unless the first line is one."""
        records: list[object] = []
        for line in self._text.split("\n", _MOST_RECORDS)[:_MOST_RECORDS]:
            try:
                record = _DECODER.decode(line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                records.append(record)
            elif not records:
                return []
        return records

    def _records_at(self, place: tuple[str, ...]) -> list[object]:
        """Return the records of a nested array or, for an empty path, the single object of the text."""
        try:
            document: object = _DECODER.decode(self._text)
        except (ValueError, RecursionError):
            return []
        for key in place:
            document = document.get(key) if isinstance(document, dict) else None
        if isinstance(document, list):
            return document[:_MOST_RECORDS]
        return [document] if isinstance(document, dict) and not place else []


def _plain(record: object, spec: ReadSpec) -> object:
    try:
        return plain_record(record, spec, _DECODER.decode)
    except RecursionError:
        return record


def field_paths(value: object, prefix: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the dotted paths of the fields in a value, including those of list items."""
    if isinstance(value, dict) and depth < _DEEPEST:
        for key, inner in value.items():
            yield f"{prefix}{key}"
            yield from field_paths(inner, f"{prefix}{key}.", depth + 1)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict):
                yield from field_paths(inner, prefix, depth)
