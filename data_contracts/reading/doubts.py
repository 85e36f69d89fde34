"""Doubts about a file: what its amounts mean, or whether it is whole, when the file itself leaves that open.

A doubt is a note on the file with a fixed beginning. It is counted with the rows of the file, and it goes into the
coverage of the seller, so that every score based on the file has a code for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from data_contracts.definition.contract import Column, CompiledContract

DOUBT: Final = "in doubt: "


def doubt(text: str) -> str:
    """Return a note that states a doubt."""
    return DOUBT + text


def absence_doubts(headers: Collection[str], contract: CompiledContract) -> tuple[str, ...]:
    """Return the doubts about a file that lacks optional columns on which the meaning of amounts depends.

    A field of items is only missing if the file has items. Sheets are asked one by one (``sheet_doubts``).
    """
    spec = contract.read_spec
    if not headers or (spec is not None and spec.sheets):
        return ()
    lists = _item_lists(contract)
    with_items = {lists[name] for name in headers if name in lists}
    return tuple(
        doubt(f"the file has no column {column.header!r}: {column.cell.absence}")
        for column in _lacking(headers, contract)
        if column.name not in lists or lists[column.name] in with_items
    )


def sheet_doubts(headers: Collection[str], contract: CompiledContract, sheet: str) -> tuple[str, ...]:
    """Return the doubts about a sheet with rows that lacks such columns."""
    return tuple(
        doubt(f"the sheet {sheet!r} has no column {column.header!r}: {column.cell.absence}")
        for column in _lacking(headers, contract)
    )


def _lacking(headers: Collection[str], contract: CompiledContract) -> list[Column]:
    return [c for c in contract.columns if c.cell.absence is not None and c.name not in headers]


def _item_lists(contract: CompiledContract) -> dict[str, str]:
    """Return the item list of each column that is a field of items."""
    spec = contract.read_spec
    if spec is None or not (spec.item_lists or spec.item_path):
        return {}
    lists = spec.item_lists if spec.item_path is None else (spec.item_path,)
    return {c.name: first for c in contract.columns if (first := c.header.partition(".")[0]) in lists}


def doubts_of(notes: Iterable[str]) -> str | None:
    """Return the doubts among the notes of a file as one text, or None if there are none."""
    return "; ".join(note.removeprefix(DOUBT) for note in notes if note.startswith(DOUBT)) or None
