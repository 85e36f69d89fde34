"""Unfold the nested amounts of a transaction: breakdowns of the whole, or those of its items."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# Amounts come as JSON numbers, which some programs write with an error in the last of many digits.
_TOLERANCE = Decimal("0.005")
_STEP = Decimal("0.0001")


class NotAddingUpError(Exception):
    """A breakdown differs from the sum of its parts, or is in another currency than its transaction."""


@dataclass(frozen=True)
class Amount:
    """The smallest part of a transaction's amount.

    Attributes:
        path: types of the breakdowns that lead to it, such as ``Expenses/AmazonFees/Commission``.
        amount: in the currency of the transaction.
        sku: the item's stock-keeping unit, if it is known which item the amount is for.
        quantity: pieces of that item.
    """

    path: str
    amount: Decimal
    sku: str | None = None
    quantity: int | None = None


def amounts_of(total: Decimal, currency: str, breakdowns: str | None, items: str | None) -> list[Amount]:
    """Return the amounts of a transaction, which sum to its total.

    Args:
        total: amount of the whole transaction.
        currency: its currency.
        breakdowns: its breakdowns as JSON text.
        items: its items as JSON text, each with breakdowns of its own.

    Raises:
        NotAddingUpError: no set of breakdowns sums to the total.
    """
    listed = [item for item in _loaded(items) if isinstance(item, dict)]
    of_items = [amount for item in listed for amount in _of_item(item, currency)]
    if listed and all(_parts(item.get("breakdowns")) for item in listed) and _is_equal(of_items, total):
        return of_items
    of_whole = list(_leaves(_parts(_loaded(breakdowns)), "", currency))
    sku, quantity = _product(listed[0]) if len(listed) == 1 else (None, None)
    if not of_whole and not of_items:
        return [Amount("", total, sku, quantity)]
    if not _is_equal(of_whole, total):
        raise NotAddingUpError(f"the breakdowns sum to {sum(one.amount for one in of_whole)}, the total is {total}")
    return [Amount(one.path, one.amount, sku, quantity) for one in of_whole]


def _loaded(text: str | None) -> Any:  # noqa: ANN401 - the content is checked part by part
    return json.loads(text) if text else []


def _is_equal(amounts: list[Amount], total: Decimal) -> bool:
    return abs(sum((one.amount for one in amounts), Decimal(0)) - total) <= _TOLERANCE


def _of_item(item: dict[str, Any], currency: str) -> Iterator[Amount]:
    sku, quantity = _product(item)
    for one in _leaves(_parts(item.get("breakdowns")), "", currency):
        yield Amount(one.path, one.amount, sku, quantity)


def _product(item: dict[str, Any]) -> tuple[str | None, int | None]:
    contexts = [context for context in item.get("contexts") or [] if isinstance(context, dict)]
    found = next((context for context in contexts if context.get("contextType") == "ProductContext"), {})
    pieces = str(found.get("quantityShipped") or "")
    return found.get("sku"), int(pieces) if pieces.isdigit() and len(pieces) < 7 else None


def _parts(value: object) -> list[dict[str, Any]]:
    """Return breakdowns as a list; the vendor's example wraps the list in an object."""
    if isinstance(value, dict):
        value = value.get("breakdowns")
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _leaves(parts: list[dict[str, Any]], path: str, currency: str) -> Iterator[Amount]:
    for part in parts:
        name = f"{path}/{part.get('breakdownType') or '?'}".removeprefix("/")
        own = _money(part.get("breakdownAmount"), name, currency)
        inner = list(_leaves(_parts(part.get("breakdowns")), name, currency))
        if not inner:
            yield Amount(name, own)
        elif not _is_equal(inner, own):
            raise NotAddingUpError(f"the parts of {name} sum to {sum(one.amount for one in inner)}, not to {own}")
        else:
            yield from inner


def _money(value: object, name: str, currency: str) -> Decimal:
    given = value if isinstance(value, dict) else {}
    if given.get("currencyCode") != currency:
        raise NotAddingUpError(f"{name} is in {given.get('currencyCode')}, its transaction in {currency}")
    try:
        amount = Decimal(str(given.get("currencyAmount")))
        return amount.quantize(_STEP)
    except InvalidOperation as error:
        raise NotAddingUpError(f"{name} has the amount {given.get('currencyAmount')!r}") from error
