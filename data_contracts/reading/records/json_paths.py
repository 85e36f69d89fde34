"""Dotted paths of the fields at the beginning of a JSON text."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_contracts.definition.contract import ReadSpec

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
        return self._paths_at(spec.format, spec.record_path)

    def any_paths(self) -> frozenset[str]:
        """Return the paths of any records: those of an array, of JSON lines, or of one object."""
        return self._paths_at("json", ()) or self._paths_at("jsonl", ()) or self._paths_at("object", ()) or frozenset()

    def _found_paths(self, form: str, place: tuple[str, ...]) -> frozenset[str] | None:
        if form == "jsonl":
            records = self._line_records()
        elif form == "object" or place:
            records = self._records_at(place)
        else:
            records = self._array_records()
        paths = frozenset(path for record in records for path in field_paths(record))
        return paths or None

    def _array_records(self) -> list[object]:
        """Return the first records of a top-level array one by one, because the end of the array may be missing."""
        records: list[object] = []
        position = 1
        while self._text.startswith("[") and len(records) < _MOST_RECORDS:
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
