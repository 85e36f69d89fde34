"""Check that the balances of a bank statement follow from its amounts.

Whoever edits, adds or removes a row of a statement has to recompute every balance after it. A chain that breaks inside
a file therefore means that its rows were edited or filtered.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from decimal import Decimal


class ChainEntry(NamedTuple):
    """An entry of an account: its day, its signed amount and the balance after it."""

    day: date
    amount: Decimal
    balance: Decimal

    @property
    def before(self) -> Decimal:
        """The balance before the entry."""
        return self.balance - self.amount


class Chain(NamedTuple):
    """What the balances of a statement show: the opening balance, or the position of the entry at which they break."""

    opening: Decimal | None
    breaks_at: int | None = None


def balance_chain(entries: Sequence[ChainEntry]) -> Chain:
    """Return the chain of the balances of a statement with at least one entry.

    Files list entries oldest or newest first. Within a day banks also use other orders, so entries of one day may be in
    any order that makes a chain.

    >>> from datetime import date
    >>> from decimal import Decimal as D
    >>> day = date(2026, 4, 10)
    >>> balance_chain([ChainEntry(day, D(5), D(105)), ChainEntry(day, D(-20), D(85))])
    Chain(opening=Decimal('100'), breaks_at=None)
    >>> balance_chain([ChainEntry(day, D(5), D(105)), ChainEntry(day, D(-20), D(95))])
    Chain(opening=None, breaks_at=1)
    """
    oldest_first, newest_first = list(entries), list(reversed(entries))
    breaks = _breaks(oldest_first), _breaks(newest_first)
    is_reversed = len(breaks[1]) < len(breaks[0])
    ordered = newest_first if is_reversed else oldest_first
    if not all(breaks):
        return Chain(ordered[0].before)
    opening = _opening_by_day(sorted(ordered, key=lambda entry: entry.day))
    if opening is not None:
        return Chain(opening)
    place = min(breaks, key=len)[0]
    return Chain(None, len(ordered) - 1 - place if is_reversed else place)


def _breaks(entries: Sequence[ChainEntry]) -> list[int]:
    pairs = pairwise(entries)
    return [place for place, (one, after) in enumerate(pairs, start=1) if one.balance != after.before]


def _opening_by_day(entries: Iterable[ChainEntry]) -> Decimal | None:
    """Return the balance from which entries in order of day make a chain, those of each day in any order, or None."""
    days = [list(group) for _, group in groupby(entries, key=lambda entry: entry.day)]
    starts = dict.fromkeys(entry.before for entry in days[0])
    return next((start for start in starts if _chains_from(start, days)), None)


def _chains_from(balance: Decimal, days: Sequence[Sequence[ChainEntry]]) -> bool:
    for day in days:
        if not _is_walk(balance, day):
            return False
        balance += sum(entry.amount for entry in day)
    return True


def _is_walk(start: Decimal, entries: Sequence[ChainEntry]) -> bool:
    """Return whether the entries, as edges from the balance before to the balance after, are one walk from a balance.

    They are if only its two ends have an edge more on one side (Euler), and all edges can be reached.
    """
    surplus = Counter(entry.before for entry in entries)
    surplus.subtract(entry.balance for entry in entries)
    surplus[start] -= 1
    surplus[start + sum(entry.amount for entry in entries)] += 1
    if any(surplus.values()):
        return False
    leaving = defaultdict(list)
    for entry in entries:
        leaving[entry.before].append(entry.balance)
    stack, length = [start], 0
    while stack:
        if leaving[stack[-1]]:
            stack.append(leaving[stack[-1]].pop())
        else:
            stack.pop()
            length += 1
    return length == len(entries) + 1
