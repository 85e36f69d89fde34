from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from data_contracts.sources.customs_declaration.mapping import country_codes
from tests.factories.raw_files import (
    RawFile,
    cells,
    declaration,
    declaration_item,
    declarations_file,
    ingested,
    only_account,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

FIRST, SECOND = "222520230000000001", "222520230000000002"


def customs(declarations: Sequence[Mapping[str, Any]], name: str = "2023") -> RawFile:
    data = declarations_file(declarations)
    return RawFile(f"customs_declaration/S000001/{name}.json", "customs_declaration", data, "S000001")


def test_each_item_of_a_declaration_is_a_row(tmp_path: Path) -> None:
    one = declaration(FIRST, [declaration_item("1"), declaration_item("2", declTotal="99.5")])
    table = ingested(tmp_path, [customs([one])]).tables["export_declaration"]
    assert cells(table, "declaration_item_id", "declared_amount") == [
        (f"{FIRST}:1", Decimal("1500.0000")),
        (f"{FIRST}:2", Decimal("99.5000")),
    ]


def test_tariff_codes_stay_text_with_their_leading_zeros(tmp_path: Path) -> None:
    table = ingested(tmp_path, [customs([declaration(FIRST, [declaration_item("1")])])]).tables["export_declaration"]
    assert cells(table, "commodity_code", "hs6") == [("0901210000", "090121")]


@pytest.mark.parametrize("name", ["TO ORDER", "To  Order", "TO ORDER OF HSBC", "TO THE ORDER", "ORDER", ""])
def test_goods_to_order_have_no_consignee(tmp_path: Path, name: str) -> None:
    rows = [declaration(FIRST, [declaration_item("1")], consigneeEname=name)]
    assert cells(ingested(tmp_path, [customs(rows)]).tables["export_declaration"], "consignee_id") == [None]


def test_every_spelling_of_a_consignee_has_the_same_pseudonym(tmp_path: Path) -> None:
    names = ["Lamp House Ltd.", "LAMP HOUSE LTD", "lamp  house, ltd", "Order Desk Inc"]
    rows = [declaration(str(int(FIRST) + n), [declaration_item("1")], consigneeEname=x) for n, x in enumerate(names)]
    found = cells(ingested(tmp_path, [customs(rows)]).tables["export_declaration"], "consignee_id")
    assert found[0] == found[1] == found[2] != found[3]
    assert "lamp" not in str(found).lower()


@pytest.mark.parametrize(
    ("mode", "incoterm"), [("1", "CIF"), ("2", "CFR"), ("3", "FOB"), ("5", None), ("7", "EXW"), ("", None)]
)
def test_terms_of_delivery_become_incoterms(tmp_path: Path, mode: str, incoterm: str | None) -> None:
    rows = [declaration(FIRST, [declaration_item("1")], transMode=mode)]
    assert cells(ingested(tmp_path, [customs(rows)]).tables["export_declaration"], "incoterm") == [incoterm]


def test_weight_is_the_legal_quantity_only_in_kilograms(tmp_path: Path) -> None:
    rows = [declaration(FIRST, [declaration_item("1"), declaration_item("2", unit1="011")])]
    table = ingested(tmp_path, [customs(rows)]).tables["export_declaration"]
    assert cells(table, "net_weight_kg") == [Decimal("12.5000"), None]


def test_countries_become_alpha_2_codes_and_unknown_ones_are_quarantined(tmp_path: Path) -> None:
    rows = [declaration(FIRST, [declaration_item("1"), declaration_item("2", destinationCountry="XQZ")])]
    result = ingested(tmp_path, [customs(rows)])
    assert cells(result.tables["export_declaration"], "destination_country") == ["DE"]
    assert only_account(result).quarantined == {"final_country:known": 1}


def test_country_codes_map_one_to_one() -> None:
    codes = country_codes()
    assert codes.num_rows == 249
    assert len(set(cells(codes, "alpha_2"))) == len(set(cells(codes, "alpha_3"))) == 249


def test_an_unreadable_total_sets_only_its_item_aside(tmp_path: Path) -> None:
    rows = [declaration(FIRST, [declaration_item("1"), declaration_item("2", declTotal="无")])]
    account = only_account(ingested(tmp_path, [customs(rows)]))
    assert (account.rows_in, account.accepted, account.quarantined) == (2, 1, {"type:declared_total": 1})


def test_a_declaration_delivered_twice_is_counted_once(tmp_path: Path) -> None:
    one, two = (declaration(entry, [declaration_item("1")]) for entry in (FIRST, SECOND))
    result = ingested(tmp_path, [customs([one, two]), customs([two], "2024")])
    assert result.tables["export_declaration"].num_rows == 2
    assert cells(result.duplicates, "reason") == ["repeated declaration item"]


def test_a_year_without_exports_is_a_file_without_rows(tmp_path: Path) -> None:
    result = ingested(tmp_path, [customs([])])
    assert result.tables["export_declaration"].num_rows == 0
    assert cells(result.tables["source_coverage"], "covered_table") == ["export_declaration"]


def test_invalid_json_is_refused_in_one_line(tmp_path: Path) -> None:
    file = RawFile("customs_declaration/S000001/2023.json", "customs_declaration", b'[{"entryId": "1"', "S000001")
    with pytest.raises(InputRefused, match=r"file customs_declaration/S000001/2023\.json") as refusal:
        ingested(tmp_path, [file])
    assert "\n" not in str(refusal.value)


def test_items_inside_a_text_are_read_as_the_interface_returns_them(tmp_path: Path) -> None:
    one = {**declaration(FIRST, []), "decMergeListVo": json.dumps([declaration_item("1"), declaration_item("2")])}
    for data in (one, [one]):
        delivered = RawFile("a.json", "customs_declaration", json.dumps(data).encode(), "S000001")
        table = ingested(tmp_path, [delivered]).tables["export_declaration"]
        assert cells(table, "item_number") == [1, 2]


@pytest.mark.parametrize(
    ("number", "country", "given", "rule"),
    [
        ("222520231000000001", "CHN", {"cusIEFlag": "I"}, "flow:enum"),
        ("222520230000000001", "DEU", {"cusIEFlag": "I"}, "flow:enum"),
        ("222520231000000001", "DEU", {"cusIEFlag": "E"}, "number_says_export"),
        ("222520231000000001", "DEU", {}, "number_says_export"),
        ("222520230000000001", "CHN", {}, "direction_is_export"),
        ("222520230000000001", "CHN", {"cusIEFlag": "E"}, None),
    ],
)
def test_an_import_is_set_aside_under_a_rule_that_names_the_direction(
    tmp_path: Path, number: str, country: str, given: dict[str, str], rule: str | None
) -> None:
    one = declaration(number, [declaration_item("1", destinationCountry=country)], **given)
    account = only_account(ingested(tmp_path, [customs([one])]))
    assert account.quarantined == ({rule: 1} if rule else {})
    assert account.accepted == (0 if rule else 1)


OWN, OTHER, AGENT = "91330100MA00000019", "91310000MA00000027", "91110000MA0000003X"


def exporters(*stated: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return declarations with these numbers of their consignors and owners."""
    return [declaration(str(int(FIRST) + n), [declaration_item("1")], **one) for n, one in enumerate(stated)]


@pytest.mark.parametrize(
    ("stated", "account", "strange"),
    [
        ([{"cnsnTradeScc": OWN}, {"cnsnTradeScc": OWN}, {"cnsnTradeScc": OTHER}], "", [2]),
        ([{"cnsnTradeScc": OWN}, {"cnsnTradeScc": OTHER}], "", [0, 1]),
        ([{"cnsnTradeScc": OWN}, {"cnsnTradeScc": OTHER}], OTHER, [0]),
        ([{"cnsnTradeScc": OTHER}], OWN, [0]),
        ([{"cnsnTradeScc": OWN}, {"cnsnTradeScc": AGENT, "ownerScc": OWN}], "", []),
        ([{"cnsnTradeScc": OWN, "cnsnTradeCode": "3301960001"}, {"cnsnTradeCode": "3301960001"}], "", []),
        ([{}, {}], "", []),
    ],
    ids=["one more", "tie", "named", "not the named", "through an agent", "two codes of one firm", "no numbers"],
)
def test_declarations_of_another_exporter_are_set_aside(
    tmp_path: Path, stated: list[dict[str, str]], account: str, strange: list[int]
) -> None:
    blank = {"cnsnTradeScc": "", "cnsnTradeCode": "", "ownerScc": ""}
    file = customs(exporters(*({**blank, **one} for one in stated)))
    result = ingested(tmp_path, [RawFile(file.name, file.source, file.data, "S000001", account)])
    assert only_account(result).quarantined == ({"exporter:one": len(strange)} if strange else {})
    kept = [int(number) - int(FIRST) for number in cells(result.tables["export_declaration"], "declaration_id")]
    assert kept == [n for n in range(len(stated)) if n not in strange]


def test_an_item_whose_value_is_not_price_times_quantity_is_named(tmp_path: Path) -> None:
    items = [
        declaration_item("1", gQty="100", declPrice="12", declTotal="1200"),
        declaration_item("2", gQty="100", declPrice="12", declTotal="120000"),
        declaration_item("3", gQty="3", declPrice="3.3333", declTotal="10"),
    ]
    result = ingested(tmp_path, [customs([declaration(FIRST, items)])])
    assert only_account(result).warnings == {"total_is_price_times_quantity": 1}
    (doubts,) = set(cells(result.tables["source_coverage"], "doubts"))
    assert doubts == (
        "in 1 rows the figures do not agree "
        "(The value of an item is its price times its quantity, within half a percent)"
    )
    assert cells(result.tables["export_declaration"], "item_number") == [1, 2, 3]


@pytest.mark.parametrize(
    ("total", "peers", "said"),
    [
        ("0", 0, "an item has no value"),
        ("300001", 5, "the unit value of an item is more than 20 times off that of the same goods"),
        ("70", 5, "the unit value of an item is more than 20 times off that of the same goods"),
        ("29999", 5, None),
        ("300001", 3, None),
    ],
)
def test_an_item_without_a_value_or_far_from_the_same_goods_is_a_doubt(
    tmp_path: Path, total: str, peers: int, said: str | None
) -> None:
    values = [*["1500"] * peers, total]
    items = [declaration_item(str(number), declTotal=value) for number, value in enumerate(values, 1)]
    result = ingested(tmp_path, [customs([declaration(FIRST, items)])])
    assert cells(result.tables["source_coverage"], "doubts") == [said]
    assert result.tables["export_declaration"].num_rows == len(values)
