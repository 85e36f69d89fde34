"""Parse time zones as exports write them: abbreviation, offset or place name."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from typing import Literal

# Hours from UTC. Ambiguous abbreviations (CST: Chicago, Beijing, Mexico) are left out.
HOURS = {
    name: hours
    for hours, names in (
        (-8, "PST"),
        (-7, "PDT MST"),
        (-6, "MDT"),
        (-5, "CDT EST"),
        (-4, "EDT"),
        (-3, "BRT"),
        (0, "UTC GMT WET Z"),
        (1, "BST CET MEZ WEST"),
        (2, "CEST MESZ EET SAST"),
        (3, "EEST TRT"),
        (4, "GST"),
        (8, "HKT SGT"),
        (9, "JST"),
        (10, "AEST"),
        (11, "AEDT"),
    )
    for name in names.split()
}
_OFFSET = re.compile(r"(?:UTC|GMT)? ?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?")


# Abbreviations that are only used in one season, each with a place that uses it. GMT, EST and MST are used all year in
# some places, so they are left out.
_SUMMER = {
    "PDT": "America/Los_Angeles",
    "MDT": "America/Denver",
    "CDT": "America/Chicago",
    "EDT": "America/New_York",
    "BST": "Europe/London",
    "CEST": "Europe/Berlin",
    "MESZ": "Europe/Berlin",
    "WEST": "Europe/Lisbon",
}
_WINTER = {"PST": "America/Los_Angeles", "CET": "Europe/Berlin", "MEZ": "Europe/Berlin"}
# Where days are usually written day first, or month first. Other zones are used with both.
_DAY_FIRST = {"GMT", "BST", "WET", "WEST", "CET", "CEST", "MEZ", "MESZ"}
_MONTH_FIRST = {"PST", "PDT", "MST", "MDT", "CDT", "EST", "EDT"}
_MONTH_FIRST_PLACES = {
    f"America/{name}" for name in ("New_York", "Chicago", "Denver", "Los_Angeles", "Phoenix", "Detroit", "Anchorage")
}


def usual_day_order(zone: str) -> Literal["day-first", "month-first"] | None:
    """Return the order of day and month that is usual where a zone is used; None if it is used with both."""
    name = zone.strip()
    if name.upper() in _DAY_FIRST or name.startswith("Europe/"):
        return "day-first"
    return "month-first" if name.upper() in _MONTH_FIRST or name in _MONTH_FIRST_PLACES else None


def wrong_season(zone: str, day: datetime.date | None, time: datetime.time | None = None) -> bool:
    """Return whether a zone that is used in one season only comes with a day of the other.

    >>> wrong_season("PDT", datetime.date(2025, 1, 4)), wrong_season("PDT", datetime.date(2025, 4, 1))
    (True, False)
    """
    name = zone.strip().upper()
    place = _SUMMER.get(name) or _WINTER.get(name)
    if place is None or day is None:
        return False
    local = datetime.datetime.combine(day, time or datetime.time(12), zoneinfo.ZoneInfo(place))
    return bool(local.dst()) != (name in _SUMMER)


def utc_offset(zone: str, local: datetime.datetime | None = None) -> str | None:
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


def _offset_of_place(name: str, local: datetime.datetime | None) -> str | None:
    if "/" not in name or local is None:
        return None
    try:
        offset = local.replace(tzinfo=zoneinfo.ZoneInfo(name)).utcoffset()
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
    return None if offset is None else _written(offset)


def _written(offset: datetime.timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
