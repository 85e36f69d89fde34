"""Find the tax number of the firm that a list of invoices belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUM = "合计"


def own_numbers(text_rows: pa.Table) -> pa.Array[Any]:
    """Return, for each row, the tax number of the seller it was delivered for, or null if that is unclear.

    It is the account that the delivery names, if an invoice has it, else the one number on every invoice of the
    seller. If no number, or more than one, is on all of them, nobody can say whose invoices they are.
    """
    places = list(zip(*(text_rows[name].to_pylist() for name in ("delivered_for", "account")), strict=True))
    pairs = zip(*(text_rows[name].to_pylist() for name in ("supplier_number", "customer_number")), strict=True)
    parties: dict[tuple[str | None, str | None], list[set[str]]] = {}
    for place, pair, label in zip(places, pairs, text_rows["row_label"].to_pylist(), strict=True):
        if label != _SUM:
            numbers = {number.strip() for number in pair if number is not None and number.strip("- ")}
            parties.setdefault(place, []).append(numbers)
    own = {place: _own_number(place[1], numbers) for place, numbers in parties.items()}
    return pa.array([own.get(place) for place in places], pa.string())


def _own_number(account: str | None, invoices: Sequence[set[str]]) -> str | None:
    if account is not None and any(account in numbers for numbers in invoices):
        return account
    on_all = set.intersection(*invoices)
    return on_all.pop() if len(on_all) == 1 else None
