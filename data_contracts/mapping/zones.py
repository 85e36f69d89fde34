"""Parse time zones as exports write them: abbreviation, offset or place name."""

from __future__ import annotations

import re
import zoneinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

# Hours from UTC. Ambiguous abbreviations (CST: Chicago, Beijing, Mexico) are left out.
HOURS = {
    name: hours
    for hours, names in (
        (-8, "PST"),
        (-7, "PDT MST"),
        (-6, "MDT"),
        (-5, "CDT EST"),
        (-4, "EDT"),
        (0, "UTC GMT WET"),
        (1, "BST CET MEZ WEST"),
        (2, "CEST MESZ"),
        (8, "HKT SGT"),
        (9, "JST"),
    )
    for name in names.split()
}
_OFFSET = re.compile(r"(?:UTC|GMT)? ?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?")


def utc_offset(zone: str, local: datetime | None = None) -> str | None:
    """Return the offset of a zone as ``+HH:MM``, for a place that at the local time; None if the zone is unknown.

    >>> utc_offset("PDT"), utc_offset("GMT+2"), utc_offset("CST")
    ('-07:00', '+02:00', None)
    """
    letters = zone.strip()
    hours = HOURS.get(letters.upper())
    if hours is not None:
        return f"{'-' if hours < 0 else '+'}{abs(hours):02}:00"
    written = _OFFSET.fullmatch(letters.upper())
    if written is not None:
        return f"{written['sign']}{int(written['hours']):02}:{written['minutes'] or '00'}"
    return _offset_of_place(letters, local)


def _offset_of_place(name: str, local: datetime | None) -> str | None:
    if "/" not in name or local is None:
        return None
    try:
        offset = local.replace(tzinfo=zoneinfo.ZoneInfo(name)).utcoffset()
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
    return None if offset is None else _written(offset)


def _written(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
