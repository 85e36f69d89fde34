"""Amounts as people see them: with a currency sign, grouped digits, or a decimal comma.

Some exports write amounts for the eye. Such a cell is rewritten as a plain number if there is one way to read it.
Otherwise it stays as it is, and casting sets its row aside.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.values.number_format import file_numbers, may_differ, with_unclear_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.arrow import Values


class NumberStyle(StrEnum):
    """How a text writes numbers.

    ``point`` and ``comma`` name the decimal mark. ``cell`` is text with a decimal comma beside number cells of a
    workbook, which have a point.
    """

    POINT = "point"
    COMMA = "comma"
    CELL = "cell"


COMMA_CURRENCIES: Final = frozenset({"BRL", "IDR", "VND"})
"""Currencies of countries that write a decimal comma, also in exports with English headers."""

_DOLLARS = ["USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "TWD", "CLP", "COP", "ARS", "BRL"]
_SIGNS: Final = {
    "$": frozenset(_DOLLARS),
    "¥": frozenset({"CNY", "JPY"}),
    "£": frozenset({"GBP"}),
    "€": frozenset({"EUR"}),
    "฿": frozenset({"THB"}),
    "₫": frozenset({"VND"}),
    "₱": frozenset({"PHP"}),
    "₹": frozenset({"INR"}),
    "₩": frozenset({"KRW"}),
    "RM": frozenset({"MYR"}),
    "RP": frozenset({"IDR"}),
    "ZŁ": frozenset({"PLN"}),
    "KR": frozenset({"SEK", "NOK", "DKK"}),
    **dict.fromkeys(("US$", "USD$"), frozenset({"USD"})),
    **dict.fromkeys(("C$", "CA$"), frozenset({"CAD"})),
    **dict.fromkeys(("A$", "AU$"), frozenset({"AUD"})),
    **dict.fromkeys(("S$", "SG$"), frozenset({"SGD"})),
    "NZ$": frozenset({"NZD"}),
    "HK$": frozenset({"HKD"}),
    "MX$": frozenset({"MXN"}),
    "NT$": frozenset({"TWD"}),
    "R$": frozenset({"BRL"}),
    "CN¥": frozenset({"CNY"}),
    "JP¥": frozenset({"JPY"}),
}
_PLAIN = r"^([+-]?\d+(\.\d+)?)?$"
_SHOWN = re.compile(r"(?P<open>\()?(?P<head>[^\d.,()]*)(?P<digits>\d[\d., ']*)(?P<tail>[^\d.,()]*)(?P<close>\))?")
# Thousands never begin with a zero: 0.250 is a fraction in another number format.
_POINT_NUMBER = re.compile(r"([1-9]\d{0,2}(,\d{3})+|\d+)(\.\d+)?")
_COMMA_NUMBER = re.compile(r"([1-9]\d{0,2}(\.\d{3})+|\d+)(,\d+)?")
_SPACED_NUMBER = re.compile(r"[1-9]\d{0,2}([ ']\d{3})+([.,]\d+)?|[\d.,]+")
_ONE_GROUP = re.compile(r"\d{1,3}\.\d{3}")
_WITHOUT_CENTS: Final = frozenset({"IDR", "VND", "JPY", "KRW", "CLP"})


def with_plain_amounts(
    rows: pa.Table, columns: Sequence[str], currency: str, styles: Sequence[NumberStyle] | None = None
) -> pa.Table:
    """Return text rows in which the amounts of some columns are plain numbers.

    A currency sign or code must be that of the row's ``currency``. ``styles`` holds the number style of each row;
    without it the currency decides, as in a workbook.
    """
    codes: Any = pc.utf8_upper(pc.utf8_trim_whitespace(rows[currency]))
    chosen = [_style_of(code) for code in codes.to_pylist()] if styles is None else list(styles)
    rows, chosen = _styles_by_file(rows, columns, chosen)
    has_comma = any(style is not NumberStyle.POINT for style in chosen)
    for name in columns:
        text = pc.utf8_trim_whitespace(rows[name])
        awkward: Values = pc.invert(pc.match_substring_regex(text, _PLAIN))
        if has_comma or pc.any(awkward).as_py():
            cells: Any = zip(text.to_pylist(), codes.to_pylist(), chosen, strict=True)
            rows = with_column(rows, name, pa.array([plain_amount(*cell) for cell in cells], pa.string()))
    return rows


def _styles_by_file(
    rows: pa.Table, columns: Sequence[str], styles: list[NumberStyle]
) -> tuple[pa.Table, list[NumberStyle]]:
    """Return the rows and their styles, where a decimal point was only expected, as all cells of their file tell."""
    pointed = np.array([style is NumberStyle.POINT for style in styles], np.bool_)
    if not pointed.any() or not may_differ(rows, columns):
        return rows, styles
    digits = rows.select(["file_order"])
    for name in columns:
        only: Values = pc.replace_substring_regex(rows[name], r"^[^\d]+|[^\d]+$", "")
        digits = digits.append_column(name, only)
    numbers = file_numbers(digits, columns, columns, as_text=False)
    rows = with_unclear_cells(rows, columns, pointed & numbers.forms.is_doubtful[numbers.file_of])
    has_comma = pointed & numbers.forms.has_comma[numbers.file_of]
    return rows, [NumberStyle.COMMA if comma else style for comma, style in zip(has_comma, styles, strict=True)]


def _style_of(currency: str) -> NumberStyle:
    return NumberStyle.CELL if currency in COMMA_CURRENCIES else NumberStyle.POINT


def plain_amount(text: str, currency: str, style: NumberStyle) -> str:
    """Return an amount as a plain number, or an unreadable text if there is no single way to read it.

    >>> plain_amount("-$1,250.00", "USD", NumberStyle.POINT), plain_amount("R$ 1.250,5", "BRL", NumberStyle.CELL)
    ('-1250.00', '1250.5')
    >>> plain_amount("£5", "USD", NumberStyle.POINT)
    '£5'
    """
    shown = _SHOWN.fullmatch(unicodedata.normalize("NFKC", text).replace("−", "-").strip())
    if shown is None or (shown["open"] is None) != (shown["close"] is None):
        return text
    around = (shown["head"] + shown["tail"]).upper().replace(" ", "")
    minus = around.count("-") + (shown["open"] is not None)
    sign = around.replace("-", "").replace("+", "")
    if minus > 1 or (sign and sign != currency and currency not in _SIGNS.get(sign, ())):
        return text
    number = _plain_digits(shown["digits"].strip(), currency, style)
    return f"{text}: not in the number format of the file" if number is None else ("-" if minus else "") + number


def _plain_digits(digits: str, currency: str, style: NumberStyle) -> str | None:
    if not _SPACED_NUMBER.fullmatch(digits):  # two numbers, or a digit lost
        return None
    digits = digits.replace(" ", "").replace("'", "")
    if style is NumberStyle.POINT:
        if currency in _WITHOUT_CENTS and _ONE_GROUP.fullmatch(digits):  # three decimals of a currency that has none
            return None
        return digits.replace(",", "") if _POINT_NUMBER.fullmatch(digits) else None
    is_doubtful = style is NumberStyle.CELL and _ONE_GROUP.fullmatch(digits) and currency not in _WITHOUT_CENTS
    if is_doubtful:  # thousands in a text, or decimals in a number cell
        return None
    if _COMMA_NUMBER.fullmatch(digits):
        return digits.replace(".", "").replace(",", ".")
    is_cell = style is NumberStyle.CELL and "," not in digits and _POINT_NUMBER.fullmatch(digits)
    return digits if is_cell else None
