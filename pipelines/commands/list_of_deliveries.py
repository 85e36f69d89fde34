"""Command ``passport manifest``: write the list of deliveries of a raw folder, as far as the files tell it."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

from data_contracts.definition.compiler import source_contract
from data_contracts.digest import sha256_file
from data_contracts.errors import ConfigurationRefused, InputRefused, one_line
from data_contracts.sources.registry import source_mapping
from pipelines.ingest.deliveries.manifest import MANIFEST_FILE, MANIFEST_SOURCE
from pipelines.ingest.deliveries.recognition import described, files_below, recognise
from pipelines.ingest.deliveries.reference_lists import rows_of_list
from pipelines.ingest.deliveries.unlisted import REFERENCE, source_of
from pipelines.runs.publish import atomic_write_bytes
from pipelines.runs.sandbox import Call, ChildEnded, run_in_sandbox
from pipelines.runs.spreadsheet_text import cell_text
from pipelines.runs.storage_faults import report_disk_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipelines.ingest.deliveries.unlisted import Terms

_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


class ManifestDraft(NamedTuple):
    """A list of deliveries that was written.

    ``to_fill_in`` are the headers of columns with cells that must not stay empty; ``unknown`` says, a line per file,
    why its source could not be found.
    """

    path: Path
    files: int
    to_fill_in: tuple[str, ...]
    unknown: tuple[str, ...]


class _Known(NamedTuple):
    """The source of a file, or why it is not known."""

    source: str
    problem: str


def write_manifest(folder: Path, terms: Terms, *, add: bool = False) -> ManifestDraft:
    """Write ``deliveries.csv`` into a raw folder: one row per file, with its source and its digest.

    The content of a file decides its source. A file that does not name its seller belongs to ``terms.seller``, or else
    to the seller that its folder in ``folder`` is named after; deeper folders may have any name. What neither the files
    nor the terms say stays empty.

    Args:
        folder: the raw folder.
        terms: what the caller states about every file.
        add: keep the rows of the list that is there, and add the files that it does not name.

    Raises:
        InputRefused: the folder is missing or has no new files, the name of a folder in it is no seller reference, or
            the list to be added to has a bad row.
        ConfigurationRefused: the folder has a list already, which may have been edited, and ``add`` is not set.
    """
    path = folder / MANIFEST_FILE
    if not folder.is_dir():
        raise InputRefused(file=str(folder), rule="no such folder", remedy="name the folder that holds the raw files")
    if path.exists() and not add:
        raise ConfigurationRefused(
            f"{path} exists already and may have been edited", "add new files with --add, edit it, or move it away"
        )
    listed = _read_list(path) if path.exists() else None
    named = listed.files if listed else frozenset()
    files = tuple(file for file in _delivered_files(folder) if file.relative_to(folder).as_posix() not in named)
    if not files:
        rule = "the list names every file in it" if named else "the folder holds no files"
        raise InputRefused(file=str(folder), rule=rule, remedy="put the exports into it")
    known = [_known(file) for file in files]
    rows = [_row(file, folder, terms, one.source) for file, one in zip(files, known, strict=True)]
    with report_disk_faults(folder):
        atomic_write_bytes(path, _as_csv(rows, listed))
    return ManifestDraft(path, len(rows), _to_fill_in(rows), tuple(one.problem for one in known if one.problem))


class _List(NamedTuple):
    """A list of deliveries as it is: its bytes, its headers in order, and the files that it names."""

    data: bytes
    headers: tuple[str, ...]
    files: frozenset[str]


def _read_list(path: Path) -> _List:
    """Return the list there is, checked by its contract in a child process."""
    data = path.read_bytes()
    try:
        rows = run_in_sandbox(Call(rows_of_list, (data, MANIFEST_SOURCE, MANIFEST_FILE)))
    except ChildEnded as ended:
        raise InputRefused(file=str(path), rule=ended.reason, remedy="move it away, and write a new one") from ended
    headers = next(csv.reader(data.decode("utf-8-sig").splitlines()))
    return _List(data, tuple(header.strip() for header in headers), frozenset(str(row["file_name"]) for row in rows))


def _as_csv(rows: Sequence[Mapping[str, str]], listed: _List | None) -> bytes:
    """Return the rows as a list, or the list there is followed by the rows, in the order of its columns."""
    columns = source_contract(MANIFEST_SOURCE).columns
    headers = listed.headers if listed else tuple(column.header for column in columns)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, headers, restval="", extrasaction="ignore", lineterminator="\n")
    if listed is None:
        writer.writeheader()
    cells = [{column.header: row[column.name] for column in columns} for row in rows]
    _refuse_formulas(cells)
    writer.writerows(cells)
    before = listed.data if listed else b""
    return before + (b"" if before.endswith(b"\n") or not before else b"\n") + text.getvalue().encode()


def _refuse_formulas(rows: Sequence[Mapping[str, str]]) -> None:
    """Refuse a cell that a spreadsheet might run; a mark would make it another name."""
    for row in rows:
        found = next((header for header, cell in row.items() if cell_text(cell) != cell), None)
        if found is not None:
            raise InputRefused(
                file=next(iter(row.values())),
                column=found,
                rule=f"a spreadsheet may run {row[found]!r} as a formula",
                remedy="rename it",
            )


def _to_fill_in(rows: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Return the headers of the columns in which a cell must be filled in, in their order in the list."""
    return tuple(
        column.header
        for column in source_contract(MANIFEST_SOURCE).columns
        if any(not row[column.name] and (column.required or _lacks_seller(column.name, row)) for row in rows)
    )


def _lacks_seller(column: str, row: Mapping[str, str]) -> bool:
    return column == "delivered_for" and (not row["delivered_source"] or _needs_seller(row["delivered_source"]))


def _needs_seller(source: str) -> bool:
    return source_mapping(source).needs_seller


def _delivered_files(folder: Path) -> Iterator[Path]:
    for path in files_below(folder):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path != folder / MANIFEST_FILE:
            yield path


def _row(path: Path, folder: Path, terms: Terms, source: str) -> dict[str, str]:
    """Return the row of a file by the names of the contract's columns."""
    return {
        "file_name": path.relative_to(folder).as_posix(),
        "delivered_for": "" if source and not _needs_seller(source) else _seller(path, folder, terms),
        "delivered_source": source,
        "account": terms.account or "",
        "covered_from": terms.period_from.isoformat() if terms.period_from else "",
        "covered_to": terms.period_to.isoformat() if terms.period_to else "",
        "delivered_on": terms.delivered_at.strftime(_MOMENT) if terms.delivered_at else "",
        "file_sha256": sha256_file(path),
        "date_order": terms.date_order or "",
    }


def _seller(path: Path, folder: Path, terms: Terms) -> str:
    if terms.seller or path.parent == folder:
        return terms.seller or ""
    name = path.relative_to(folder).parts[0]
    if not REFERENCE.fullmatch(name):
        raise InputRefused(
            file=str(path),
            rule=f"its folder {one_line(name)!r} is no seller reference (letters, digits, dots and dashes, at most 64)",
            remedy="name the folder after the seller, or give --seller",
        )
    return name


def _known(path: Path) -> _Known:
    """Recognise a file, or the files in an archive, in a child process."""
    try:
        return run_in_sandbox(Call(_recognised, (path,)))
    except ChildEnded as ended:
        return _Known("", f"{one_line(str(path))}: {ended.reason}")


def _recognised(path: Path) -> _Known:
    found = list(recognise([path]))
    try:
        sources = {source_of(one) for one in found if one.met}
    except InputRefused as refused:
        return _Known("", f"{one_line(refused.file)}: {refused.rule}")
    unmet = next((one for one in found if not one.met), None)
    if unmet is not None:
        return _Known("", "; ".join(line.strip() for line in described(unmet)))
    if len(sources) != 1:
        return _Known("", f"{one_line(str(path))}: it holds files of {', '.join(sorted(sources))}")
    return _Known(sources.pop(), "")
