"""Combine the day, time and time zone columns of an export into one ISO timestamp."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.mapping.zones import utc_offset

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_FORMS = ("%m/%d/%Y", "%Y-%m-%d", "%m-%d-%Y")
_DAY_FIRST_FORMS = ("%d/%m/%Y", "%d-%m-%Y")
_TIME_FORMS = ("%H:%M:%S", "%I:%M:%S %p", "%H:%M")


def with_moments(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with ``happened_at`` filled from ``local_day``, ``local_time`` and ``zone``.

    Days are written month first or in ISO form. If one day of a file only makes sense with the day first, the file is
    from another country and none of its days can be trusted. Its text is then left unchanged, so that casting sets
    every row aside. Any other text that is not a day costs only its own row.
    """
    names = ("local_day", "local_time", "zone", "file_order")
    columns: list[list[Any]] = [text_rows[name].to_pylist() for name in names]
    days = {text: _day(text) for text in set(columns[0])}
    day_first = {text for text, day in days.items() if day is None and _parsed(text.strip(), _DAY_FIRST_FORMS)}
    foreign = {file for text, file in zip(columns[0], columns[3], strict=True) if text in day_first}
    moments = [
        " ".join((day, time, zone)).strip() if file in foreign else _moment(days[day], day, time, zone)
        for day, time, zone, file in zip(*columns, strict=True)
    ]
    return with_column(text_rows, "happened_at", pa.array(moments, pa.string()))


def _day(text: str) -> datetime.date | None:
    moment = _parsed(text.strip(), DAY_FORMS)
    return None if moment is None else moment.date()


def _moment(day: datetime.date | None, text: str, time: str, zone: str) -> str:
    clock = _parsed(time.strip(), _TIME_FORMS)
    if day is None or clock is None:
        return f"{text} {time} {zone}"
    local = datetime.datetime.combine(day, clock.time())
    offset = utc_offset(zone, local)
    return f"{text} {time} {zone}" if offset is None else f"{local.isoformat()}{offset}"


def _parsed(text: str, forms: Sequence[str]) -> datetime.datetime | None:
    for form in forms:
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            continue
    return None
