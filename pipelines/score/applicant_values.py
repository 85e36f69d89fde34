"""Values of applicants in Parquet files: columns are checked by type; a cell that is no value becomes null."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.contract import CellSpec, Column, ReadSpec
from data_contracts.errors import InputRefused
from data_contracts.values.casting import cast_text
from data_contracts.values.datetimes import FIRST_YEAR, LAST_YEAR

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from data_contracts.arrow import Values

DAY_FORMATS: Final = ("yyyy-MM-dd", "yyyy/M/d", "yyyy年M月d日")
"""How a day may be written as text, in every kind of file."""

_FIRST_DAY: Final = date(FIRST_YEAR, 1, 1)
_LAST_DAY: Final = date(LAST_YEAR, 12, 31)
_UNITS_A_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SECONDS_A_DAY: Final = 86_400
_NO_DAY: Final[Values] = pa.scalar(None, pa.date32())


def typed_cells(path: Path, name: str, column: Values) -> tuple[Values, Values]:
    """Return the typed values of a column of a Parquet file, and a mask of the cells that could not be read.

    Raises:
        InputRefused: the column is of a type that cannot hold such values.
    """
    plain: Values = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    given, undecodable = _decoded(plain)
    given = _missing_as_null(given)
    values = _READERS.get(name, _number)(path, name, given)
    return values, pc.or_(undecodable, pc.and_(pc.is_valid(given), pc.is_null(values)))


def _decoded(column: Values) -> tuple[Values, Values]:
    """Return a column with null for texts that are not UTF-8, and a mask of those; Parquet does not check them."""
    nothing: Values = pa.repeat(pa.scalar(value=False), len(column))
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column, nothing
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        raw: Values = pc.cast(column, pa.large_binary())
        cells: list[bytes | None] = raw.to_pylist()
        texts = [None if cell is None else _text_of(cell) for cell in cells]
        wrong = [cell is not None and text is None for cell, text in zip(cells, texts, strict=True)]
        return pa.array(texts, pa.large_string()), pa.array(wrong, pa.bool_())
    return column, nothing


def _text_of(cell: bytes) -> str | None:
    try:
        return cell.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _missing_as_null(column: Values) -> Values:
    """Replace blank text and NaN (how pandas stores a missing number) with null; an infinity is kept as an error."""
    if pa.types.is_floating(column.type):
        column = column if not pa.types.is_float16(column.type) else pc.cast(column, pa.float32())
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        blank: Values = pc.equal(pc.utf8_trim_whitespace(column), pa.scalar("", column.type))
        return pc.if_else(blank, pa.scalar(None, column.type), column)
    return column


def _wrong_type(path: Path, name: str, found: pa.DataType, wanted: str) -> InputRefused:
    return InputRefused(
        file=str(path), column=name, rule=f"the column holds {found}, not {wanted}", remedy=f"store it as {wanted}"
    )


def _text(path: Path, name: str, column: Values) -> Values:
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise _wrong_type(path, name, kind, "text")
    return pc.utf8_trim_whitespace(pc.cast(column, pa.string()))


def _day(path: Path, name: str, column: Values) -> Values:
    """Convert to dates; null for an instant that is not midnight, a text in another form, and an impossible year."""
    kind = column.type
    if pa.types.is_null(kind):
        return pc.cast(column, pa.date32())
    if pa.types.is_timestamp(kind):
        return _within_years(_midnights(column))
    if pa.types.is_date(kind):
        return _within_years(column if pa.types.is_date32(kind) else _midnights(pc.cast(column, pa.timestamp("ms"))))
    text_column = Column(name, name, pa.date32(), name, name, "confidential", cell=CellSpec(formats=DAY_FORMATS))
    return cast_text(_text(path, name, column), text_column, ReadSpec(format="delimited"))[0]


def _within_years(days: Values) -> Values:
    first, last = pa.scalar(_FIRST_DAY, pa.date32()), pa.scalar(_LAST_DAY, pa.date32())
    possible: Values = pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))
    return pc.if_else(possible, days, _NO_DAY)


def _midnights(column: Values) -> Values:
    """Return the days of instants at midnight in their own zone; null for all others.

    Instants far beyond the calendar go first, because arithmetic with them would overflow.
    """
    a_day = _SECONDS_A_DAY * _UNITS_A_SECOND[column.type.unit]
    counted: Values = column.view(pa.int64())
    # A zone moves an instant by less than a day.
    earliest = ((_FIRST_DAY - date(1970, 1, 1)).days - 1) * a_day
    latest = ((_LAST_DAY - date(1970, 1, 1)).days + 2) * a_day
    possible: Values = pc.and_(pc.greater(counted, pa.scalar(earliest)), pc.less(counted, pa.scalar(latest)))
    sound: Values = pc.if_else(possible, column, pa.scalar(None, column.type))
    local: Values = sound if column.type.tz is None else pc.local_timestamp(sound)
    at_midnight: Values = pc.equal(pc.floor_temporal(local, unit="day"), local)
    return pc.if_else(at_midnight, pc.cast(local, pa.date32(), safe=False), _NO_DAY)


def _number(path: Path, name: str, column: Values) -> Values:
    """Convert to numbers; null if missing or infinite."""
    kind = column.type
    number = pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
    if not (number or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
        raise _wrong_type(path, name, kind, "numbers")
    whole: Values = pc.cast(column, pa.int8()) if pa.types.is_boolean(kind) else column
    values: Values = pc.cast(whole, pa.float64(), safe=False)
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))


_READERS: Final[dict[str, Callable[[Path, str, Values], Values]]] = {
    "applicant_id": _text,
    "seller_id": _text,
    "as_of": _day,
}
