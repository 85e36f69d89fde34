"""Files without one of their columns, fields or elements, or with one of them renamed, whatever their format."""

from __future__ import annotations

import csv
import io
import json
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as Xml

import python_calamine

from data_contracts.definition.compiler import source_contract
from data_contracts.reading.headers import match_headers
from tests.factories.files.workbooks import workbook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NEW_NAME = "Zqx"
Grid = list[list[Any]]


@dataclass(frozen=True)
class ColumnOfFile:
    """A column of a file; ``file_with`` returns the file with another name for it, or without it if that is None."""

    name: str
    file_with: Callable[[str | None], bytes]


def columns_of(data: bytes, source: str) -> Iterator[ColumnOfFile]:
    """Return every column, field or element of a file, in its order."""
    spec = source_contract(source).read_spec
    assert spec is not None
    if data.startswith(b"PK"):
        return _of_workbook(data, source)
    if spec.format in {"json", "jsonl"}:
        return _of_json(data, is_lines=spec.format == "jsonl")
    if spec.format in {"xml", "camt053"}:
        return _of_xml(data)
    return _of_text(data, source)


def _header_row(rows: Sequence[Sequence[object]], source: str) -> int:
    """Return the place of the row that names most columns."""
    contract = source_contract(source)
    named = [len(match_headers(["" if c is None else str(c) for c in row], contract).positions) for row in rows]
    return named.index(max(named))


def _changed(rows: Sequence[Sequence[Any]], header: int, place: int, name: str | None) -> Grid:
    grid = [list(row) for row in rows]
    if name is not None:
        grid[header][place] = name
        return grid
    return [row if number < header else row[:place] + row[place + 1 :] for number, row in enumerate(grid)]


def _of_workbook(data: bytes, source: str) -> Iterator[ColumnOfFile]:
    book = python_calamine.load_workbook(io.BytesIO(data))
    read = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    grids: dict[str, Grid] = {
        name: [[c if c != "" else None for c in row] for row in rows] for name, rows in read.items()
    }
    for sheet, rows in grids.items():
        header = _header_row(rows, source)
        for place, cell in enumerate(rows[header]):
            if cell is not None:
                yield ColumnOfFile(f"{sheet}: {cell}", _changed_workbook(grids, sheet, header, place))


def _changed_workbook(grids: dict[str, Grid], sheet: str, header: int, place: int) -> Callable[[str | None], bytes]:
    return lambda name: workbook({**grids, sheet: _changed(grids[sheet], header, place, name)})


def _of_text(data: bytes, source: str) -> Iterator[ColumnOfFile]:
    spec = source_contract(source).read_spec
    assert spec is not None
    quoting: dict[str, Any] = (
        {} if spec.quote or spec.format != "delimited" else {"quoting": csv.QUOTE_NONE, "quotechar": None}
    )
    rows = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=spec.delimiter, **quoting))
    tags = spec.tags
    first = (
        _header_row(rows, source) if tags is None else next(n for n, row in enumerate(rows) if row[0] == tags.header)
    )
    tagged = [n for n, row in enumerate(rows) if tags is None or row[0] in {tags.header, tags.row}]

    def file_with(place: int, name: str | None) -> bytes:
        table = _changed([rows[n] for n in tagged], tagged.index(first), place, name)
        grid = {**dict(enumerate(rows)), **dict(zip(tagged, table, strict=True))}
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=spec.delimiter, lineterminator="\n", **quoting).writerows(grid.values())
        return text.getvalue().encode()

    for place, cell in enumerate(rows[first]):
        if tags is None or place:
            yield ColumnOfFile(cell, lambda name, place=place: file_with(place, name))  # type: ignore[misc]


def _of_json(data: bytes, *, is_lines: bool) -> Iterator[ColumnOfFile]:
    content: Any = [json.loads(line) for line in data.splitlines()] if is_lines else json.loads(data)

    def file_with(path: Sequence[str], name: str | None) -> bytes:
        changed = _renamed(content, path, name)
        if is_lines:
            return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in changed).encode()
        return json.dumps(changed, ensure_ascii=False).encode()

    for path in dict.fromkeys(_paths(content)):
        yield ColumnOfFile(".".join(path), lambda name, path=path: file_with(path, name))  # type: ignore[misc]


def _paths(content: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - any JSON
    if isinstance(content, list):
        for one in content:
            yield from _paths(one, above)
    elif isinstance(content, dict):
        for key, inner in content.items():
            yield (*above, key)
            yield from _paths(inner, (*above, key))


def _renamed(content: Any, path: Sequence[str], name: str | None) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(content, list):
        return [_renamed(one, path, name) for one in content]
    if not isinstance(content, dict):
        return content
    first, *rest = path
    if rest:
        return {key: _renamed(inner, rest, name) if key == first else inner for key, inner in content.items()}
    kept = {key: inner for key, inner in content.items() if key != first}
    return kept if name is None or first not in content else {**kept, name: content[first]}


def _of_xml(data: bytes) -> Iterator[ColumnOfFile]:
    root = Xml.fromstring(data)  # noqa: S314 - our own sample

    def file_with(path: Sequence[str], name: str | None) -> bytes:
        changed = deepcopy(root)
        _rename_elements(changed, path, name)
        return bytes(Xml.tostring(changed, encoding="utf-8", xml_declaration=True))

    for path in dict.fromkeys(_element_paths(root)):
        shown = "/".join(step.rpartition("}")[2] for step in path)
        yield ColumnOfFile(shown, lambda name, path=path: file_with(path, name))  # type: ignore[misc]


def _element_paths(element: Xml.Element, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for inner in element:
        yield (*above, inner.tag)
        yield from _element_paths(inner, (*above, inner.tag))


def _rename_elements(element: Xml.Element, path: Sequence[str], name: str | None) -> None:
    first, *rest = path
    for inner in list(element):
        if inner.tag != first:
            continue
        if rest:
            _rename_elements(inner, rest, name)
        elif name is None:
            element.remove(inner)
        else:
            inner.tag = name
