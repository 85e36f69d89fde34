"""Convert timestamps in words, as reports write them in the language of the account, to ISO form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from data_contracts.mapping.days.zones import utc_offset

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})(?: ?(?P<half>[ap])\.? ?m\.?)? ?(?P<zone>\S.*)"
_WORD = r"(?P<month>[^\W\d_]+)\.?"
_FORMS = tuple(
    re.compile(f"{day} {_TIME}")
    for day in (
        rf"{_WORD} (?P<day>\d{{1,2}}), (?P<year>\d{{4}}),?",
        rf"(?P<day>\d{{1,2}})\.?(?: de)? {_WORD}(?: de)? (?P<year>\d{{4}}),?",
        r"(?P<day>\d{1,2})\.(?P<number>\d{1,2})\.(?P<year>\d{4}),?",
        r"(?P<year>\d{4})/(?P<number>\d{1,2})/(?P<day>\d{1,2}),?",
    )
)


def iso_moment(text: str, months: Mapping[str, int]) -> str | None:
    """Return a timestamp as ``yyyy-MM-ddTHH:mm:ss+HH:MM``, or None if its form, month or zone is unknown.

    Whether the day exists is not checked here.

    >>> iso_moment("Jul 1, 2025 12:01:49 AM PDT", {"jul": 7})
    '2025-07-01T00:01:49-07:00'
    >>> iso_moment("01.07.2025 00:01:49 UTC", {})
    '2025-07-01T00:01:49+00:00'
    """
    plain = " ".join(text.split()).casefold()
    found = next((match for form in _FORMS if (match := form.fullmatch(plain))), None)
    if found is None:
        return None
    parts = found.groupdict()
    month = int(parts["number"]) if "number" in parts else months.get(parts["month"])
    hour = _hour(int(parts["hour"]), parts["half"])
    offset = utc_offset(parts["zone"])
    if month is None or hour is None or offset is None:
        return None
    day = f"{parts['year']}-{month:02}-{int(parts['day']):02}"
    return f"{day}T{hour:02}:{parts['minute']}:{parts['second']}{offset}"


def _hour(hour: int, half: str | None) -> int | None:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        return None
    return hour % 12 + (12 if half == "p" else 0)
