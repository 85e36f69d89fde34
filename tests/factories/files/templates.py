"""Small files in the project's own templates, made from the contracts themselves."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.definition.compiler import source_contract
from data_contracts.definition.templates import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from data_contracts.definition.contract import Column

SELLER = "S000001"
# What the contract's types and values alone do not tell: words of a form, and columns that hang together.
_WORDS = {"currency": "CNY", "commodity_code": "85122010", "hs6": "851220"}
_CELLS: dict[str, dict[str, str]] = {
    # Every row is the first of its account, so a stated balance would not follow from the row before.
    "bank_entry": {"counterparty_kind": "platform_payout", "balance_after": ""},
    "inventory_snapshot": {"on_hand_quantity": "35"},
    "logistics_event": {"milestone": "delivered"},
    "purchase_order": {"entry_type": "received", "supplier_id": "V1"},
    "receivable": {"entry_type": "collected"},
    "insurance": {"entry_type": "paid"},
    "public_record": {"record_kind": "tax_grade", "grade": "A"},
    "certificate": {"entry_type": "granted"},
    "export_declaration": {"supervision_mode": "9710"},
    "export_document": {"is_withdrawn": "no"},
    "site_order": {"refunded_amount": "0"},
    "trade_invoice": {"net_amount": "100.00", "tax_amount": "13.00", "gross_amount": "113.00", "is_credit_note": "no"},
    "party": {"party_type": "company"},
    "party_link": {"link_type": "owner", "from_party_reference": "P1", "to_party_reference": "P2", "amount_usd": ""},
    "repayment": {"entry_type": "paid"},
}


def template_row(table: str, identifier: str = "R1", **cells: str) -> dict[str, str]:
    """Return one row that satisfies every rule of a table's template, with every column filled in."""
    contract = source_contract(f"{PREFIX}{table}")
    row = {column.header: _cell(column) for column in contract.columns}
    row |= {name: identifier for name in contract.primary_key if name != "seller_id"}
    return row | _CELLS.get(table, {}) | cells


def template_csv(rows: Sequence[Mapping[str, str]], header: Iterable[str] | None = None) -> bytes:
    """Return a delimited file of such rows, quoted where needed."""
    names = list(header or rows[0])
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([row.get(name, "") for name in names] for row in rows)
    return text.getvalue().encode()


def _cell(column: Column) -> str:
    if column.enum:
        return column.enum[0]
    known = _WORDS | {"seller_id": SELLER}
    return (
        known.get(column.name) or next(cell for fits, cell in _CELL_OF_TYPE if fits(column.arrow_type)) or _text(column)
    )


def _text(column: Column) -> str:
    return "DE" if "country" in column.name or column.name == "market" else column.name


_CELL_OF_TYPE: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_date, "2023-03-05"),
    (pa.types.is_timestamp, "2023-03-06T08:30:00Z"),
    (pa.types.is_boolean, "yes"),
    (pa.types.is_string, ""),
    (pa.types.is_dictionary, ""),
    (lambda _: True, "7"),
)
