"""Parse dates and times in exactly the formats that a contract declares, checked against the calendar."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import string_bytes
from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from data_contracts.arrow import Values

# A date outside these years is a typing error or in another calendar, not a business event.
FIRST_YEAR, LAST_YEAR = 1990, 2100

_PARTS = {
    "yyyy": r"(?P<year>\d{4})",
    "MM": r"(?P<month>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "dd": r"(?P<day>\d{2})",
    "d": r"(?P<day>\d{1,2})",
    "HH": r"(?P<hour>\d{2})",
    "mm": r"(?P<minute>\d{2})",
    "ss": r"(?P<second>\d{2})",
    "SSS": r"(?P<fraction>\d{1,6})",
    "X": r"(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)",
    "z": r"(?:UTC|GMT)",
}
# The parts that always have the same number of digits.
_FIXED_PARTS = {"yyyy": "year", "MM": "month", "dd": "day", "HH": "hour", "mm": "minute", "ss": "second"}
# The most common spelling of a zone, and the lengths of its other spellings.
_ZONES = {"X": ("Z", (3, 5, 6)), "z": ("UTC", (3,))}
_TOKEN = re.compile(r"'(?P<literal>[^']*)'|(?P<part>yyyy|MM|M|dd|d|HH|mm|ss|SSS|X|z)|(?P<mark>[^A-Za-z'])")
_LONGEST_OFFSET_MINUTES = 14 * 60
_MICROSECONDS = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000}


@functools.cache
def format_pattern(form: str) -> str:
    """Return the regular expression of a date format.

    Raises:
        ConfigurationRefused: the format contains unknown letters.
    """
    position, parts = 0, []
    while position < len(form):
        token = _TOKEN.match(form, position)
        if token is None:
            raise ConfigurationRefused(
                f"date format {form!r} has unknown letters at {form[position:]!r}",
                f"use {' '.join(_PARTS)}, and quotes around other text",
            )
        position = token.end()
        literal = token["literal"] if token["literal"] is not None else token["mark"]
        parts.append(_PARTS[token["part"]] if token["part"] else re.escape(literal))
    return f"^{''.join(parts)}$"


@functools.cache
def fixed_layout(form: str) -> FixedLayout | None:
    """Return the position of each part of a format, or None if its texts differ in length other than by their zone."""
    format_pattern(form)  # raises if this is not a format
    width, zone = 0, ""
    zone_widths: tuple[int, ...] = ()
    numbers: list[tuple[str, int, int]] = []
    marks: list[tuple[int, int]] = []
    for token in _TOKEN.finditer(form):
        part, literal = token["part"], token["literal"] if token["literal"] is not None else token["mark"]
        if zone:  # After a zone, no part has a fixed position.
            return None
        if part in _ZONES:
            zone, zone_widths = _ZONES[part]
            part, literal = None, zone
        if part in _FIXED_PARTS:
            numbers.append((_FIXED_PARTS[part], width, len(part)))
            width += len(part)
        elif part is None and literal.isascii():
            marks.extend((width + place, ord(mark)) for place, mark in enumerate(literal))
            width += len(literal)
        else:
            return None
    zoned_widths = tuple(width - len(zone) + zone_width for zone_width in zone_widths)
    return FixedLayout(width, tuple(numbers), tuple(marks), zoned_widths)


@dataclass(frozen=True)
class FixedLayout:
    """The length of a text, the name, position and digits of each number, and the position and code of each separator.

    A zone is included among the separators in its most common spelling; ``zoned_widths`` are the text lengths with
    another spelling.
    """

    width: int
    numbers: tuple[tuple[str, int, int], ...]
    marks: tuple[tuple[int, int], ...]
    zoned_widths: tuple[int, ...]


def dates_from_text(text: Values, formats: tuple[str, ...]) -> Values:
    """Parse dates to date32; null if no format matches, the day does not exist or the year is out of range."""
    return _by_unique_text(text, lambda unique: _first_fitting(unique, formats, _dates).cast(pa.date32()))


def timestamps_from_text(text: Values, formats: tuple[str, ...], timezone: str) -> Values:
    """Parse timestamps to UTC.

    A text without offset is local time in ``timezone``; of two possible moments the earlier is taken. The result is
    null if no format matches or the day, hour or local time does not exist (as when clocks go forward).
    """
    found: Values = pa.nulls(len(text), pa.timestamp("us", "UTC"))
    for form in formats:
        if found.null_count == text.null_count:
            break
        left = pc.if_else(pc.is_null(found), text, pa.scalar(None, text.type))
        moments: Values = _fitting(left, form, _moments)
        if "X" in form or "z" in form:
            moments = moments.cast(pa.timestamp("us", "UTC"))
        else:
            moments = _localised(moments, timezone)
        found = pc.coalesce(found, moments)
    return found


def _by_unique_text(text: Values, parse: Callable[[Values], Values]) -> Values:
    """Parse each distinct text once, because a column of dates has few distinct values."""
    encoded = text.dictionary_encode()
    return parse(encoded.dictionary).take(encoded.indices)


@dataclass(frozen=True)
class _Parts:
    """The parsed parts of texts: which texts match the format, their numbers, and their zone if there is one."""

    fits: NDArray[np.bool_]
    numbers: Mapping[str, NDArray[np.int64]]
    fraction: Values = None
    zone: Values = None

    def number(self, name: str) -> NDArray[np.int64]:
        return self.numbers.get(name, np.zeros(len(self.fits), dtype=np.int64))


def _first_fitting(text: Values, formats: tuple[str, ...], build: Callable[[_Parts], Values]) -> Values:
    found: Values = pa.nulls(len(text), pa.timestamp("us"))
    for form in formats:
        found = pc.coalesce(found, _fitting(text, form, build))
    return found


def _fitting(text: Values, form: str, build: Callable[[_Parts], Values]) -> Values:
    layout = fixed_layout(form)
    if layout is None or not isinstance(text, pa.StringArray):
        return _by_pattern(text, form, build)
    found = build(_parts_by_place(text, layout))
    has_width = pc.is_in(pc.binary_length(text), value_set=pa.array(layout.zoned_widths, pa.int32()))
    zoned_otherwise = pc.and_(pc.is_null(found), has_width)
    if not pc.any(zoned_otherwise).as_py():
        return found
    others = pc.if_else(zoned_otherwise, text, pa.scalar(None, text.type))
    return pc.coalesce(found, _by_pattern(others, form, build))


def _by_pattern(text: Values, form: str, build: Callable[[_Parts], Values]) -> Values:
    return _by_unique_text(text, lambda unique: build(_parts_by_pattern(unique, form)))


def _parts_by_place(text: Values, layout: FixedLayout) -> _Parts:
    codes, borders = string_bytes(text)
    fits = (np.diff(borders) == layout.width) & np.asarray(pc.is_valid(text))
    rows = np.flatnonzero(fits)
    starts = borders[:-1][rows]
    if len(rows) and (np.diff(starts) == layout.width).all():
        cells = codes[starts[0] : starts[-1] + layout.width].reshape(len(rows), layout.width)
    else:
        cells = codes[starts[:, None] + np.arange(layout.width)]
    sound = np.ones(len(rows), dtype=bool)
    for place, code in layout.marks:
        sound &= cells[:, place] == code
    numbers = {}
    for name, first, digits in layout.numbers:
        number = np.zeros(len(rows), dtype=np.int64)
        for place in range(first, first + digits):
            digit = cells[:, place] - np.uint8(ord("0"))
            sound &= digit <= 9
            number = number * 10 + digit
        numbers[name] = np.zeros(len(text), dtype=np.int64)
        numbers[name][rows] = number
    fits[rows] = sound
    return _Parts(fits, numbers)


def _parts_by_pattern(text: Values, form: str) -> _Parts:
    parts: Values = pc.extract_regex(text, format_pattern(form))
    fields = {field.name: pc.struct_field(parts, [field.name]) for field in parts.type}
    numbers = {
        name: np.asarray(pc.fill_null(values, "0").cast(pa.int64()))
        for name, values in fields.items()
        if name not in {"fraction", "zone"}
    }
    return _Parts(np.asarray(pc.is_valid(parts)), numbers, fields.get("fraction"), fields.get("zone"))


def _days(parts: _Parts) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    year, month, day = parts.number("year"), parts.number("month"), parts.number("day")
    fits = parts.fits & (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12)
    months = np.where(fits, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(fits, day - 1, 0)
    fits &= (day >= 1) & (days.astype("datetime64[M]") == months)
    return days, fits


def _dates(parts: _Parts) -> Values:
    days, fits = _days(parts)
    return pa.array(days.astype("datetime64[us]"), pa.timestamp("us"), mask=~fits)


def _moments(parts: _Parts) -> Values:
    days, fits = _days(parts)
    microseconds = days.astype("datetime64[us]").astype(np.int64)
    for name, limit in (("hour", 24), ("minute", 60), ("second", 60)):
        number = parts.number(name)
        fits &= number < limit
        microseconds += number * _MICROSECONDS[name]
    if parts.fraction is not None:
        padded = pc.utf8_rpad(pc.fill_null(parts.fraction, "0"), 6, "0")
        microseconds += np.asarray(padded.cast(pa.int64()))
    if parts.zone is not None:
        offset, known = _offset_minutes(parts.zone)
        fits &= known
        microseconds -= offset * _MICROSECONDS["minute"]
    return pa.array(microseconds.astype("datetime64[us]"), pa.timestamp("us"), mask=~fits)


def _offset_minutes(zone: Values) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    digits = pc.replace_substring(pc.replace_substring(pc.fill_null(zone, "Z"), "Z", "+0000"), ":", "")
    number = np.asarray(pc.utf8_ltrim(pc.utf8_rpad(digits, 5, "0"), "+").cast(pa.int64()))
    hours, minutes = np.divmod(np.abs(number), 100)
    offset = np.sign(number) * (hours * 60 + minutes)
    return offset, (minutes < 60) & (np.abs(offset) <= _LONGEST_OFFSET_MINUTES)


def _localised(moments: Values, timezone: str) -> Values:
    utc = pa.timestamp("us", "UTC")
    if timezone == "UTC":
        return moments.cast(utc)
    placed = pc.assume_timezone(moments, timezone, ambiguous="earliest", nonexistent="earliest")
    back = pc.local_timestamp(placed)
    exists = pc.equal(back, moments)
    return pc.if_else(exists, placed, pa.scalar(None, placed.type)).cast(utc)
