"""Doubts about a file: what its amounts mean, or whether it is whole, when the file itself leaves that open.

A doubt is a note on the file with a fixed beginning. It is counted with the rows of the file, and it goes into the
coverage of the seller, so that every score based on the file has a code for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from data_contracts.definition.contract import CompiledContract

DOUBT: Final = "in doubt: "


def doubt(text: str) -> str:
    """Return a note that states a doubt."""
    return DOUBT + text


def absence_doubts(headers: Collection[str], contract: CompiledContract) -> tuple[str, ...]:
    """Return the doubts about a file that lacks optional columns on which the meaning of amounts depends."""
    return tuple(
        doubt(f"the file has no column {column.header!r}: {column.cell.absence}")
        for column in contract.columns
        if column.cell.absence is not None and column.name not in headers
    )


def doubts_of(notes: Iterable[str]) -> str | None:
    """Return the doubts among the notes of a file as one text, or None if there are none."""
    return "; ".join(note.removeprefix(DOUBT) for note in notes if note.startswith(DOUBT)) or None
