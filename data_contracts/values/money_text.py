"""Amounts as people see them: with a currency sign, grouped digits, or a decimal comma.

Some exports write amounts for the eye. Such a cell is rewritten as a plain number if there is one way to read it.
Otherwise it stays as it is, and casting sets its row aside.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.arrow import Values

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
_POINT_NUMBER = re.compile(r"(\d{1,3}(,\d{3})+|\d+)(\.\d+)?")
_COMMA_NUMBER = re.compile(r"(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
_ONE_GROUP = re.compile(r"\d{1,3}\.\d{3}")
_WITHOUT_CENTS: Final = frozenset({"IDR", "VND"})


def with_plain_amounts(rows: pa.Table, columns: Sequence[str], currency: str) -> pa.Table:
    """Return text rows in which the amounts of some columns are plain numbers.

    A currency sign or code must be that of the row's ``currency``. Amounts in a currency that is written with a decimal
    comma may have one.
    """
    codes = pc.utf8_upper(pc.utf8_trim_whitespace(rows[currency]))
    has_comma: Values = pc.is_in(codes, value_set=pa.array(sorted(COMMA_CURRENCIES)))
    for name in columns:
        text = pc.utf8_trim_whitespace(rows[name])
        awkward: Values = pc.invert(pc.match_substring_regex(text, _PLAIN))
        if pc.any(pc.or_(awkward, has_comma)).as_py():
            pairs: Any = zip(text.to_pylist(), codes.to_pylist(), strict=True)
            plain = [plain_amount(cell, code) for cell, code in pairs]
            rows = with_column(rows, name, pa.array(plain, pa.string()))
    return rows


def plain_amount(text: str, currency: str) -> str:
    """Return an amount as a plain number, or the text as it is if there is no single way to read it.

    >>> plain_amount("-$1,250.00", "USD"), plain_amount("R$ 1.250,5", "BRL"), plain_amount("£5", "USD")
    ('-1250.00', '1250.5', '£5')
    """
    shown = _SHOWN.fullmatch(unicodedata.normalize("NFKC", text).replace("−", "-").strip())
    if shown is None or (shown["open"] is None) != (shown["close"] is None):
        return text
    around = (shown["head"] + shown["tail"]).upper().replace(" ", "")
    minus = around.count("-") + (shown["open"] is not None)
    sign = around.replace("-", "").replace("+", "")
    if minus > 1 or (sign and sign != currency and currency not in _SIGNS.get(sign, ())):
        return text
    digits = shown["digits"].replace(" ", "").replace("'", "")
    number = _comma_number(digits, currency) if currency in COMMA_CURRENCIES else _point_number(digits)
    return text if number is None else ("-" if minus else "") + number


def _point_number(digits: str) -> str | None:
    return digits.replace(",", "") if _POINT_NUMBER.fullmatch(digits) else None


def _comma_number(digits: str, currency: str) -> str | None:
    """Return the number in digits with a decimal comma, or in those of a number cell, which has a point."""
    if _ONE_GROUP.fullmatch(digits) and currency not in _WITHOUT_CENTS:
        return f"{digits}: thousands or decimals"
    if _COMMA_NUMBER.fullmatch(digits):
        return digits.replace(".", "").replace(",", ".")
    return _point_number(digits) if "," not in digits else None
