"""Dates and times from text, in the formats a contract declares: exactly those, checked against the calendar."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from data_contracts.arrow import Values

# Outside these years a date is a slip of the pen or another calendar, not a business event.
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
_TOKEN = re.compile(r"'(?P<literal>[^']*)'|(?P<part>yyyy|MM|M|dd|d|HH|mm|ss|SSS|X|z)|(?P<mark>[^A-Za-z'])")
_LONGEST_OFFSET_MINUTES = 14 * 60
_MICROSECONDS = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000}


@functools.cache
def format_pattern(form: str) -> str:
    """Gives the regular expression of a date format; ConfigurationRefused for letters it does not know."""
    position, parts = 0, []
    while position < len(form):
        token = _TOKEN.match(form, position)
        if token is None:
            raise ConfigurationRefused(
                f"date format {form!r} is not understood at {form[position:]!r}", "use the letters of the compiler"
            )
        position = token.end()
        literal = token["literal"] if token["literal"] is not None else token["mark"]
        parts.append(_PARTS[token["part"]] if token["part"] else re.escape(literal))
    return f"^{''.join(parts)}$"


def dates_from_text(text: Values, formats: tuple[str, ...]) -> Values:
    """Gives date32; null where no format fits, the day does not exist or the year is out of range."""
    return _by_unique_text(text, lambda unique: _first_fitting(unique, formats, _dates).cast(pa.date32()))


def timestamps_from_text(text: Values, formats: tuple[str, ...], timezone: str) -> Values:
    """Gives timestamps in UTC; a text without offset is local time of ``timezone``, the earlier where ambiguous.

    Null where no format fits, or the day, the hour or (when clocks go forward) the local time does not exist.
    """

    def parsed(unique: Values) -> Values:
        found: Values = pa.nulls(len(unique), pa.timestamp("us", "UTC"))
        for form in formats:
            moments: Values = _first_fitting(unique, (form,), _moments)
            if "X" in form or "z" in form:
                moments = moments.cast(pa.timestamp("us", "UTC"))
            else:
                moments = _localised(moments, timezone)
            found = pc.coalesce(found, moments)
        return found

    return _by_unique_text(text, parsed)


def _by_unique_text(text: Values, parse: Callable[[Values], Values]) -> Values:
    """Parses each different text once: a column of dates holds few."""
    encoded = text.dictionary_encode()
    return parse(encoded.dictionary).take(encoded.indices)


def _first_fitting(text: Values, formats: tuple[str, ...], build: Callable[[Values], Values]) -> Values:
    found: Values = pa.nulls(len(text), pa.timestamp("us"))
    for form in formats:
        parts = pc.extract_regex(text, format_pattern(form))
        found = pc.coalesce(found, build(parts))
    return found


def _number(parts: Values, name: str, default: int = 0) -> NDArray[np.int64]:
    if parts.type.get_field_index(name) < 0:
        return np.full(len(parts), default, dtype=np.int64)
    return np.asarray(pc.fill_null(pc.struct_field(parts, [name]), "0").cast(pa.int64()).to_numpy(zero_copy_only=False))


def _days(parts: Values) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    year, month, day = _number(parts, "year"), _number(parts, "month"), _number(parts, "day")
    fits = np.asarray(pc.is_valid(parts)) & (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12)
    months = np.where(fits, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(fits, day - 1, 0)
    fits &= (day >= 1) & (days.astype("datetime64[M]") == months)
    return days, fits


def _dates(parts: Values) -> Values:
    days, fits = _days(parts)
    return pa.array(days.astype("datetime64[us]"), pa.timestamp("us"), mask=~fits)


def _moments(parts: Values) -> Values:
    days, fits = _days(parts)
    microseconds = days.astype("datetime64[us]").astype(np.int64)
    for name, limit in (("hour", 24), ("minute", 60), ("second", 60)):
        number = _number(parts, name)
        fits &= number < limit
        microseconds += number * _MICROSECONDS[name]
    if parts.type.get_field_index("fraction") >= 0:
        padded = pc.utf8_rpad(pc.fill_null(pc.struct_field(parts, ["fraction"]), "0"), 6, "0")
        microseconds += np.asarray(padded.cast(pa.int64()))
    if parts.type.get_field_index("zone") >= 0:
        offset, known = _offset_minutes(pc.struct_field(parts, ["zone"]))
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
