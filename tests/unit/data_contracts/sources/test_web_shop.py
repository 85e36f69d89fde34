from __future__ import annotations

import io
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import InputRefused
from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import RawFile, cells, csv_file, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country,Currency"
DAY = "2023-03-01 10:00:00"


def line(number: str, code: str = "85048", **given: str) -> str:
    row = {"quantity": "2", "at": DAY, "price": "6.95", "customer": "13085", "country": "Germany", "money": "GBP"}
    row |= given
    values = (number, code, '"Lamp, green"', *(row[name] for name in row))
    return ",".join(values)


def shop(rows: Sequence[str], name: str = "2023", seller: str = "S000001") -> RawFile:
    return RawFile(f"{seller}/{name}.csv", "web_shop_orders", csv_file(HEADER, rows), seller, f"shop-{seller}")


def test_lines_of_an_order_become_one_row_whose_total_includes_postage_but_whose_quantity_does_not(
    tmp_path: Path,
) -> None:
    rows = [line("1"), line("1", "21232", quantity="3", price="1.10"), line("1", "POST", quantity="1", price="4.00")]
    orders = ingested(tmp_path, [shop(rows)]).tables["site_order"]
    assert cells(orders, "site_order_id", "total_amount", "item_count", "destination_country", "financial_status") == [
        ("S000001:shop-S000001:1", Decimal("21.2000"), 5, "DE", "paid")
    ]


def test_a_credit_note_cancels_its_amount_on_its_own_date(tmp_path: Path) -> None:
    rows = [line("1"), line("C2", quantity="-1", at="2023-04-01 10:00:00"), line("C2", "D", quantity="-1", price="0.5")]
    orders = ingested(tmp_path, [shop(rows)]).tables["site_order"]
    found = cells(orders, "is_cancelled", "total_amount", "refunded_amount", "discount_usd", "item_count")
    assert found[0][:3] == (False, Decimal("13.9000"), 0)
    assert found[1][:3] == (True, 0, Decimal("6.9500"))
    assert found[1][3] > 0
    assert found[1][4] == 0


def test_customer_numbers_are_separate_for_each_shop_and_may_be_missing(tmp_path: Path) -> None:
    files = [
        shop([line("1"), line("2", customer="13085.0"), line("3", customer="")]),
        shop([line("1")], seller="S000002"),
    ]
    customers = cells(ingested(tmp_path, files).tables["site_order"], "customer_id")
    assert customers[0] == customers[1] != customers[3]
    assert customers[2] is None
    assert "13085" not in str(customers)


def test_lines_that_are_not_orders_are_counted_by_reason(tmp_path: Path) -> None:
    rows = [
        line("1"),
        line("A3", "B", quantity="1", price="-53594.36", customer=""),
        line("C4", "AMAZONFEE", quantity="-1", price="90.00", customer=""),
        line("5", "TEST001", price="4.5"),
        line("6", quantity="-96", price="0.0", customer=""),
        line("7", quantity="5", price="0", customer="12345"),
    ]
    result = ingested(tmp_path, [shop(rows)])
    account = only_account(result)
    assert account.accepted == 6
    assert account.warnings["fee, correction or test, no order line"] == 3
    assert account.warnings["correction of stock, no order"] == 1
    assert cells(result.tables["site_order"], "total_amount") == [Decimal("13.9000"), 0]


@pytest.mark.parametrize(
    ("written", "code"),
    [("EIRE", "IE"), ("united kingdom", "GB"), ("RSA", "ZA"), ("FR", "FR"), ("Channel Islands", None), ("", None)],
)
def test_country_names_become_codes_and_ambiguous_names_are_missing(
    tmp_path: Path, written: str, code: str | None
) -> None:
    orders = ingested(tmp_path, [shop([line("1", country=written)])]).tables["site_order"]
    assert cells(orders, "destination_country") == [code]


def test_an_order_repeated_in_a_later_file_is_a_duplicate_but_equal_lines_of_one_order_are_not(tmp_path: Path) -> None:
    result = ingested(tmp_path, [shop([line("1"), line("1")]), shop([line("1"), line("1"), line("2")], "2024")])
    assert cells(result.tables["site_order"], "total_amount") == [Decimal("27.8000"), Decimal("13.9000")]
    assert cells(result.duplicates, "reason", "source_row") == [("repeated order", 2), ("repeated order", 3)]


def test_an_order_with_other_lines_in_a_later_file_is_a_new_version(tmp_path: Path) -> None:
    orders = ingested(tmp_path, [shop([line("1"), line("1")]), shop([line("1")], "2024")]).tables["site_order"]
    assert cells(orders, "row_version", "total_amount") == [(1, Decimal("27.8000")), (2, Decimal("13.9000"))]


@pytest.mark.parametrize(
    ("bad", "rules"),
    [
        ({"quantity": "two"}, {"type:line_quantity": 1, "group:whole": 1}),
        ({"price": "6,95"}, {"line:width": 1}),
        ({"at": "2023-02-30 10:00:00"}, {"type:ordered_at": 1, "group:whole": 1}),
        ({"money": "EUR"}, {"one_currency": 2}),
        ({"customer": "999"}, {"one_customer": 2}),
        ({"money": ""}, {"money_code:required": 1, "group:whole": 1}),
    ],
)
def test_an_order_with_a_bad_line_is_set_aside_whole(
    tmp_path: Path, bad: dict[str, str], rules: dict[str, int]
) -> None:
    account = only_account(ingested(tmp_path, [shop([line("1"), line("1", **bad), line("2")])]))
    assert account.quarantined == rules
    assert account.accepted == 3 - sum(rules.values())


def test_a_list_without_a_currency_is_refused_in_one_line(tmp_path: Path) -> None:
    header, rows = HEADER.removesuffix(",Currency"), [line("1").removesuffix(",GBP")]
    with pytest.raises(InputRefused, match="missing columns: 'Currency'") as refusal:
        ingested(tmp_path, [RawFile("f.csv", "web_shop_orders", csv_file(header, rows), "S000001")])
    assert "\n" not in str(refusal.value)


def test_parquet_and_workbooks_have_the_same_orders_as_text(tmp_path: Path) -> None:
    names = HEADER.split(",")
    values = ["1", "85048", "Lamp", 2, DAY, 6.95, 13085.0, "Germany", "GBP"]
    parquet = io.BytesIO()
    pq.write_table(pa.table({name: [value] for name, value in zip(names, values, strict=True)}), parquet)
    forms = {
        "text": csv_file(HEADER, [line("1")]),
        "parquet": parquet.getvalue(),
        "xlsx": workbook({"a": [names, values]}),
    }
    found = {
        form: cells(
            ingested(tmp_path / form, [RawFile("f", "web_shop_orders", data, "S1", "shop")]).tables["site_order"],
            *("site_order_id", "customer_id", "total_amount", "event_at"),
        )
        for form, data in forms.items()
    }
    assert found["parquet"] == found["xlsx"] == found["text"]
