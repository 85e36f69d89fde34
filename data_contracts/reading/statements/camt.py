"""The reader of CAMT.053 account statements (ISO 20022) of any version.

A batch is one entry with the details of several transactions. If their amounts explain it, each transaction becomes a
row and the rest, mostly charges, another one. Otherwise the entry stays whole.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from data_contracts.errors import ConfigurationRefused
from data_contracts.reading.records.xml_text import XmlRecords, xml_as_utf8
from data_contracts.reading.statements.message_rows import MessageRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_contracts.definition.contract import CompiledContract
    from data_contracts.lineage import ReadResult
    from data_contracts.reading.records.xml_text import XmlRecord

_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)
# Charges taken out of a batch are a small part of it; ours.
_LARGEST_REST: Final = Decimal("0.02")
_SILENT_REFERENCES: Final = ("NOTPROVIDED", "NONREF")


def read_camt(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read the statements of a file: a heading with the balances, and the entries, as text columns.

    Raises InputRefused as the reader of XML does, and if there is no statement.
    """
    spec = contract.read_spec
    if spec is None or spec.format != "camt053":
        raise ConfigurationRefused(f"{contract.identity} is not a CAMT.053 source", "use the reader for its format")
    rows = MessageRows(contract)
    parsed = XmlRecords(replace(spec, format="xml"), file_name, lambda record: _take(record, rows))
    parsed.read(xml_as_utf8(data, spec, file_name))
    return rows.result(data, file_name)


def _take(record: XmlRecord, rows: MessageRows) -> None:
    statement = record.value
    rows.open(_heading(statement))
    for entry in _many(statement, "Ntry"):
        for row in _entry_rows(entry):
            rows.add(row)


def _heading(statement: object) -> dict[str, str]:
    balances = {_text(one, "Tp", "CdOrPrtry", "Cd"): one for one in reversed(_many(statement, "Bal"))}
    opening = next((balances[code] for code in _OPENING if code in balances), None)
    closing = next((balances[code] for code in _CLOSING if code in balances), None)
    account = _first(_text(statement, "Acct", "Id", "IBAN"), _text(statement, "Acct", "Id", "Othr", "Id"))
    stated = (_text(one, "Amt@Ccy") for one in (closing, opening, *_many(statement, "Ntry")[:1]))
    return {
        "statement_reference": _text(statement, "Id"),
        "own_account": account,
        "own_name": _first(_text(statement, "Acct", "Ownr", "Nm"), _text(statement, "Acct", "Nm")),
        "money_code": _first(_text(statement, "Acct", "Ccy"), *stated),
        "opening": _signed(opening),
        "closing": _signed(closing),
    }


def _entry_rows(entry: object) -> list[dict[str, str]]:
    details = [part for group in _many(entry, "NtryDtls") for part in _many(group, "TxDtls")]
    whole = {
        "amount": _text(entry, "Amt"),
        "side": _text(entry, "CdtDbtInd"),
        "is_reversal": _text(entry, "RvslInd"),
        "state": _first(_text(entry, "Sts", "Cd"), _text(entry, "Sts")),
        "booked_on": _day(entry, "BookgDt"),
        "valued_on": _day(entry, "ValDt"),
        "serial": _first(_text(entry, "AcctSvcrRef"), _text(entry, "NtryRef")),
        "said": _text(entry, "AddtlNtryInf"),
    }
    if len(details) < 2:
        return [whole | _detail(details[0] if details else {}, whole)]
    return _parts(entry, whole, details) or [whole]


def _parts(entry: object, whole: dict[str, str], details: list[object]) -> list[dict[str, str]]:
    """Return a row for each transaction of a batch and one for the rest, or none if they do not explain the entry."""
    currency = _text(entry, "Amt@Ccy")
    amounts = [_detail_amount(detail, currency) for detail in details]
    total = _number(whole["amount"])
    sides = [_first(_text(detail, "CdtDbtInd"), whole["side"]) for detail in details]
    if total is None:
        return []
    rest = total
    for amount, side in zip(amounts, sides, strict=True):
        if amount is None:
            return []
        rest -= amount if side == whole["side"] else -amount
    if abs(rest) > _LARGEST_REST * abs(total):
        return []
    rows = [
        whole | {"amount": str(amount), "side": side} | _detail(detail, whole | {"side": side})
        for detail, amount, side in zip(details, amounts, sides, strict=True)
    ]
    # An amount is never negative, so a rest on the other side of the entry is turned.
    turned = {"CRDT": "DBIT", "DBIT": "CRDT"}.get(whole["side"], "")
    rest_side = whole["side"] if rest > 0 else turned
    return rows if not rest else [*rows, whole | {"amount": str(abs(rest)), "side": rest_side}]


def _detail_amount(detail: object, currency: str) -> Decimal | None:
    """Return the amount of a transaction in the currency of the account, or None if it states none."""
    for path in (("Amt",), ("AmtDtls", "TxAmt", "Amt"), ("AmtDtls", "InstdAmt", "Amt")):
        amount = _number(_text(detail, *path))
        if amount is not None and _text(detail, *path[:-1], f"{path[-1]}@Ccy") == currency:
            return amount
    return None


def _detail(detail: object, entry: dict[str, str]) -> dict[str, str]:
    """Return counterparty and words of a transaction: who pays when money comes in, who is paid when it goes out."""
    party = "Dbtr" if entry["side"] == "CRDT" else "Cdtr"
    names = (
        _text(detail, "RltdPties", role, *path)
        for role in (party, f"Ultmt{party}")
        for path in (("Nm",), ("Pty", "Nm"))
    )
    end_to_end = _text(detail, "Refs", "EndToEndId")
    structured = (_text(part, "CdtrRefInf", "Ref") for part in _many(_inner(detail, "RmtInf"), "Strd"))
    words = (
        *_texts(detail, "RmtInf", "Ustrd"),
        *structured,
        "" if end_to_end in _SILENT_REFERENCES else end_to_end,
        entry.get("said", ""),
    )
    return {"who": _first(*names), "said": " ".join(dict.fromkeys(word for word in words if word))}


def _inner(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _many(value: object, name: str) -> list[Any]:
    found = _inner(value, name)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _texts(value: object, *path: str) -> Iterator[str]:
    """Yield the texts at a path; an element with attributes holds its text beside them."""
    found = _inner(value, *path)
    for one in found if isinstance(found, list) else [found]:
        text = one.get("#text") if isinstance(one, dict) else one
        if isinstance(text, str) and text.strip():
            yield " ".join(text.split())


def _text(value: object, *path: str) -> str:
    return " ".join(_texts(value, *path))


def _first(*texts: str) -> str:
    return next((text for text in texts if text), "")


def _day(entry: object, name: str) -> str:
    return _first(_text(entry, name, "Dt"), _text(entry, name, "DtTm"))[:10]


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        return None


def _signed(balance: object) -> str:
    amount = _text(balance, "Amt")
    return f"-{amount}" if amount and _text(balance, "CdtDbtInd") == "DBIT" else amount
