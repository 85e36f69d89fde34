from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path

HEADER = (
    "订单编号",
    "卖家公司名",
    "卖家会员名",
    "实付款(元)",
    "订单状态",
    "订单创建时间",
    "订单付款时间",
    "货品标题",
    "单价(元)",
    "数量",
)
Row = tuple[object, ...]


def first(number: str = "1234567890123456789", pieces: object = 10, **given: object) -> Row:
    """Return the first line of an order, with the order-level cells."""
    order = {"member": "lamp_factory", "paid": 106.5, "state": "交易成功"}
    order |= {"created": "2023-03-05 09:00:00", "paid_at": "2023-03-05 09:01:00"}
    return (number, "灯具厂", *(order | given).values(), "台灯", 8.5, pieces)


def further(pieces: object = 5) -> Row:
    """Return a further line of the order above, with goods only."""
    return (*(None,) * 7, "灯泡", 4.3, pieces)


def export(*rows: Row, name: str = "orders", preamble: tuple[Row, ...] = ()) -> RawFile:
    return RawFile(f"{name}.xlsx", "alibaba_1688_orders", workbook({"订单": [*preamble, HEADER, *rows]}), "S000001")


def test_lines_after_the_first_belong_to_the_same_order(tmp_path: Path) -> None:
    rows = [first(), further(), further(), first("2234567890123456789")]
    orders = ingested(tmp_path, [export(*rows)]).tables["purchase_order"]
    found = cells(orders, "order_number", "entry_type", "quantity", "amount", "currency")
    assert found == [
        ("1234567890123456789", "placed", 20, Decimal("106.5000"), "CNY"),
        ("2234567890123456789", "placed", 10, Decimal("106.5000"), "CNY"),
    ]


def test_an_export_that_repeats_the_order_on_every_line_has_the_same_orders(tmp_path: Path) -> None:
    orders = ingested(tmp_path, [export(first(), first(pieces=5))]).tables["purchase_order"]
    assert cells(orders, "quantity", "amount") == [(15, Decimal("106.5000"))]


def test_times_are_beijing_time_and_an_order_counts_from_its_payment(tmp_path: Path) -> None:
    row = first(created="2023-03-05 23:00:00", paid_at="2023-03-06 02:00:00")
    orders = ingested(tmp_path, [export(row)]).tables["purchase_order"]
    assert [str(value) for value in cells(orders, "event_date", "known_at")[0]] == [
        "2023-03-05",
        "2023-03-06 18:00:00+00:00",
    ]


def test_suppliers_are_pseudonymised_and_no_arrival_is_assumed(tmp_path: Path) -> None:
    rows = [first(), first("2234567890123456789"), first("3234567890123456789", member="other")]
    orders = ingested(tmp_path, [export(*rows)]).tables["purchase_order"]
    suppliers = cells(orders, "supplier_id")
    assert suppliers[0] == suppliers[1] != suppliers[2]
    assert "lamp" not in str(orders.to_pydict())
    assert cells(orders, "lead_time_days") == [None] * 3


def test_closed_and_unpaid_orders_are_counted_and_left_out(tmp_path: Path) -> None:
    closed = first("2234567890123456789", state="交易关闭")
    unpaid = first("3234567890123456789", state="等待买家付款", paid_at=None)
    result = ingested(tmp_path, [export(first(), closed, further(), unpaid)])
    warnings = only_account(result).warnings
    assert warnings["closed order, without the day of closing"] == 2
    assert warnings["order not paid yet"] == 1
    assert result.tables["purchase_order"].num_rows == 1


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("退款中", "order with a refund under way or paid"),
        ("退款成功", "order with a refund under way or paid"),
        ("已取消", "closed order, without the day of closing"),
        ("等待买家付款", "order not paid yet"),
    ],
)
def test_an_order_that_is_given_back_cancelled_or_waits_for_payment_is_no_purchase(
    tmp_path: Path, state: str, reason: str
) -> None:
    result = ingested(tmp_path, [export(first(state=state), first("2234567890123456789", state="等待卖家发货"))])
    assert cells(result.tables["purchase_order"], "order_number") == ["2234567890123456789"]
    assert only_account(result).warnings == {reason: 1}


def test_a_state_in_unknown_words_counts_as_placed_and_is_a_doubt(tmp_path: Path) -> None:
    result = ingested(tmp_path, [export(first(state="月亮"), further())])
    assert cells(result.tables["purchase_order"], "quantity") == [15]
    assert only_account(result).warnings == {"in doubt: status of unknown meaning, read as placed: 月亮": 1}


def test_an_order_delivered_again_after_payment_counts_from_its_payment(tmp_path: Path) -> None:
    unpaid = export(first(paid_at=None), name="a")
    result = ingested(tmp_path, [unpaid, export(first(), further(), name="b"), export(first(), name="c")])
    assert cells(result.tables["purchase_order"], "quantity") == [15]
    assert cells(result.duplicates, "reason") == ["repeated order"] * 2


def test_the_header_is_found_below_a_title(tmp_path: Path) -> None:
    result = ingested(tmp_path, [export(first(), preamble=(("1688订单",), ()))])
    assert cells(result.tables["purchase_order"], "source_row") == [4]


@pytest.mark.parametrize(
    ("rows", "rules"),
    [
        ([further()], {"order_number:required": 1}),
        ([first("2234567890123456789", member=None, paid=None)], {"order_has_first_line": 1}),
        ([first("2234567890123456789", paid="many"), further()], {"type:paid_total": 1, "order_has_first_line": 1}),
        ([first("2234567890123456789"), further("some")], {"type:pieces": 1, "group:whole": 1}),
        ([first("2234567890123456789", paid_at="2023-03-04 09:00:00")], {"paid_after_created": 1}),
    ],
)
def test_an_order_that_cannot_be_read_is_set_aside_whole(
    tmp_path: Path, rows: list[Row], rules: dict[str, int]
) -> None:
    account = only_account(ingested(tmp_path, [export(*rows, first())]))
    assert (account.accepted, account.quarantined) == (1, rules)


def test_a_workbook_without_the_paid_amount_is_refused_in_one_line(tmp_path: Path) -> None:
    data = workbook({"a": [[name for name in HEADER if name != "实付款(元)"], ["1"] * 9]})
    with pytest.raises(InputRefused, match="missing columns: '实付款\\(元\\)'") as refusal:
        ingested(tmp_path, [RawFile("a.xlsx", "alibaba_1688_orders", data, "S000001")])
    assert "\n" not in str(refusal.value)
