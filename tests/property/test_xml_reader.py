"""Every record is read unchanged, and any bytes lead to rows or to a refusal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.errors import InputRefused
from data_contracts.reading.dispatch import read_xml
from tests.factories.contracts import column, contract_of
from tests.factories.files.xml_files import ceb_message, list_record, xml_file

if TYPE_CHECKING:
    from data_contracts.definition.contract import CompiledContract


def contract(*columns: tuple[str, str], **custom: object) -> CompiledContract:
    properties = [{"property": name, "value": value} for name, value in custom.items()]
    server = {"format": "xml", "encoding": "UTF-8", "customProperties": properties}
    return contract_of([column(name, header=header) for name, header in columns], server=server)


ITEMS = contract(("number", "Head.no"), ("code", "Item.code"), recordPath="Message.Order", itemPath="Items.Item")
LISTS = contract(
    ("waybill", "InventoryHead.logisticsNo"),
    ("value", "InventoryList.totalPrice"),
    recordPath="CEB603Message.Inventory",
    itemPath="InventoryList",
    ignoreNamespaces=True,
)
# What XML can hold, and what it does not change: it makes a line feed of a carriage return.
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=20
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(TEXT, st.lists(TEXT, min_size=1, max_size=4)), min_size=1, max_size=5))
def test_every_text_is_read_unchanged(orders: list[tuple[str, list[str]]]) -> None:
    records: list[Any] = [
        {"Head": {"no": number}, "Items": {"Item": [{"code": code} for code in codes]}} for number, codes in orders
    ]
    result = read_xml(xml_file("Message", {"Order": records}), ITEMS, "f.xml")
    found = [(row["number"], row["code"], row["source_row"]) for row in result.rows.to_pylist()]
    assert found == [(number, code, n) for n, (number, codes) in enumerate(orders, 1) for code in codes]


WHOLE = ceb_message("603", list_record("1", items=["1", "2"]), list_record("2"))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=8), st.integers(0, 8))
def test_a_file_changed_anywhere_is_read_or_refused(place: int, put_in: bytes, taken_out: int) -> None:
    data = WHOLE[:place] + put_in + WHOLE[place + taken_out :]
    with contextlib.suppress(InputRefused):
        read_xml(data, LISTS, "f.xml")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    with contextlib.suppress(InputRefused):
        read_xml(b"<" + data, LISTS, "f.xml")
