"""Recognise which source contract a file matches, by headers, JSON keys, tags and sheet headings, never by name.

The first 4 MiB of a text file are read, and workbooks and Parquet files as a whole, up to 256 MiB packed and unpacked.
Zip and gz archives are opened, archives inside them are not. Nothing is written.
"""

from __future__ import annotations

import functools
import gzip
import io
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from data_contracts.definition.compiler import source_contract, source_names, template_names
from data_contracts.definition.templates import PREFIX
from data_contracts.errors import InputRefused, one_line
from data_contracts.reading.contract_match import WORKBOOK_STARTS, ContractMatch, FileStart, match_contracts
from data_contracts.reading.delimited.encodings import other_encoding
from data_contracts.reading.header_language import unknown_language
from data_contracts.reading.headers import closest_header
from data_contracts.reading.heading_text import normalised
from data_contracts.reading.parquet_files import PARQUET_START
from data_contracts.values.lookalikes import differing_characters, skeleton
from pipelines.runs.sandbox import Call, ChildEnded, run_in_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from data_contracts.definition.contract import Column, CompiledContract

EXIT_UNRECOGNISED = 2
START_BYTES = 4 * 2**20
MOST_WHOLE_BYTES = 2**28
MOST_ENTRIES = 10_000
MOST_ARCHIVE_BYTES = 2**31
# Below both, a file shares only a common word or two with a contract, such as "date", which says nothing.
LEAST_SIMILARITY = 0.1
LEAST_OWN_COLUMNS, LEAST_OWN_SHARE = 3, 0.25
# From here, the headings that the nearest contract does not know are just further columns, not another language.
LIKELY_OWN_SHARE = 0.5
_ZIP_START, _GZIP_START = b"PK\x03\x04", b"\x1f\x8b"
# Entries that office programs put into their documents, which are zips.
_DOCUMENT_PARTS = {"[Content_Types].xml", "mimetype"}
_NESTED = "an archive inside an archive is not opened"
_BROKEN_ARCHIVE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Recognition:
    """What a file was recognised as.

    Attributes:
        file: its path, or ``<archive>/<path in the archive>``.
        met: the contracts it matches; usually one.
        nearest: if it matches none, the nearest contract, if any is near.
        reason: why it could not be compared with any contract, or None.
        language: what is said about a header in a language that no contract lists, or None.
    """

    file: str
    met: tuple[ContractMatch, ...] = ()
    nearest: ContractMatch | None = None
    reason: str | None = None
    language: str | None = None


def recognise(paths: Sequence[Path]) -> Iterator[Recognition]:
    """Yield each file at or below the paths with the contracts it matches, in order of path.

    Raises:
        InputRefused: a path does not exist.
    """
    _require_paths(paths)
    for path in paths:
        for file in files_below(path):
            yield from _recognise_path(file)


def recognise_in_sandbox(paths: Sequence[Path]) -> Iterator[Recognition]:
    """Call ``recognise`` for each file in a sandbox; a file that ends its process has that as its reason."""
    _require_paths(paths)
    for path in paths:
        for file in files_below(path):
            try:
                yield from run_in_sandbox(Call(_recognised, (file,)))
            except ChildEnded as ended:
                yield Recognition(str(file), reason=ended.reason)


def _recognised(path: Path) -> list[Recognition]:
    return list(_recognise_path(path))


@functools.cache
def recognisable_contracts() -> tuple[CompiledContract, ...]:
    """Return every contract that describes raw files: those of sources, then our own templates."""
    return tuple(map(source_contract, (*source_names(), *(f"{PREFIX}{table}" for table in template_names()))))


def exit_code_of(recognitions: Sequence[Recognition]) -> int:
    """Return 0 if every file matches a contract, else 2."""
    return 0 if all(found.met for found in recognitions) else EXIT_UNRECOGNISED


def described(found: Recognition) -> list[str]:
    """Return lines about a file: the contracts it matches, or how it differs from the nearest one."""
    name = one_line(found.file)
    if found.met:
        return [f"{name}: matches {fit.contract.identity} ({_extent(fit)})" for fit in found.met]
    if found.nearest is None:
        reason = found.reason or "it has few or no columns of any contract"
        reason = reason if found.language is None else f"{reason}; {found.language}"
        return [f"{name}: matches no contract: {one_line(reason)}"]
    fit = found.nearest
    lines = [f"{name}: matches no contract; nearest: {fit.contract.identity} ({_extent(fit)})"]
    lines += [f"  wrong: {fit.problem}"] if fit.problem else []
    lines += [f"  language: {found.language}"] if found.language else []
    lines += [f"  missing: {_missing(column, fit.foreign)}" for column in fit.missing]
    lines += [f"  foreign: {header!r}" for header in fit.foreign]
    return [one_line(line) for line in lines]


def _extent(fit: ContractMatch) -> str:
    foreign = f", {len(fit.foreign)} foreign" if fit.foreign else ""
    return f"{len(fit.found)} of its {len(fit.contract.columns)} columns{foreign}"


def _missing(column: Column, foreign: Sequence[str]) -> str:
    named = f"{column.header!r} ({column.description_zh})" if column.description_zh else repr(column.header)
    spelled = (column.header, *column.synonyms)
    wanted = {normalised(skeleton(spelling)): spelling for spelling in spelled}
    for header in foreign:
        twin = wanted.get(normalised(skeleton(header)))
        if twin is not None:
            strange = ", ".join(differing_characters(header, twin)) or "blanks or case"
            return f"{named}; {header!r} only looks like it: {strange}"
    close = closest_header(column, foreign)
    return named if close is None else f"{named}; closest present: {close!r}"


def _require_paths(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise InputRefused(file=str(path), rule="no such file or folder", remedy="correct the path")


def files_below(path: Path) -> Iterator[Path]:
    """Yield the files of a folder in order; symbolic links are not followed, because they may lead anywhere."""
    if path.is_file():
        yield path
        return
    yield from sorted(entry for entry in path.rglob("*") if entry.is_file() and not entry.is_symlink())


def _recognise_path(path: Path) -> Iterator[Recognition]:
    try:
        with path.open("rb") as file:
            start = file.read(len(_ZIP_START))
            file.seek(0)
            if start.startswith(_GZIP_START):
                with gzip.open(file) as unpacked:
                    yield _of_stream(unpacked, str(path))[0]
            elif start.startswith(b"PK") and zipfile.is_zipfile(file) and not _is_document(zipfile.ZipFile(file)):
                yield from _of_archive(zipfile.ZipFile(file), str(path))
            else:
                file.seek(0)
                yield _of_stream(file, str(path))[0]
    except _BROKEN_ARCHIVE as error:
        yield Recognition(str(path), reason=f"it cannot be read: {error}")


def _is_document(archive: zipfile.ZipFile) -> bool:
    return not _DOCUMENT_PARTS.isdisjoint(archive.namelist())


def _of_archive(archive: zipfile.ZipFile, name: str) -> Iterator[Recognition]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if not entries or len(entries) > MOST_ENTRIES:
        yield Recognition(name, reason=f"the zip contains {len(entries)} files; 1 to {MOST_ENTRIES} are supported")
        return
    left = MOST_ARCHIVE_BYTES
    for entry in sorted(entries, key=lambda entry: entry.filename):
        inside = f"{name}/{entry.filename}"
        if left <= 0:
            yield Recognition(
                inside, reason=f"the files before it in the zip already unpack to {MOST_ARCHIVE_BYTES} bytes"
            )
            continue
        try:
            with archive.open(entry) as file:
                found, read_bytes = _of_stream(file, inside)
        except _BROKEN_ARCHIVE as error:
            found, read_bytes = Recognition(inside, reason=f"it cannot be unpacked: {error}"), 0
        left -= read_bytes
        yield found


def _of_stream(file: IO[bytes] | gzip.GzipFile, name: str) -> tuple[Recognition, int]:
    """Return what a file was recognised as, and how many of its bytes were read."""
    data = file.read(START_BYTES + 1)
    is_packed = data.startswith((PARQUET_START, *WORKBOOK_STARTS))
    if is_packed:
        data += file.read(MOST_WHOLE_BYTES + 1 - len(data))
    reason = _no_comparison(data, is_packed=is_packed)
    if reason is not None:
        return Recognition(name, reason=reason), len(data)
    start = FileStart(data if is_packed else data[:START_BYTES], is_packed or len(data) <= START_BYTES)
    return _compared(start, name), len(data)


def _no_comparison(data: bytes, *, is_packed: bool) -> str | None:
    """Return why a file is not compared with contracts, or None."""
    if data.startswith(_GZIP_START):
        return _NESTED
    if len(data) > MOST_WHOLE_BYTES:
        return f"it is larger than {MOST_WHOLE_BYTES} bytes and can only be recognised as a whole"
    return _no_document(data) if is_packed and data.startswith(_ZIP_START) else None


def _no_document(data: bytes) -> str | None:
    """Return why a zip is not a readable workbook, or None."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile as error:
        return f"it starts like a workbook or zip but is not one: {error}"
    unpacked_bytes = sum(part.file_size for part in archive.infolist())
    if unpacked_bytes > MOST_WHOLE_BYTES:
        return f"it unpacks to {unpacked_bytes} bytes, more than {MOST_WHOLE_BYTES}"
    return None if _is_document(archive) else _NESTED


def _compared(start: FileStart, name: str) -> Recognition:
    try:
        fits = match_contracts(start, recognisable_contracts(), name)
    except InputRefused as refused:
        return Recognition(name, reason=refused.rule)
    met = tuple(fit for fit in fits if fit.is_match)
    if met or not fits:
        return Recognition(name, met)
    in_form = next((fit for fit in fits if fit.is_known_form), None)
    if in_form is not None:
        return Recognition(name, nearest=in_form)
    nearest = max(fits, key=lambda fit: fit.nearness)
    if not _is_near(nearest):
        headings = max((fit.foreign for fit in fits), key=len)
        is_text = not start.data.startswith((PARQUET_START, *WORKBOOK_STARTS))
        reason = other_encoding(start.data) if is_text else None
        if reason is not None:
            return Recognition(name, reason=f"it has few or no columns of any contract; {reason}")
        return Recognition(name, language=unknown_language(headings, recognisable_contracts()))
    is_doubtful = nearest.own_share < LIKELY_OWN_SHARE
    language = unknown_language(nearest.foreign, recognisable_contracts()) if is_doubtful else None
    return Recognition(name, nearest=nearest, language=language)


def _is_near(fit: ContractMatch) -> bool:
    by_own_columns = len(fit.found) >= LEAST_OWN_COLUMNS and fit.own_share >= LEAST_OWN_SHARE
    return by_own_columns or (len(fit.found) > 1 and fit.similarity >= LEAST_SIMILARITY)
