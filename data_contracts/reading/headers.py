"""Find the columns of a contract in the header row of a file, by name and never by position."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_contracts.definition.contract import Column, CompiledContract, ReadSpec
from data_contracts.errors import InputRefused

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class HeaderMatch:
    """The header cell of each contract column; ``extra`` holds the cells that the contract does not know."""

    positions: dict[str, int]
    extra: tuple[str, ...]
    missing: tuple[Column, ...]
    ambiguous: tuple[str, ...]

    @property
    def headers(self) -> tuple[str, ...]:
        """The contract columns that are present."""
        return tuple(self.positions)


def normalised(header: str) -> str:
    """Return a header without outer spaces, with single inner spaces, and case-folded."""
    return " ".join(header.replace("\ufeff", "").split()).casefold()


# The spellings of all contracts are few and asked for with every file; the cells of a file are never kept.
_normalised_spelling = functools.lru_cache(maxsize=16_384)(normalised)


def match_headers(cells: Sequence[str], contract: CompiledContract) -> HeaderMatch:
    """Match a row of header cells with the headers of a contract and their synonyms."""
    wanted = {
        _normalised_spelling(name): column for column in contract.columns for name in (column.header, *column.synonyms)
    }
    positions: dict[str, int] = {}
    extra: list[str] = []
    ambiguous: list[str] = []
    for position, cell in enumerate(cells):
        column = wanted.get(normalised(cell))
        if column is None:
            extra.append(cell)
        elif column.name in positions:
            ambiguous.append(cell)
        else:
            positions[column.name] = position
    ordered = {column.name: positions[column.name] for column in contract.columns if column.name in positions}
    missing = tuple(c for c in contract.columns if c.name not in positions and not c.cell.header_optional)
    return HeaderMatch(ordered, tuple(extra), missing, tuple(ambiguous))


def header_locale(cells: Sequence[str], contract: CompiledContract) -> str | None:
    """Return the locale that most header cells belong to by the contract's synonyms; the first one if tied."""
    found = {normalised(cell) for cell in cells}
    counts: dict[str, int] = {}
    for column in contract.columns:
        for synonym, locale in column.locales:
            counts[locale] = counts.get(locale, 0) + (normalised(synonym) in found)
    return max(counts, key=lambda locale: counts[locale], default=None) if any(counts.values()) else None


def require_headers(match: HeaderMatch, contract: CompiledContract, file_name: str, row: int) -> tuple[str, ...]:
    """Check that a header row can serve the contract, and return its warnings.

    Raises:
        InputRefused: a column is missing, occurs twice, or is refused by the contract.
    """
    if match.missing:
        named = ", ".join(_missing_phrase(column, match.extra) for column in match.missing)
        raise InputRefused(
            file=file_name,
            row=row,
            column=match.missing[0].header,
            rule=f"missing columns: {named}",
            remedy=f"export the file with all columns of {contract.identity}",
        )
    if match.ambiguous:
        raise InputRefused(
            file=file_name,
            row=row,
            column=match.ambiguous[0],
            rule="the header occurs twice",
            remedy="remove or rename one of the two columns",
        )
    spec = contract.read_spec or ReadSpec(format="delimited")
    _require_exactly_one(match, contract, spec, (file_name, row))
    return _extra_notes(match, contract, spec, (file_name, row))


def closest_header(column: Column, cells: Sequence[str]) -> str | None:
    """Return the cell with the spelling closest to a column's header, or None if none is close."""
    close = difflib.get_close_matches(normalised(column.header), [normalised(cell) for cell in cells], n=1, cutoff=0.6)
    return next((cell for cell in cells if close and normalised(cell) == close[0]), None)


def _missing_phrase(column: Column, extra: Sequence[str]) -> str:
    found = closest_header(column, extra)
    return f"{column.header!r} (closest present: {found!r})" if found is not None else repr(column.header)


def _require_exactly_one(
    match: HeaderMatch, contract: CompiledContract, spec: ReadSpec, where: tuple[str, int]
) -> None:
    for group in spec.exactly_one_of:
        present = [name for name in group if name in match.positions]
        if len(present) != 1:
            headers = " or ".join(repr(contract.column(name).header) for name in group)
            raise InputRefused(
                file=where[0],
                row=where[1],
                column=contract.column(group[0]).header,
                rule=f"exactly one of the columns {headers} is required, but {len(present)} are present",
                remedy="export the file with one of them",
            )


def _extra_notes(
    match: HeaderMatch, contract: CompiledContract, spec: ReadSpec, where: tuple[str, int]
) -> tuple[str, ...]:
    if not match.extra or spec.extra_columns == "allow":
        return ()
    named = ", ".join(repr(cell) for cell in match.extra)
    if spec.extra_columns == "refuse":
        raise InputRefused(
            file=where[0],
            row=where[1],
            column=match.extra[0],
            rule=f"columns that are not in the contract: {named}",
            remedy=f"remove them, or extend {contract.identity}",
        )
    return (f"{len(match.extra)} columns that are not in the contract were ignored: {named}",)
