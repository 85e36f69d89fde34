"""The spelling of headings: what two headings may differ in and still name the same column."""

from __future__ import annotations

import functools
import re
import unicodedata

# A small dotted or dotless i of Turkish must meet the plain i; İ has no single small letter in other languages.
_LETTERS = str.maketrans({"İ": "i", "ı": "i", "I": "i"})
_BLANKS = "_-‐‑‒–—―−\u00ad"
_QUOTES = '"`´‘’‚‛“”„«»‹›ʼ＇'
_SIGNS = str.maketrans({**dict.fromkeys(_BLANKS, " "), **dict.fromkeys(_QUOTES, "'")})
_AROUND_BRACKETS = re.compile(r"\s*([(\[【])\s*|\s*([)\]】])")
_OPEN, _CLOSED = str.maketrans("[【", "(("), str.maketrans("]】", "))")
_LAST_BRACKET = re.compile(r"(?P<name>.*\S) \((?P<unit>[^()]+)\)")

_UNIT_NAMES: dict[str, tuple[str, ...]] = {
    "USD": ("usd", "us$", "$", "us dollar", "us dollars", "dollar", "dollars", "美元", "美金"),
    "CNY": ("cny", "rmb", "cnh", "元", "人民币", "人民币元", "元人民币", "rmb元"),
    "EUR": ("eur", "€", "euro", "euros", "欧元"),
    "GBP": ("gbp", "£", "英镑"),
    "JPY": ("jpy", "円", "日元"),
    "HKD": ("hkd", "hk$", "港币", "港元"),
    "MYR": ("myr", "rm"),
    "SGD": ("sgd", "s$"),
    "PHP": ("php", "₱"),
    "THB": ("thb", "฿", "บาท"),
    "IDR": ("idr", "rp"),
    "VND": ("vnd", "₫", "đ"),
    "BRL": ("brl", "r$"),
    "MXN": ("mxn", "mx$"),
    "INR": ("inr", "₹", "rs", "rs."),
    "KRW": ("krw", "₩", "원"),
    "TWD": ("twd", "nt$", "新台币"),
    "AUD": ("aud", "a$"),
    "CAD": ("cad", "c$", "ca$"),
    "PLN": ("pln", "zł"),
    "SEK": ("sek",),
    "TRY": ("try", "₺", "tl"),
    "AED": ("aed",),
    "SAR": ("sar",),
    "CHF": ("chf",),
    "UTC": ("utc", "gmt", "utc+0", "gmt+0", "utc+00:00", "z"),
    "Asia/Shanghai": ("北京时间", "utc+8", "gmt+8", "utc+08:00", "gmt+08:00", "beijing time", "china time"),
    "America/Los_Angeles": ("pst", "pdt", "pst/pdt", "pacific time"),
    "America/New_York": ("est", "edt", "est/edt", "eastern time"),
    "Europe/Berlin": ("cet", "cest", "mez", "mesz"),
    "kg": ("kg", "kgs", "kilogram", "kilograms", "公斤", "千克"),
    "g": ("g", "gram", "grams", "克"),
    "lb": ("lb", "lbs", "磅"),
    "%": ("%", "percent"),
    "pieces": ("pcs", "pc", "件", "个", "piece", "pieces"),
}
_UNITS = {spelled: unit for unit, names in _UNIT_NAMES.items() for spelled in names}
ZONES = frozenset(unit for unit in _UNIT_NAMES if unit == "UTC" or "/" in unit)


def normalised(heading: str) -> str:
    """Return what decides whether two headings are equal.

    Equal are letters of any case and width, blanks, underscores and dashes, all quotes, and all spellings of a unit
    or a zone in brackets at the end. Invisible characters and a colon or asterisk at the end do not count.
    """
    text = heading.translate(_LETTERS)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_LETTERS)
        text = "".join(c for c in text if unicodedata.category(c) != "Cf" and c != "\u0307")
    text = " ".join(text.translate(_SIGNS).split()).casefold()
    while text.endswith((":", "*")):
        text = text[:-1].rstrip()
    return _with_named_unit(text) if text.endswith((")", "]", "】")) else text


def _with_named_unit(text: str) -> str:
    spaced = _AROUND_BRACKETS.sub(_bracket, text)
    found = _LAST_BRACKET.fullmatch(spaced)
    unit = _UNITS.get(found["unit"].strip()) if found else None
    return spaced if found is None or unit is None else f"{found['name']} ({unit})"


def _bracket(found: re.Match[str]) -> str:
    return f" {found[1].translate(_OPEN)}" if found[1] else found[2].translate(_CLOSED)


def without_unit(text: str) -> tuple[str, str | None]:
    """Return a normalised heading without a known unit or zone in brackets at its end, and that unit or zone."""
    found = _LAST_BRACKET.fullmatch(text) if text.endswith(")") else None
    if found is None or found["unit"] not in _UNIT_NAMES:
        return text, None
    return found["name"], found["unit"]


# The first rows of a file are compared with every contract. Only short cells are kept, and few of them.
_LONGEST_KEPT = 100
_kept = functools.lru_cache(maxsize=8_192)(normalised)


def normalised_cell(cell: str) -> str:
    """Return ``normalised`` for a cell that is probably asked for again soon."""
    return _kept(cell) if len(cell) <= _LONGEST_KEPT else normalised(cell)
