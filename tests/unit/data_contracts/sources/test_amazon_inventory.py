from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OLDER = (
    "inv-age-0-to-90-days",
    "inv-age-91-to-180-days",
    "inv-age-181-to-270-days",
    "inv-age-271-to-365-days",
    "inv-age-365-plus-days",
)
NEWER = (
    "inv-age-0-to-30-days",
    "inv-age-31-to-60-days",
    "inv-age-61-to-90-days",
    "inv-age-91-to-180-days",
    "inv-age-181-to-330-days",
    "inv-age-331-to-365-days",
    "inv-age-366-to-455-days",
    "inv-age-456-plus-days",
)
AGES = ("aged_0_90", "aged_91_180", "aged_181_270", "aged_271_365", "aged_over_365")


def product(sku: str = "LAMP-1", **given: str) -> dict[str, str]:
    row = {
        "snapshot-date": "2023-03-05",
        "sku": sku,
        "asin": "B000000001",
        "condition": "New",
        "available": "100",
        "reserved-quantity": "10",
        "unfulfillable-quantity": "5",
        "inbound-quantity": "40",
        "units-shipped-t30": "60",
        "currency": "USD",
        "your-price": "19.99",
    }
    return row | {name.replace("_", "-"): value for name, value in given.items()}


def report(*rows: Mapping[str, str], name: str = "stock") -> RawFile:
    header = list(rows[0])
    lines = ["\t".join(header), *("\t".join(row[name] for name in header) for row in rows)]
    return RawFile(f"{name}.txt", "amazon_inventory_planning", ("\n".join(lines) + "\n").encode(), "S000001", "us")


def test_a_product_counts_the_stock_in_the_warehouses_of_the_platform(tmp_path: Path) -> None:
    stock = ingested(tmp_path, [report(product(), product("LAMP-2", available="0"))]).tables["inventory_snapshot"]
    names = ("sku_group", "on_hand_quantity", "inbound_quantity", "sold_30d_quantity", "stocked_out_sku_count")
    assert cells(stock, *names) == [("LAMP-1:New", 115, 40, 60, 0), ("LAMP-2:New", 15, 40, 60, 1)]
    assert set(cells(stock, "warehouse_kind", "is_platform_bound")) == {("platform", True)}


def test_headers_of_newer_reports_are_known(tmp_path: Path) -> None:
    names = {"sku": "seller-sku", "reserved-quantity": "Total Reserved Quantity"}
    row = {names.get(name, name): value for name, value in product().items()}
    stock = ingested(tmp_path, [report(row)]).tables["inventory_snapshot"]
    assert cells(stock, "sku_group", "reserved_quantity") == [("LAMP-1:New", 10)]


def test_the_cost_of_goods_is_unknown(tmp_path: Path) -> None:
    stock = ingested(tmp_path, [report(product())]).tables["inventory_snapshot"]
    assert cells(stock, "stock_value", "stock_value_usd") == [(None, None)]


@pytest.mark.parametrize(
    ("ages", "counts", "expected"),
    [
        (OLDER, (50, 20, 15, 10, 5), (50, 20, 15, 10, 5)),
        (NEWER, (20, 20, 10, 20, 20, 5, 3, 2), (50, 20, None, None, 5)),
        ((), (), (None,) * 5),
    ],
)
def test_ages_are_read_in_both_layouts_and_are_missing_if_they_cannot_be_split(
    tmp_path: Path, ages: tuple[str, ...], counts: tuple[int, ...], expected: tuple[int | None, ...]
) -> None:
    row = product() | dict(zip(ages, map(str, counts), strict=True))
    stock = ingested(tmp_path, [report(row)]).tables["inventory_snapshot"]
    assert cells(stock, *(f"{age}_days_quantity" for age in AGES)) == [expected]


def test_a_product_in_two_marketplaces_counts_in_both_and_a_second_delivery_counts_once(tmp_path: Path) -> None:
    rows = [product(marketplace="US"), product(marketplace="UK")]
    result = ingested(tmp_path, [report(*rows), report(rows[0], name="stock_again")])
    assert cells(result.tables["inventory_snapshot"], "country") == ["US", "GB"]
    assert cells(result.duplicates, "reason", "source_row") == [("repeated count", 2)]


@pytest.mark.parametrize(
    ("given", "rule_id"),
    [
        ({"available": "-1"}, "available:range"),
        ({"available": "1.5"}, "type:available"),
        ({"available": ""}, "available:required"),
        ({"snapshot_date": "03/05/2023"}, "type:counted_on"),
        ({"currency": "dollar"}, "money_code:pattern"),
        ({"inv_age_365_plus_days": "116"}, "ages_within_stock"),
    ],
)
def test_an_impossible_count_is_quarantined(tmp_path: Path, given: dict[str, str], rule_id: str) -> None:
    good = product("LAMP-2", inv_age_365_plus_days="5")
    bad = product(inv_age_365_plus_days="5") | {name.replace("_", "-"): value for name, value in given.items()}
    account = only_account(ingested(tmp_path, [report(good, bad)]))
    assert (account.accepted, account.quarantined) == (1, {rule_id: 1})


def test_a_report_without_the_available_quantity_is_refused_in_one_line(tmp_path: Path) -> None:
    row = {name: value for name, value in product().items() if name != "available"}
    with pytest.raises(InputRefused, match="missing columns: 'available'") as refusal:
        ingested(tmp_path, [report(row)])
    assert "\n" not in str(refusal.value)
