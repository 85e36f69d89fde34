"""Recover days from timestamps that are midnight in another time zone.

A program that stores days as timestamps and exports them in another zone turns a day into an hour of the day before or
after. All timestamps of such a file have the same time of day, or two times one hour apart if clocks change; the
nearest midnight is the day. If the times of a file differ otherwise, they are real times, and their own date counts.
"""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MOMENT = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,6})?)?)?\s*(Z|[+-]\d{2}:?\d{2})?"
)
_NAMED_MONTH = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[A-Za-z]*[- ,]+(\d{4})")
_PLAIN = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NOON = datetime.time(12)
_CHINA = datetime.timezone(datetime.timedelta(hours=8))


def iso_days(texts: Sequence[str], files: Sequence[int]) -> list[str]:
    """Return each text as an ISO day, based on all timestamps of its file; text that is not a day stays unchanged."""
    moments = {text: _moment(text) for text in set(texts)}
    times: dict[int, set[int]] = {}
    for text, file in zip(texts, files, strict=True):
        moment = moments[text]
        if moment is not None and ":" in text:
            times.setdefault(file, set()).add(moment.hour * 60 + moment.minute)
    shifted = {file for file, found in times.items() if _are_midnight_elsewhere(found)}
    return [_day(text, moments, is_shifted=file in shifted) for text, file in zip(texts, files, strict=True)]


def _are_midnight_elsewhere(minutes: Iterable[int]) -> bool:
    """Return whether these minutes of the day are one time on a quarter of an hour, or two times one hour apart."""
    found = sorted(minutes)
    same = len(found) == 1 or (len(found) == 2 and found[1] - found[0] in {60, 1380})
    return same and found[0] % 15 == 0 and found != [0]


def _day(text: str, moments: Mapping[str, datetime.datetime | None], *, is_shifted: bool) -> str:
    moment = moments[text]
    if moment is None:
        return text
    if is_shifted and ":" in text:
        later = datetime.timedelta(days=1) if moment.time() >= _NOON else datetime.timedelta()
        return (moment.date() + later).isoformat()
    return (moment.astimezone(_CHINA) if moment.tzinfo else moment).date().isoformat()


def _moment(text: str) -> datetime.datetime | None:
    """Return the timestamp in a text, in UTC if it has an offset, else without zone; None if there is none."""
    stripped = text.strip()
    written, named, plain = (form.fullmatch(stripped) for form in (_MOMENT, _NAMED_MONTH, _PLAIN))
    try:
        if written:
            year, month, day, hour, minute, second = (int(part or 0) for part in written.groups()[:6])
            moment = datetime.datetime(year, month, day, hour, minute, second)
            return moment if written[7] is None else _in_utc(moment, written[7])
        if named:
            return datetime.datetime(int(named[3]), _MONTHS.index(named[2].lower()) + 1, int(named[1]))
        if plain:
            return datetime.datetime(int(plain[1]), int(plain[2]), int(plain[3]))
    except ValueError:
        return None
    return None


def _in_utc(moment: datetime.datetime, offset: str) -> datetime.datetime:
    digits = "+0000" if offset == "Z" else offset.replace(":", "")
    ahead = datetime.timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5]))
    return (moment - ahead if digits[0] == "+" else moment + ahead).replace(tzinfo=datetime.UTC)
