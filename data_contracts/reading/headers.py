"""Find the columns of a contract in the header row of a file, by name and never by position."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.definition.contract import Column, CompiledContract, ReadSpec, RefusedHeading
from data_contracts.errors import InputRefused, listed, shown
from data_contracts.reading.heading_text import ZONES, normalised, normalised_cell, without_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


_SPARE_CHARACTERS = 40


@dataclass(frozen=True)
class HeaderMatch:
    """The header cell of each contract column.

    ``extra`` holds the cells that the contract does not know, ``passed_over`` other spellings of a column that the file
    also has under a spelling that the contract prefers, ``cells`` the whole row.
    """

    positions: dict[str, int]
    extra: tuple[str, ...]
    missing: tuple[Column, ...]
    ambiguous: tuple[str, ...]
    passed_over: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()

    @property
    def headers(self) -> tuple[str, ...]:
        """The contract columns that are present."""
        return tuple(self.positions)


def match_headers(cells: Sequence[str], contract: CompiledContract) -> HeaderMatch:
    """Match a row of header cells with the headers of a contract and their synonyms.

    A cell with the very spelling of the contract goes before one that is only equal after ``normalised``, and that
    one before a cell with a unit or zone in brackets that the contract does not spell, but that agrees with the
    column. A cell that could then name several columns is ambiguous, as is a second cell for one column.
    """
    spellings = _spellings(contract)
    normal = {position: normalised_cell(cell) for position, cell in enumerate(cells)}
    passed_over = _passed_over(normal, spellings)
    normal = {position: key for position, key in normal.items() if position not in passed_over}
    found = _Found({}, [])
    found.take({position: spellings.plain.get(_plain(cells[position]), ()) for position in normal})
    found.take({position: spellings.normal.get(key, ()) for position, key in normal.items() if key})
    found.take({n: _agreeing_columns(key, contract, spellings) for n, key in normal.items() if key.endswith(")")})
    used = {*found.positions.values(), *found.ambiguous, *passed_over}
    ordered = {
        column.name: found.positions[column.name] for column in contract.columns if column.name in found.positions
    }
    missing = tuple(c for c in contract.columns if c.name not in ordered and not c.cell.header_optional)
    extra = tuple(cell for position, cell in enumerate(cells) if position not in used)
    ambiguous, left = (tuple(cells[n] for n in sorted(chosen)) for chosen in (found.ambiguous, passed_over))
    return HeaderMatch(ordered, extra, missing, ambiguous, left, tuple(cells))


def _passed_over(normal: Mapping[int, str], spellings: _Spellings) -> set[int]:
    """Return the positions of cells that name a column by another spelling than the most preferred one present."""
    passed: set[int] = set()
    for ranks in spellings.ranks:
        present = {position: ranks[key] for position, key in normal.items() if key in ranks}
        passed |= {position for position, rank in present.items() if rank > min(present.values())}
    return passed


@dataclass(frozen=True)
class _Found:
    """The position of each column that is named so far, and the positions of ambiguous cells."""

    positions: dict[str, int]
    ambiguous: list[int]

    def take(self, candidates: Mapping[int, Sequence[str]]) -> None:
        """Add the columns that the cells at these positions name, unless a better spelling already named them."""
        taken, used = set(self.positions), {*self.positions.values(), *self.ambiguous}
        for position, names in candidates.items():
            open_names = [name for name in names if name not in taken]
            if position in used or not open_names:
                continue
            if len(open_names) > 1 or open_names[0] in self.positions:
                self.ambiguous.append(position)
            else:
                self.positions[open_names[0]] = position


def _plain(header: str) -> str:
    """Return a header without outer spaces, with single inner spaces, and case-folded."""
    return " ".join(header.replace("\ufeff", "").split()).casefold()


@dataclass(frozen=True)
class _Spellings:
    """The columns of a contract by their plain and normalised spellings; several if the contract is unclear.

    ``ranks`` holds, for each column whose first spelling is preferred, the place of each of its normalised spellings.
    """

    plain: dict[str, tuple[str, ...]]
    normal: dict[str, tuple[str, ...]]
    ranks: tuple[dict[str, int], ...]


@functools.lru_cache(maxsize=512)
def _spellings(contract: CompiledContract) -> _Spellings:
    ranked = [_by_preference(column) for column in contract.columns if column.cell.prefer_first]
    ranks = tuple({spelling: rank for rank, spelling in enumerate(spelled)} for spelled in ranked)
    return _Spellings(_columns_by(contract, _plain), _columns_by(contract, normalised), ranks)


def _by_preference(column: Column) -> dict[str, None]:
    """Return the normalised spellings in the order of the synonyms; the header is first unless it is one of them."""
    synonyms = dict.fromkeys(map(normalised, column.synonyms))
    header = normalised(column.header)
    return synonyms if header in synonyms else {header: None, **synonyms}


def _columns_by(contract: CompiledContract, spelled: Callable[[str], str]) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    for column in contract.columns:
        for key in {spelled(spelling) for spelling in (column.header, *column.synonyms)}:
            names[key] = (*names.get(key, ()), column.name)
    return names


def _agreeing_columns(heading: str, contract: CompiledContract, spellings: _Spellings) -> tuple[str, ...]:
    """Return the columns that a heading names without its unit or zone, if the contract does not say another one."""
    bare, unit = without_unit(heading)
    if unit is None:
        return ()
    return tuple(name for name in spellings.normal.get(bare, ()) if _agrees(unit, contract.column(name)))


def _agrees(unit: str, column: Column) -> bool:
    if unit in ZONES:
        return not pa.types.is_timestamp(column.arrow_type) or column.cell.timezone == unit
    return column.unit in {None, unit} or " " in (column.unit or "")


def header_locale(cells: Sequence[str], contract: CompiledContract) -> str | None:
    """Return the locale that most header cells belong to by the contract's synonyms; the first one if tied."""
    found = {normalised_cell(cell) for cell in cells}
    counts: dict[str, int] = {}
    for column in contract.columns:
        for synonym, locale in column.locales:
            counts[locale] = counts.get(locale, 0) + (normalised_cell(synonym) in found)
    return max(counts, key=lambda locale: counts[locale], default=None) if any(counts.values()) else None


def require_headers(match: HeaderMatch, contract: CompiledContract, file_name: str, row: int) -> tuple[str, ...]:
    """Check that a header row can serve the contract, and return its warnings.

    Raises:
        InputRefused: a column is missing, occurs twice, or is refused by the contract.
    """
    spec = contract.read_spec or ReadSpec(format="delimited")
    _refuse_headings(match, spec, (file_name, row))
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
    _require_exactly_one(match, contract, spec, (file_name, row))
    _require_any(match, contract, spec, (file_name, row))
    return (*_preference_notes(match), *_extra_notes(match, contract, spec, (file_name, row)))


def refused_heading(match: HeaderMatch, spec: ReadSpec) -> tuple[str, RefusedHeading] | None:
    """Return the cell that shows that the file is of a kind the contract does not read, with the reason, if any."""
    for refused in spec.refused_headings:
        headings = {normalised_cell(heading) for heading in refused.headings}
        for cell in (*match.extra, *match.passed_over):
            if normalised_cell(cell) in headings:
                return cell, refused
    return None


def _refuse_headings(match: HeaderMatch, spec: ReadSpec, where: tuple[str, int]) -> None:
    found = refused_heading(match, spec)
    if found is not None:
        cell, refused = found
        raise InputRefused(file=where[0], row=where[1], column=cell, rule=refused.rule, remedy=refused.remedy)


def _preference_notes(match: HeaderMatch) -> tuple[str, ...]:
    if not match.passed_over:
        return ()
    named = listed(match.passed_over)
    return (f"{len(match.passed_over)} columns were not read, because the contract prefers others: {named}",)


def closest_header(column: Column, cells: Sequence[str]) -> str | None:
    """Return the cell with the spelling closest to a column's header, or None if none is close."""
    # Comparing takes time that grows with the length, and no header is that long.
    likely = [cell for cell in cells if len(cell) <= 2 * len(column.header) + _SPARE_CHARACTERS]
    close = difflib.get_close_matches(normalised(column.header), [normalised(cell) for cell in likely], n=1, cutoff=0.6)
    return next((cell for cell in likely if close and normalised(cell) == close[0]), None)


def _missing_phrase(column: Column, extra: Sequence[str]) -> str:
    found = closest_header(column, extra)
    return f"{column.header!r} (closest present: {shown(found)})" if found is not None else repr(column.header)


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


def _require_any(match: HeaderMatch, contract: CompiledContract, spec: ReadSpec, where: tuple[str, int]) -> None:
    if not spec.any_of or any(set(group) <= set(match.positions) for group in spec.any_of):
        return
    groups = [" with ".join(repr(contract.column(name).header) for name in group) for group in spec.any_of]
    present = [shown(match.cells[match.positions[n]]) for group in spec.any_of for n in group if n in match.positions]
    raise InputRefused(
        file=where[0],
        row=where[1],
        column=contract.column(spec.any_of[0][0]).header,
        rule=f"it needs {', or '.join(groups)}; present: {', '.join(present) or 'none of them'}",
        remedy="export the file with them",
    )


def _extra_notes(
    match: HeaderMatch, contract: CompiledContract, spec: ReadSpec, where: tuple[str, int]
) -> tuple[str, ...]:
    if not match.extra or spec.extra_columns == "allow":
        return ()
    named = listed(match.extra)
    if spec.extra_columns == "refuse":
        raise InputRefused(
            file=where[0],
            row=where[1],
            column=match.extra[0],
            rule=f"columns that are not in the contract: {named}",
            remedy=f"remove them, or extend {contract.identity}",
        )
    return (f"{len(match.extra)} columns that are not in the contract were ignored: {named}",)
