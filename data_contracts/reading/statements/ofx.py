"""The reader of OFX and QFX account statements: version 1 (SGML with unclosed leaf tags) and version 2 (XML)."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.reading.statements.message_rows import MessageRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_contracts.definition.contract import CompiledContract
    from data_contracts.lineage import ReadResult

_ELEMENT: Final = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z0-9_.]+)[^>]*>(?P<text>[^<]*)")
_ENCODING: Final = re.compile(rb"(?:ENCODING:(UTF-8|UNICODE)|encoding=[\"']([A-Za-z0-9-]+)[\"'])", re.IGNORECASE)
_STATEMENTS: Final = ("STMTRS", "CCSTMTRS")
_DAY: Final = re.compile(r"(\d{4})(\d{2})(\d{2})")
_ONE_GROUP: Final = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_START_BYTES: Final = 4096


def is_ofx(start: bytes) -> bool:
    """Return whether a file begins as OFX does."""
    return b"<OFX>" in start[:_START_BYTES].upper() or start.lstrip().upper().startswith(b"OFXHEADER")


def read_ofx(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read the statements of a file: a heading with the closing balance, and the entries, as text columns.

    OFX has no opening balance, so completeness shows only between two files.

    Raises:
        InputRefused: the file has no statement, or declares a document type or entity.
    """
    if contract.read_spec is None or contract.read_spec.format != "ofx":
        raise ConfigurationRefused(f"{contract.identity} is not an OFX source", "use the reader for its format")
    if b"<!" in data or b"\0" in data:
        raise InputRefused(
            file=file_name,
            rule="it declares a document type or has a NUL byte, which exports never need",
            remedy="export the file again as OFX",
        )
    rows = MessageRows(contract)
    for statement in _statements(_decoded(data)):
        _take(statement, rows)
    return rows.result(data, file_name)


def _decoded(data: bytes) -> str:
    found = _ENCODING.search(data[:_START_BYTES])
    declared = "utf-8" if found is None or found[1] else found[2].decode("ascii")
    try:
        return data.decode("utf-8-sig" if declared.lower() == "utf-8" else declared)
    except (UnicodeDecodeError, LookupError):
        return data.decode("cp1252", "replace")


def _statements(text: str) -> Iterator[list[tuple[str, str]]]:
    """Yield the elements of each statement in order: name and text, and ``/name`` where an entry ends."""
    elements: list[tuple[str, str]] | None = None
    for found in _ELEMENT.finditer(text):
        name = found["name"].upper()
        if name in _STATEMENTS and not found["end"]:
            elements = []
        elif name in _STATEMENTS and elements is not None:
            yield elements
            elements = None
        elif elements is not None:
            elements.append((found["end"] + name, html.unescape(" ".join(found["text"].split()))))


def _take(elements: list[tuple[str, str]], rows: MessageRows) -> None:
    entries: list[dict[str, str]] = []
    about: dict[str, str] = {}
    entry: dict[str, str] | None = None
    inside = ""
    for name, text in elements:
        if name == "STMTTRN":
            entry = {}
        elif name == "/STMTTRN" and entry is not None:
            entries.append(entry)
            entry = None
        elif name in {"LEDGERBAL", "AVAILBAL"}:
            inside = name
        elif entry is not None:
            entry.setdefault(name, text)
        else:
            about.setdefault(f"{inside}.{name}" if name == "BALAMT" else name, text)
    rows.open(
        {
            "statement_reference": " ".join(about.get(name, "")[:8] for name in ("DTSTART", "DTEND")),
            "own_account": about.get("ACCTID", ""),
            "money_code": about.get("CURDEF", ""),
            "closing": _amount(about.get("LEDGERBAL.BALAMT", "")),
        }
    )
    for one in entries:
        rows.add(_entry(one))


def _entry(entry: dict[str, str]) -> dict[str, str]:
    amount = _amount(entry.get("TRNAMT", ""))
    return {
        "amount": amount.lstrip("+-"),
        "side": "DBIT" if amount.startswith("-") else "CRDT",
        "state": "BOOK",
        "booked_on": _day(entry.get("DTPOSTED", "")),
        "valued_on": _day(entry.get("DTAVAIL", "")),
        "serial": entry.get("FITID", ""),
        "who": entry.get("NAME", "") or entry.get("PAYEE", ""),
        "said": " ".join(entry[name] for name in ("MEMO", "CHECKNUM", "TRNTYPE") if entry.get(name)),
    }


def _amount(text: str) -> str:
    """Return an amount with a decimal point; outside the US it may have a comma instead.

    Three digits behind the only comma may be thousands or decimals, so such a text stays as it is and cannot be read.

    >>> _amount("-1.234,56"), _amount("1,234.56"), _amount("12,5"), _amount("1,234")
    ('-1234.56', '1234.56', '12.5', '1,234')
    """
    if _ONE_GROUP.fullmatch(text):
        return text
    point, comma = text.rfind("."), text.rfind(",")
    if comma > point:
        return text.replace(".", "").replace(",", ".") if text.count(",") == 1 else text
    return text.replace(",", "") if comma >= 0 else text


def _day(text: str) -> str:
    found = _DAY.match(text.replace(" ", ""))
    return "-".join(found.groups()) if found else text
