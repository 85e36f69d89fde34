from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.factories.raw_files import (
    RawFile,
    cells,
    ingested,
    only_account,
    shopify_file,
    shopify_line,
    shopify_order,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def shop(rows: Sequence[Mapping[str, str]], name: str = "2023", seller: str = "S000001") -> RawFile:
    path = f"shopify_orders/{seller}/{name}.csv"
    return RawFile(path, "shopify_orders", shopify_file(rows), seller, f"shop-{seller.lower()}")


def test_lines_of_an_order_become_one_row(tmp_path: Path) -> None:
    rows = [shopify_order("#1", "1000", total="20.00"), shopify_line("#1", "3"), shopify_order("#2", "1001")]
    orders = ingested(tmp_path, [shop(rows)]).tables["site_order"]
    assert cells(orders, "site_order_id", "item_count") == [("shop-s000001#1", 4), ("shop-s000001#2", 1)]
    assert cells(orders, "total_usd")[0] == Decimal("20.0000")


def test_every_raw_line_is_accounted_for(tmp_path: Path) -> None:
    rows = [
        *(shopify_order("#1", "1000"), shopify_line("#1")),
        *(shopify_order("#2", "1001", Total="twenty"), shopify_line("#2")),
        *(shopify_order("#1", "1000"), shopify_line("#1")),
        *(shopify_order("#3", "1003"), shopify_line("#3", quantity="a few"), shopify_line("#3")),
    ]
    account = only_account(ingested(tmp_path, [shop(rows)]))
    assert account.rows_in == 9
    assert account.accepted == 2
    assert account.duplicates == {"repeated order": 2}
    assert account.quarantined == {
        "type:order_total": 1,
        "order_has_first_line": 1,
        "type:line_quantity": 1,
        "group:whole": 2,
    }


def test_an_order_number_is_unique_only_within_its_shop(tmp_path: Path) -> None:
    files = [shop([shopify_order("#1", "1000")]), shop([shopify_order("#1", "2000")], seller="S000002")]
    orders = ingested(tmp_path, files).tables["site_order"]
    assert cells(orders, "site_order_id") == ["shop-s000001#1", "shop-s000002#1"]


def test_without_a_shop_an_order_number_is_unique_within_its_seller(tmp_path: Path) -> None:
    files = [
        RawFile(f"{seller}.csv", "shopify_orders", shopify_file([shopify_order("#1", "1000")]), seller)
        for seller in ("S000001", "S000002")
    ]
    orders = ingested(tmp_path, files).tables["site_order"]
    assert cells(orders, "site_order_id") == ["S000001#1", "S000002#1"]


def test_an_order_exported_again_next_year_is_a_duplicate(tmp_path: Path) -> None:
    result = ingested(tmp_path, [shop([shopify_order("#1", "1000")]), shop([shopify_order("#1", "1000")], "2024")])
    assert result.tables["site_order"].num_rows == 1
    assert cells(result.duplicates, "reason", "source_row") == [("repeated order", 2)]


def test_a_line_before_its_order_is_set_aside(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [shop([shopify_line("#1"), shopify_order("#1", "1000")])]))
    assert (account.accepted, account.quarantined) == (1, {"order_has_first_line": 1})


def test_customers_are_pseudonymised_by_mailbox(tmp_path: Path) -> None:
    rows = [
        shopify_order("#1", "1000", Email="Anna@Example.com"),
        shopify_order("#2", "1001", Email=" anna@example.com"),
        shopify_order("#3", "1002", Email="ben@example.com"),
        shopify_order("#4", "1003", Email=""),
    ]
    customers = cells(ingested(tmp_path, [shop(rows)]).tables["site_order"], "customer_id")
    assert customers[0] == customers[1] != customers[2]
    assert customers[3] is None
    assert "@" not in "".join(customer or "" for customer in customers)


def test_events_after_an_order_was_known_are_left_out(tmp_path: Path) -> None:
    late = "2023-04-20 10:00:00 -0500"
    rows = [
        shopify_order("#1", "1000", Fulfilled_at=late, Cancelled_at=late),
        shopify_order("#2", "1001", Cancelled_at="2023-03-04 10:00:00 -0500"),
    ]
    orders = ingested(tmp_path, [shop(rows)]).tables["site_order"]
    found = cells(orders, "is_fulfilled", "fulfilment_days", "is_cancelled")
    assert found == [(False, None, False), (True, 2, True)]


def test_an_order_says_its_risk_its_amounts_and_whether_it_was_fulfilled(tmp_path: Path) -> None:
    cells_of = {"Risk_Level": "High", "Refunded_Amount": "3.00", "Discount_Amount": "1.50"}
    rows = [
        shopify_order("#1", "1000", **cells_of),
        shopify_order("#2", "1001", Risk_Level="Low", Fulfillment_Status="unfulfilled", Fulfilled_at=""),
        shopify_order("#3", "1002", Fulfilled_at="2023-02-27 10:00:00 -0500", Refunded_Amount="", Discount_Amount=""),
        shopify_order("#4", "1003", Fulfilled_at=""),
    ]
    orders = ingested(tmp_path, [shop(rows)]).tables["site_order"]
    assert cells(orders, "is_high_risk", "is_fulfilled", "fulfilment_days", "is_cancelled") == [
        (True, True, 2, False),
        (False, False, None, False),
        (False, True, 0, False),
        (False, True, None, False),
    ]
    amounts = [tuple(map(float, row)) for row in cells(orders, "total_amount", "refunded_usd", "discount_usd")]
    assert amounts == [(20.0, 3.0, 1.5), (20.0, 0.0, 0.0), (20.0, 0.0, 0.0), (20.0, 0.0, 0.0)]


def test_times_and_dates_are_in_utc(tmp_path: Path) -> None:
    rows = [shopify_order("#1", "1000", Created_at="2023-03-01 23:30:00 -0500", Fulfilled_at="")]
    orders = ingested(tmp_path, [shop(rows)]).tables["site_order"]
    assert str(cells(orders, "event_at")[0]) == "2023-03-02 04:30:00+00:00"
    assert str(cells(orders, "event_date")[0]) == "2023-03-02"
    assert str(cells(orders, "known_at")[0]) == "2023-03-16 04:30:00+00:00"


def test_a_product_name_with_line_breaks_and_commas_stays_in_one_row(tmp_path: Path) -> None:
    rows = [shopify_order("#1", "1000", Lineitem_name='Lamp, "green"\nlarge'), shopify_order("#2", "1001")]
    result = ingested(tmp_path, [shop(rows)])
    assert only_account(result).accepted == 2
    assert cells(result.tables["site_order"], "source_row") == [2, 4]
