"""Cast text cells to typed values exactly; a row with a cell that cannot be cast is set aside."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import Values, string_bytes
from data_contracts.definition.contract import Column, CompiledContract, ReadSpec
from data_contracts.lineage import ReadResult, SetAside, concat_quarantine, quarantine_table, row_numbers
from data_contracts.values.datetimes import dates_from_text, timestamps_from_text

_DATE_FORMATS = ("yyyy-MM-dd",)
_TIMESTAMP_FORMATS = (
    "yyyy-MM-dd HH:mm:ss z",
    "yyyy-MM-dd'T'HH:mm:ssX",
    "yyyy-MM-dd'T'HH:mm:ss.SSSX",
    "yyyy-MM-dd HH:mm:ss X",
)
_WIDEST = pa.decimal128(38, 20)


def cast_columns(read: ReadResult, contract: CompiledContract) -> ReadResult:
    """Cast every column of ``read`` to its contract type; empty cells and missing tokens become null.

    A cell that is not exactly a value of its type sets its row aside under ``type:<column>`` with the raw text: an
    amount with too many decimals, a day that does not exist, a number in another locale. If several columns fail, the
    first in contract order is recorded. Columns that are not in the contract (``source_row``) are passed through.
    """
    spec = contract.read_spec or ReadSpec(format="delimited")
    text, count = read.rows, read.rows.num_rows
    aside = np.zeros(count, dtype=bool)
    groups: list[SetAside] = []
    typed: list[Values] = []
    for column in contract.columns:
        raw = _whole(text[column.name])
        values, bad = cast_text(raw, column, spec)
        typed.append(values)
        fresh = np.flatnonzero(bad & ~aside) if bad is not None else np.zeros(0, np.int64)
        if len(fresh):
            aside[fresh] = True
            groups.append(_bad_cells(text, raw, fresh, column.name))
    names = [column.name for column in contract.columns]
    others = [name for name in text.column_names if name not in names]
    rows = pa.table([*typed, *(text[name] for name in others)], names=[*names, *others])
    if groups:
        rows = rows.filter(pa.array(~aside))
    quarantined = concat_quarantine([read.quarantined, quarantine_table(read.origin, groups)])
    return replace(read, rows=rows, quarantined=quarantined)


def _whole(column: Values) -> Values:
    return column.combine_chunks()


def _bad_cells(text: pa.Table, raw: Values, rows: Values, column: str) -> SetAside:
    taken = pa.array(rows, pa.int64())
    numbers: list[int] = row_numbers(text).take(taken).to_pylist()
    return SetAside(f"type:{column}", numbers, raw.take(taken).to_pylist(), column=column)


def cast_text(raw: Values, column: Column, spec: ReadSpec) -> tuple[Values, np.ndarray[Any, Any] | None]:
    """Return the typed values of a text column and a mask of the cells that could not be cast (None if all could)."""
    text: Values = pc.utf8_trim_whitespace(raw) if column.cell.trim else raw
    missing = pc.equal(pc.binary_length(text), pa.scalar(0, pa.int32()))
    if spec.missing_tokens:
        missing = pc.or_(missing, pc.is_in(text, value_set=pa.array(spec.missing_tokens, pa.string())))
    text = pc.if_else(missing, pa.scalar(None, pa.string()), text)
    values = _caster(column.arrow_type)(text, column, spec)
    if values.null_count == text.null_count:
        return values, None
    return values, np.asarray(pc.and_(pc.is_valid(text), pc.is_null(values)))


_Caster = Callable[[Values, Column, ReadSpec], Values]


def _caster(arrow_type: pa.DataType) -> _Caster:
    for is_type, caster in _CASTERS:
        if is_type(arrow_type):
            return caster
    raise TypeError(f"no caster for {arrow_type}")


def _strings(text: Values, column: Column, _: ReadSpec) -> Values:
    return text.dictionary_encode() if pa.types.is_dictionary(column.arrow_type) else text


def _decimals(text: Values, column: Column, spec: ReadSpec) -> Values:
    arrow_type: Any = column.arrow_type
    whole_digits, places = arrow_type.precision - arrow_type.scale, arrow_type.scale
    pointed = spec.decimal_mark == "." and column.cell.round_to is None
    if pointed and _surely_decimals(text, whole_digits, places):
        return text.cast(arrow_type)
    plain = _plain_numbers(text, spec)
    decimals = r"\d{1,20}" if column.cell.round_to is not None else rf"\d{{1,{places}}}0*"
    fits = pc.match_substring_regex(plain, rf"^[+-]?(0*\d{{1,{whole_digits}}})(\.{decimals})?$")
    plain = pc.if_else(fits, plain, pa.scalar(None, pa.string()))
    if column.cell.round_to is None:
        return plain.cast(arrow_type)
    rounded = pc.round(plain.cast(_WIDEST), ndigits=column.cell.round_to, round_mode="half_to_even")
    return rounded.cast(arrow_type)


def _surely_decimals(text: Values, whole_digits: int, places: int) -> bool:
    """Return True if every text is ``-?[0-9]+([.][0-9]+)?`` within the limits; False means it is not certain.

    Looks at the bytes of all cells at once, which is much faster than matching a regular expression on each cell.
    """
    if not isinstance(text, pa.StringArray):
        return False
    codes, borders = string_bytes(text.drop_null())
    codes = codes[borders[0] : borders[-1]]
    starts, ends = borders[:-1] - borders[0], borders[1:] - borders[0]
    # A text of at most this length cannot have too many whole digits.
    if not len(codes) or (ends - starts).max() > whole_digits or (ends == starts).any():
        return False
    is_digit = (codes - np.uint8(ord("0"))) <= 9
    points = np.flatnonzero(codes == ord("."))
    signs = np.count_nonzero(codes[starts] == ord("-"))
    only_numbers = np.count_nonzero(is_digit) + len(points) + signs == len(codes) and is_digit[ends - 1].all()
    if not only_numbers or not len(points):
        return bool(only_numbers)
    if len(points) != len(starts) or (points <= starts).any() or not is_digit[points - 1].all():
        return False
    fraction = ends - points - 1
    return bool(fraction.min() >= 1 and fraction.max() <= places)


def _plain_numbers(text: Values, spec: ReadSpec) -> Values:
    """Return numbers with a decimal point and without grouping; null if they are not in the file's locale."""
    if spec.decimal_mark == "." and spec.thousands_mark is None:
        return text
    mark = re.escape(spec.decimal_mark)
    whole = r"\d+"
    if spec.thousands_mark is not None:
        # Exports use three different spaces as grouping space.
        group = r"[ \x{a0}\x{202f}]" if spec.thousands_mark.isspace() else re.escape(spec.thousands_mark)
        # Thousands never begin with a zero: 0.250 is a fraction in another number format.
        whole = rf"(?:[1-9]\d{{0,2}}(?:{group}\d{{3}})+|\d+)"
    fits = pc.match_substring_regex(text, rf"^[+-]?{whole}(?:{mark}\d+)?$")
    kept = pc.if_else(fits, text, pa.scalar(None, pa.string()))
    if spec.thousands_mark is not None:
        kept = pc.replace_substring_regex(kept, group, "")
    return pc.replace_substring(kept, spec.decimal_mark, ".")


def _integers(text: Values, column: Column, spec: ReadSpec) -> Values:
    fits = pc.match_substring_regex(_plain_numbers(text, spec), r"^[+-]?\d{1,18}$")
    plain = pc.utf8_ltrim(pc.if_else(fits, _plain_numbers(text, spec), pa.scalar(None, pa.string())), "+")
    numbers: Values = plain.cast(pa.int64())
    if pa.types.is_int32(column.arrow_type):
        fits = pc.less_equal(pc.abs(numbers), pa.scalar(2**31 - 1))
        numbers = pc.if_else(fits, numbers, pa.scalar(None, pa.int64()))
    return numbers.cast(column.arrow_type)


def _floats(text: Values, _: Column, spec: ReadSpec) -> Values:
    plain = _plain_numbers(text, spec)
    fits = pc.match_substring_regex(plain, r"^[+-]?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,3})?$")
    numbers = pc.utf8_ltrim(pc.if_else(fits, plain, pa.scalar(None, pa.string())), "+").cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def _booleans(text: Values, column: Column, _: ReadSpec) -> Values:
    folded = pc.utf8_lower(text)
    yes, no = ([value.lower() for value in words] for words in (column.cell.true_values, column.cell.false_values))
    is_yes = pc.is_in(folded, value_set=pa.array(yes, pa.string()))
    is_known = pc.or_(is_yes, pc.is_in(folded, value_set=pa.array(no, pa.string())))
    return pc.if_else(is_known, is_yes, pa.scalar(None, pa.bool_()))


def _dates(text: Values, column: Column, _: ReadSpec) -> Values:
    return dates_from_text(text, column.cell.formats or _DATE_FORMATS)


def _timestamps(text: Values, column: Column, _: ReadSpec) -> Values:
    return timestamps_from_text(text, column.cell.formats or _TIMESTAMP_FORMATS, column.cell.timezone)


_CASTERS: tuple[tuple[Callable[[Any], bool], _Caster], ...] = (
    (pa.types.is_string, _strings),
    (pa.types.is_dictionary, _strings),
    (pa.types.is_decimal, _decimals),
    (pa.types.is_integer, _integers),
    (pa.types.is_floating, _floats),
    (pa.types.is_boolean, _booleans),
    (pa.types.is_date, _dates),
    (pa.types.is_timestamp, _timestamps),
)
