"""Combine the day, time and time zone columns of an export into one ISO timestamp."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.mapping.days.zones import utc_offset

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY_FORMS = ("%Y-%m-%d",)
_TIME_FORMS = ("%H:%M:%S", "%I:%M:%S %p", "%H:%M")


def with_moments(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with ``happened_at`` filled from ``local_day`` (in ISO form), ``local_time`` and ``zone``.

    Text that is not a day, a time or a known zone stays unchanged, so that casting sets its row aside.
    """
    columns: list[list[Any]] = [text_rows[name].to_pylist() for name in ("local_day", "local_time", "zone")]
    moments = [_moment(day, time, zone) for day, time, zone in zip(*columns, strict=True)]
    return with_column(text_rows, "happened_at", pa.array(moments, pa.string()))


def time_of_day(text: str) -> datetime.time | None:
    """Return the time of the day in a text, or None if it is none.

    >>> time_of_day("09:05:00 PM"), time_of_day("9 o'clock")
    (datetime.time(21, 5), None)
    """
    moment = _parsed(text.strip(), _TIME_FORMS)
    return None if moment is None else moment.time()


def _moment(day: str, time: str, zone: str) -> str:
    date, clock = _parsed(day.strip(), _DAY_FORMS), time_of_day(time)
    if date is None or clock is None:
        return f"{day} {time} {zone}"
    local = datetime.datetime.combine(date, clock)
    offset = utc_offset(zone, local)
    return f"{day} {time} {zone}" if offset is None else f"{local.isoformat()}{offset}"


def _parsed(text: str, forms: Sequence[str]) -> datetime.datetime | None:
    for form in forms:
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            continue
    return None
