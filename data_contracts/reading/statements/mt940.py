"""The reader of MT940 account statements (SWIFT).

A file holds messages, each with a balance before and after its entries, also when a statement has several pages. RC is
the reversal of a credit, so money goes out; RD the reversal of a debit. Details of an entry (``:86:``) follow German,
Dutch or no rules. The parser mt-940 5.1.1 was tried on such files: it keeps the sign of RC and joins account number and
name of the counterparty, so this reader does not use it.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.reading.statements.message_rows import MessageRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_contracts.definition.contract import CompiledContract
    from data_contracts.lineage import ReadResult

_TAG: Final = re.compile(r"^:(\d{2}[A-Z]?|NS):", re.MULTILINE)
_END: Final = re.compile(r"^-\}?\s*$", re.MULTILINE)
_BALANCE: Final = re.compile(r"(?P<side>[CD])\d{6}(?P<currency>[A-Z]{3})(?P<amount>\d+,\d*)")
_ENTRY: Final = re.compile(
    r"(?P<valued>\d{6})(?P<booked>\d{4})?(?P<side>R?[CD])[A-Z]?(?P<amount>\d+,\d*)[A-Z][A-Z0-9]{3}"
    r"(?P<own>[^\n]*?)(?://(?P<bank>[^\n]*))?(?:\n(?P<more>.*))?",
    re.DOTALL,
)
_START_BYTES: Final = 4096
_SIDES: Final = {"C": "CRDT", "RD": "CRDT", "D": "DBIT", "RC": "DBIT"}
_GERMAN: Final = re.compile(r"\d{3}\?")
_GERMAN_FIELD: Final = re.compile(r"\?(\d{2})")
_GERMAN_KEY: Final = re.compile(r"(EREF|KREF|MREF|CRED|DEBT|SVWZ|ABWA|ABWE|IBAN|BIC)\+")
_KEPT_KEYS: Final = ("SVWZ", "EREF", "")
_DUTCH_KEY: Final = re.compile(r"/(EREF|MARF|CSID|CNTP|REMI|ULTD|ULTC|PURP|NAME|IBAN|BIC|TRTP|ORDP|BENM|RTRN)/")


def is_mt940(start: bytes) -> bool:
    """Return whether a file begins as MT940 messages do."""
    return all(re.search(tag, start[:_START_BYTES], re.MULTILINE) for tag in (rb"^:20:", rb"^:25:", rb"^:60[FM]:"))


def read_mt940(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read the messages of a file: a heading with the balances, and the entries, as text columns.

    An entry that has another form keeps its text as the amount, so that it is set aside.

    Raises:
        InputRefused: the file has no message.
    """
    if contract.read_spec is None or contract.read_spec.format != "mt940":
        raise ConfigurationRefused(f"{contract.identity} is not an MT940 source", "use the reader for its format")
    if not is_mt940(data):
        raise InputRefused(
            file=file_name,
            rule="its first lines are not those of an MT940 message with account and opening balance",
            remedy="export the statement as MT940",
        )
    rows = MessageRows(contract)
    for message in _messages(_decoded(data, file_name)):
        _take(message, rows)
    return rows.result(data, file_name)


def _decoded(data: bytes, file_name: str) -> str:
    if b"\0" in data:
        raise InputRefused(file=file_name, rule="NUL byte in the file", remedy="export the file as plain text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("iso-8859-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _messages(text: str) -> Iterator[list[tuple[str, str]]]:
    """Yield the messages: fields in order, each a tag and its lines; every message begins with ``:20:``."""
    message: list[tuple[str, str]] = []
    for part in _END.split(text):
        tags = list(_TAG.finditer(part))
        ends = [*(tag.start() for tag in tags[1:]), len(part)][: len(tags)]
        for tag, end in zip(tags, ends, strict=True):
            if tag[1] == "20" and message:
                yield message
                message = []
            message.append((tag[1], part[tag.end() : end].strip("\n")))
        if message:
            yield message
            message = []


def _take(message: list[tuple[str, str]], rows: MessageRows) -> None:
    fields = dict(reversed(message))
    opening, currency = _balance(fields.get("60F", fields.get("60M", "")))
    closing, _ = _balance(fields.get("62F", fields.get("62M", "")))
    rows.open(
        {
            "statement_reference": fields.get("20", "").strip(),
            "own_account": fields.get("25", "").strip(),
            "money_code": currency,
            "opening": opening,
            "closing": closing,
        }
    )
    entries: list[dict[str, str]] = []
    is_open = False
    for tag, value in message:
        if tag == "61":
            entries.append(_entry(value))
        elif tag == "86" and is_open:
            entries[-1] |= _details(value, entries[-1].get("said", ""))
        is_open = tag == "61" or (tag == "NS" and is_open)
    for entry in entries:
        rows.add(entry)


def _balance(text: str) -> tuple[str, str]:
    """Return the signed amount and the currency of a balance, or empty texts."""
    found = _BALANCE.match(text.strip())
    if found is None:
        return "", ""
    return ("-" if found["side"] == "D" else "") + _amount(found["amount"]), found["currency"]


def _amount(text: str) -> str:
    whole, _, cents = text.partition(",")
    return f"{whole}.{cents}" if cents else whole


def _entry(text: str) -> dict[str, str]:
    found = _ENTRY.fullmatch(text)
    if found is None:
        return {"amount": text, "state": "BOOK"}
    valued = _day(found["valued"])
    references = [part.strip() for part in (found["own"], found["bank"] or "")]
    return {
        "amount": _amount(found["amount"]),
        "side": _SIDES[found["side"]],
        "state": "BOOK",
        "valued_on": valued,
        "booked_on": _near(found["booked"], valued) if found["booked"] else valued,
        "serial": references[1],
        "said": " ".join(part for part in (references[0], (found["more"] or "").strip()) if part not in {"", "NONREF"}),
    }


def _day(text: str) -> str:
    return f"20{text[:2]}-{text[2:4]}-{text[4:]}"


def _near(month_day: str, valued: str) -> str:
    """Return a day without a year as the one closest to the value date; unchanged if there is none."""
    try:
        near = dt.date.fromisoformat(valued)
        days = [dt.date(near.year + turn, int(month_day[:2]), int(month_day[2:])) for turn in (-1, 0, 1)]
    except ValueError:
        return f"{valued[:4]}-{month_day[:2]}-{month_day[2:]}"
    return min(days, key=lambda day: abs((day - near).days)).isoformat()


def _details(text: str, said: str) -> dict[str, str]:
    """Return counterparty and words of the details of an entry, after the words that it has already."""
    if _GERMAN.match(text):
        who, words = _german(text.replace("\n", ""))
    elif _DUTCH_KEY.search(text):
        who, words = _dutch(text.replace("\n", ""))
    else:
        who, words = "", " ".join(text.split())
    return {"who": who, "said": " ".join(part for part in (said, words) if part)}


def _german(text: str) -> tuple[str, str]:
    """Return name and purpose; fields break words at any letter, so they are joined before anything is searched."""
    parts = _GERMAN_FIELD.split(text)
    fields = list(zip(parts[1::2], parts[2::2], strict=True))
    purpose = "".join(value for code, value in fields if "20" <= code <= "29" or "60" <= code <= "63")
    name = "".join(value for code, value in fields if code in {"32", "33"})
    posting = "".join(value for code, value in fields if code == "00")
    keyed = _GERMAN_KEY.split(purpose)
    values = zip(["", *keyed[1::2]], [keyed[0], *keyed[2::2]], strict=True)
    words = (value.strip() for key, value in values if key in _KEPT_KEYS)
    return name.strip(), " ".join(word for word in (*words, posting.strip()) if word)


def _dutch(text: str) -> tuple[str, str]:
    parts = _DUTCH_KEY.split(text)
    fields = dict(zip(parts[1::2], parts[2::2], strict=True))
    # Account, bank, name and city of the counterparty.
    parties = fields.get("CNTP", "").split("/")
    who = parties[2] if len(parties) > 2 else fields.get("NAME", "")
    words = fields.get("REMI", "").removeprefix("USTD//").strip("/")
    reference = fields.get("EREF", "").strip("/")
    return who.strip(), " ".join(part for part in (words, reference) if part not in {"", "NOTPROVIDED"})
