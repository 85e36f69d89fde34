"""Find whether the days of a file are written day first or month first.

``03/04/2025`` is 3 April or 4 March. The order is a property of the file, never of a single cell. It is certain if a
value is above 12, or if the days have dots or begin with the year. Otherwise each reading of all days is compared with
what else the file and its delivery say: the declared period, the order of the rows, the running balance, summer time.
The time zone says where an account is used, not how its exports write days, so it never decides alone. If both readings
survive, there is no answer.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from data_contracts.mapping.days.zones import usual_day_order, wrong_season

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

_BY_DAY = re.compile(r"(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4})")
_BY_YEAR = re.compile(r"(?P<year>\d{4})(?P<mark>[/.-])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})")
_STRONG, _SOFT = 2, 1
# Fewer days outside the period than this share may be real exceptions.
_NOTABLE_SHARE = 1 / 3


class DayOrder(StrEnum):
    """The order of day and month in the days of a file."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"

    @property
    def other(self) -> DayOrder:
        """The other order."""
        return DayOrder.MONTH_FIRST if self is DayOrder.DAY_FIRST else DayOrder.DAY_FIRST


class Readings(NamedTuple):
    """The day that a text means in each order, or None if it means none in it."""

    day_first: datetime.date | None
    month_first: datetime.date | None

    def by(self, order: DayOrder) -> datetime.date | None:
        """Return the day in one order."""
        return self.day_first if order is DayOrder.DAY_FIRST else self.month_first

    @property
    def only(self) -> DayOrder | None:
        """The only order in which the text is a day; None if both are possible or neither is."""
        if (self.day_first is None) == (self.month_first is None):
            return None
        return DayOrder.DAY_FIRST if self.day_first is not None else DayOrder.MONTH_FIRST

    @property
    def is_ambiguous(self) -> bool:
        """Whether the text is a different day in each order."""
        return self.day_first is not None and self.month_first is not None and self.day_first != self.month_first


class Movement(NamedTuple):
    """The currency of a row, the amount it moves, and the balance after it."""

    currency: str
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True)
class DayEvidence:
    """What a file and its delivery say about its days. The sequences are parallel, in the order of the rows.

    Attributes:
        days: the days as written.
        times: the time of the day, or None.
        zones: the time zone as written, or an empty text.
        movements: the movement of the balance, or None.
        period: first and last day that the delivery declares.
    """

    days: Sequence[str]
    times: Sequence[datetime.time | None]
    zones: Sequence[str]
    movements: Sequence[Movement | None]
    period: tuple[datetime.date, datetime.date]


@functools.lru_cache(maxsize=16_384)
def readings(text: str) -> Readings:
    """Return the day that a text means in each order.

    >>> readings("13/02/2025").day_first, readings("13/02/2025").month_first
    (datetime.date(2025, 2, 13), None)
    >>> readings("03.04.2025").month_first is None  # days with dots are always written day first
    True
    """
    by_year = _BY_YEAR.fullmatch(text)
    if by_year is not None:
        day = _day(by_year["year"], by_year["month"], by_year["day"])
        return Readings(day, day)
    by_day = _BY_DAY.fullmatch(text)
    if by_day is None:
        return Readings(None, None)
    year, first, second = by_day["year"], by_day["first"], by_day["second"]
    return Readings(_day(year, second, first), None if by_day["mark"] == "." else _day(year, first, second))


def _day(year: str, month: str, day: str) -> datetime.date | None:
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None


def certain_orders(days: Sequence[str]) -> dict[DayOrder, str]:
    """Return the orders that some day can only be written in, each with the first such day."""
    found: dict[DayOrder, str] = {}
    for text in days:
        order = readings(text).only
        if order is not None:
            found.setdefault(order, text)
    return found


def told_order(evidence: DayEvidence) -> DayOrder | None:
    """Return the order that the evidence about ambiguous days tells, or None if both remain possible.

    An order wins if it has strong evidence, or weak evidence that the time zone supports, and nothing but the time zone
    speaks for the other order.
    """
    votes: Counter[DayOrder] = Counter()
    for vote in (_by_period, _by_row_order, _by_balance, _by_season):
        votes.update(vote(evidence))
    zone = _by_zone(evidence)
    for order in DayOrder:
        if votes[order] and not votes[order.other] and votes[order] + zone[order] >= _STRONG:
            return order
    return None


def _by_period(evidence: DayEvidence) -> Counter[DayOrder]:
    """Return the evidence of the declared period; a day at its border may belong to another time zone."""
    first, last = evidence.period
    near = datetime.timedelta(days=1)
    ambiguous = [found for found in map(readings, evidence.days) if found.is_ambiguous]
    outside = {
        order: sum(not first - near <= (found.by(order) or first) <= last + near for found in ambiguous)
        for order in DayOrder
    }
    notable = max(min(2, len(ambiguous)), 1)
    for order in DayOrder:
        here, there = outside[order], outside[order.other]
        if here == 0 and there and (there >= notable or there >= _NOTABLE_SHARE * len(ambiguous)):
            return Counter({order: _STRONG})
        if 2 * here < there:
            return Counter({order: _SOFT})
    return Counter()


def _moments(evidence: DayEvidence, order: DayOrder) -> list[datetime.datetime | None]:
    moments = []
    for text, time in zip(evidence.days, evidence.times, strict=True):
        day = readings(text).by(order)
        moments.append(None if day is None else datetime.datetime.combine(day, time or datetime.time()))
    return moments


def _by_row_order(evidence: DayEvidence) -> Counter[DayOrder]:
    """Return the evidence of neighbouring rows: exports are sorted by time, the newest row first or last."""
    disorder = {order: _disorder(_moments(evidence, order)) for order in DayOrder}
    for order in DayOrder:
        if disorder[order] == 0 and disorder[order.other]:
            return Counter({order: _STRONG if disorder[order.other] > 1 else _SOFT})
        if 5 * disorder[order] < disorder[order.other]:
            return Counter({order: _SOFT})
    return Counter()


def _disorder(moments: Sequence[datetime.datetime | None]) -> int:
    """Count the neighbours out of order, in the direction in which there are fewer."""
    known = [moment for moment in moments if moment is not None]
    rising = sum(later > earlier for earlier, later in pairwise(known))
    falling = sum(later < earlier for earlier, later in pairwise(known))
    return min(rising, falling)


def _by_balance(evidence: DayEvidence) -> Counter[DayOrder]:
    """Return the evidence of the running balance: only in the right order does each balance follow from the last."""
    links = {order: _links(evidence, order) for order in DayOrder}
    for order in DayOrder:
        here, there = links[order], links[order.other]
        if here > there:
            return Counter({order: _STRONG if here >= there + 2 or here >= 2 * there else _SOFT})
    return Counter()


def _links(evidence: DayEvidence, order: DayOrder) -> int:
    """Count the balances that follow from the one before, with the rows sorted by time in one reading."""
    moments = _moments(evidence, order)
    rows = [
        (moment, place, movement)
        for place, (moment, movement) in enumerate(zip(moments, evidence.movements, strict=True))
        if moment is not None and movement is not None
    ]
    oldest_first = sorted(rows, key=lambda row: (row[0], row[1]))
    newest_first = sorted(rows, key=lambda row: (row[0], -row[1]))
    return max(_held([row[2] for row in in_order]) for in_order in (oldest_first, newest_first))


def _held(movements: Sequence[Movement]) -> int:
    balances: dict[str, Decimal] = {}
    held = 0
    for currency, amount, balance in movements:
        before = balances.get(currency)
        held += before is not None and before + amount == balance
        balances[currency] = balance
    return held


def _by_season(evidence: DayEvidence) -> Counter[DayOrder]:
    """Return the evidence of zones that are only used in summer, or only in winter."""
    rows = [
        (found, time, zone)
        for text, time, zone in zip(evidence.days, evidence.times, evidence.zones, strict=True)
        if (found := readings(text)).is_ambiguous
    ]
    wrong = {order: sum(wrong_season(zone, found.by(order), time) for found, time, zone in rows) for order in DayOrder}
    for order in DayOrder:
        if wrong[order] == 0 and wrong[order.other]:
            return Counter({order: _STRONG})
    return Counter()


def _by_zone(evidence: DayEvidence) -> Counter[DayOrder]:
    used = {usual_day_order(zone) for zone in set(evidence.zones) if zone.strip()}
    if len(used) != 1:
        return Counter()
    return Counter({DayOrder(order): _SOFT for order in used if order is not None})
