"""Parse days and times as Chinese banks write them: year first, with or without marks, some without leading zero."""

from __future__ import annotations

import re
from typing import Final

_MARKED_DAY: Final = r"(?P<y1>\d{4})[-/.年](?P<m1>\d{1,2})[-/.月](?P<d1>\d{1,2})日?"
_PLAIN_DAY: Final = r"(?P<y2>\d{4})(?P<m2>\d{2})(?P<d2>\d{2})"
_TIME: Final = (
    r"(?:(?P<plain>\d{5,6})|(?P<hour>\d{1,2})[:.时](?P<minute>\d{2})(?:[:.分](?P<second>\d{2})秒?)?)(?:[.:]\d{1,6})?"
)
_MOMENT: Final = re.compile(rf"(?:{_MARKED_DAY}|{_PLAIN_DAY})(?:[ T-]*{_TIME})?")
_CLOCK: Final = re.compile(_TIME)


def bank_moment(day: str, time: str = "") -> str | None:
    """Return day and time as ``yyyy-MM-dd HH:mm:ss``, midnight without a time; None if the text is no such moment.

    Args:
        day: the day, with or without the time.
        time: the time of the day, if it has its own column.

    >>> bank_moment("20260410 17:07:09"), bank_moment("2026/4/10", "83533"), bank_moment("2018-12-31-10.44.51.123456")
    ('2026-04-10 17:07:09', '2026-04-10 08:35:33', '2018-12-31 10:44:51')
    >>> bank_moment("10/04/2026")
    """
    found = _MOMENT.fullmatch(day.strip())
    if found is None:
        return None
    clock = _clock(found) if not time.strip() else _clock_of(time)
    if clock is None:
        return None
    year, month, date = (found[f"{part}1"] or found[f"{part}2"] for part in "ymd")
    return f"{year}-{int(month):02}-{int(date):02} {clock}"


def _clock_of(time: str) -> str | None:
    found = _CLOCK.fullmatch(time.strip())
    if found is not None:
        return _clock(found)
    # The column of the time may repeat the day.
    moment = _MOMENT.fullmatch(time.strip())
    return _clock(moment) if moment is not None else None


def _clock(found: re.Match[str]) -> str:
    if found["plain"]:
        digits = found["plain"].zfill(6)
        return f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"
    return f"{int(found['hour'] or 0):02}:{found['minute'] or '00'}:{found['second'] or '00'}"
