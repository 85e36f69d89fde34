"""Changes to one column of a contract: name, type, unit, headers, labels and cell parsing."""

from __future__ import annotations

import re
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING

from data_contracts.compatibility.change import Change, ChangeKind
from data_contracts.reading.heading_text import normalised
from data_contracts.values.lookalikes import differing_characters, looks_equal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_contracts.definition.contract import CellSpec, Column, ReadSpec

# The dimension of each unit, and its size in the base unit of that dimension.
_UNITS = {
    **dict.fromkeys(("share", "fraction", "probability"), ("ratio", Decimal(1))),
    **dict.fromkeys(("%", "percent"), ("ratio", Decimal("0.01"))),
    "basis points": ("ratio", Decimal("0.0001")),
    **dict.fromkeys(("smallest unit of the currency", "cents"), ("money", Decimal("0.01"))),
    **dict.fromkeys(("g", "grams"), ("mass", Decimal(1))),
    "kg": ("mass", Decimal(1000)),
    "hours": ("time", Decimal(1)),
    "days": ("time", Decimal(24)),
    "weeks": ("time", Decimal(168)),
}
_CURRENCY = re.compile(r"(?:the )?currency .*|[A-Z]{3}")
# Appending to these settings does not change how existing cells are parsed; the first date format that fits is used.
_MAY_GROW = ("formats", "true_values", "false_values")


def column_changes(old: Column, new: Column, specs: tuple[ReadSpec | None, ReadSpec | None]) -> Iterator[Change]:
    """Yield the changes to one column.

    ``specs`` hold the read settings of the file before and after; they are None for canonical tables.
    """
    place = new.name
    if old.name != new.name:
        yield Change(ChangeKind.COLUMN_RENAMED, place, f"{old.name} → {new.name}", breaking=True)
    if old.arrow_type != new.arrow_type:
        yield Change(ChangeKind.COLUMN_TYPE_CHANGED, place, f"{old.arrow_type} → {new.arrow_type}", breaking=True)
    if old.unit != new.unit:
        stated = old.unit is not None and new.unit is not None
        yield Change(ChangeKind.UNIT_CHANGED, place, _unit_words(old.unit, new.unit), breaking=stated)
    if (old.header, new.header) != (old.name, new.name) or specs[1] is not None:
        yield from _header_changes(old, new, specs[1])
    if specs[0] is not None and specs[1] is not None:
        yield from _cell_changes(old.cell, new.cell, place)
    if old.labels != new.labels:
        yield from _label_changes(old, new, is_source=specs[1] is not None)
    if old.classification != new.classification:
        words = f"{old.classification} → {new.classification}"
        # Personal columns become pseudonyms or are dropped.
        personal = "personal" in {old.classification, new.classification}
        yield Change(ChangeKind.CLASSIFICATION_CHANGED, place, words, breaking=personal)
    if old.retention_days != new.retention_days:
        kept = [f"kept {days} days" if days else "kept" for days in (old.retention_days, new.retention_days)]
        yield Change(ChangeKind.RETENTION_CHANGED, place, " → ".join(kept), breaking=False)
    if (old.description, old.description_zh) != (new.description, new.description_zh):
        yield Change(ChangeKind.WORDING_CHANGED, place, "new description", breaking=False)


def _unit_words(old: str | None, new: str | None) -> str:
    words = f"{old or 'not stated'} → {new or 'not stated'}"
    before, after = _dimension(old), _dimension(new)
    if before is None or after is None or before[0] != after[0] or before[1] == after[1]:
        return words
    return f"{words}: the same amount is now a number {(before[1] / after[1]).normalize():f} times as large"


def _dimension(unit: str | None) -> tuple[str, Decimal] | None:
    if unit is None:
        return None
    known = _UNITS.get(unit)
    return ("money", Decimal(1)) if known is None and _CURRENCY.fullmatch(unit) else known


def _header_changes(old: Column, new: Column, spec: ReadSpec | None) -> Iterator[Change]:
    """Yield the changes to the headers that identify a column. JSON keys must match exactly."""
    exact = spec is None or spec.format in {"json", "jsonl"}
    before, after = ({_as_read(spelling, exact=exact): spelling for spelling in _spellings(c)} for c in (old, new))
    lost = [spelling for read, spelling in before.items() if read not in after]
    gained = [spelling for read, spelling in after.items() if read not in before]
    twins = _lookalikes(old, new, exact=exact)
    for was, now in twins:
        strange = ", ".join((*differing_characters(now, was), *differing_characters(was, now))) or "blanks"
        yield Change(ChangeKind.HEADER_LOOKALIKE, new.name, f"{was!r} → {now!r}: {strange}", breaking=True)
    lost = [spelling for spelling in lost if spelling not in {was for was, _ in twins}]
    gained = [spelling for spelling in gained if spelling not in {now for _, now in twins}]
    if lost:
        words = f"{', '.join(map(repr, lost))} → {', '.join(map(repr, gained)) or 'nothing'}"
        yield Change(ChangeKind.HEADER_CHANGED, new.name, words, breaking=True)
    elif gained:
        words = f"also accepted as {', '.join(map(repr, gained))}"
        yield Change(ChangeKind.HEADER_CHANGED, new.name, words, breaking=False)
    elif old.header != new.header and (old.header, new.header) not in twins:
        words = f"{old.header!r} → {new.header!r}, both accepted before and after"
        yield Change(ChangeKind.HEADER_CHANGED, new.name, words, breaking=False)
    elif set(old.locales) != set(new.locales):
        yield Change(ChangeKind.HEADER_CHANGED, new.name, "new languages of the same headers", breaking=False)


def _spellings(column: Column) -> tuple[str, ...]:
    return (column.header, *column.synonyms)


def _as_read(spelling: str, *, exact: bool) -> str:
    return spelling if exact else normalised(spelling)


def _lookalikes(old: Column, new: Column, *, exact: bool) -> list[tuple[str, str]]:
    """Return pairs of removed and added spellings that look the same but are read as two, with the main headers."""
    gone = [spelling for spelling in _spellings(old) if spelling not in _spellings(new)]
    came = [spelling for spelling in _spellings(new) if spelling not in _spellings(old)]
    pairs = [(old.header, new.header), *((was, now) for was in gone for now in came)]
    read_as_two = [pair for pair in pairs if _as_read(pair[0], exact=exact) != _as_read(pair[1], exact=exact)]
    return list(dict.fromkeys(pair for pair in read_as_two if looks_equal(*pair)))


def _cell_changes(old: CellSpec, new: CellSpec, place: str) -> Iterator[Change]:
    if old.header_optional != new.header_optional:
        words = "a file without it is now refused" if old.header_optional else "a file without it is now accepted"
        yield Change(ChangeKind.HEADER_REQUIREMENT_CHANGED, place, words, breaking=old.header_optional)
    for field in fields(old):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if before == after or field.name == "header_optional":
            continue
        grown = field.name in _MAY_GROW and bool(before) and after[: len(before)] == before
        rounded = field.name == "round_to" and before is None
        words = f"{field.name.replace('_', ' ')}: {before} → {after}"
        yield Change(ChangeKind.CELL_PARSING_CHANGED, place, words, breaking=not (grown or rounded))


def _label_changes(old: Column, new: Column, *, is_source: bool) -> Iterator[Change]:
    """Yield the values whose label changed. In a source contract, the label is the canonical value."""
    before, after = dict(old.labels), dict(new.labels)
    kept = [value for value in new.enum if value in old.enum]
    changed = [value for value in kept if before.get(value) != after.get(value)]
    if changed:
        words = ", ".join(f"{value!r}: {before.get(value)} → {after.get(value)}" for value in changed)
        yield Change(ChangeKind.LABEL_CHANGED, new.name, words, breaking=is_source)
