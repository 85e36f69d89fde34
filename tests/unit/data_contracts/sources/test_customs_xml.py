"""Export declarations in XML map like the same declarations in JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused
from tests.factories.files.xml_files import declaration_message, declared_item
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
    from pathlib import Path

FIRST = "222520230000000001"
OWN = {"source", "source_file", "source_sha256"}


def customs(data: bytes, name: str = "a.xml") -> RawFile:
    return RawFile(name, "customs_declaration_xml", data, "S000001")


def test_a_declaration_has_the_same_rows_in_xml_as_in_json(tmp_path: Path) -> None:
    items = [declared_item("1"), declared_item("2", DeclTotal="99.5", FirstUnit="011")]
    xml = ingested(tmp_path / "x", [customs(declaration_message(items, AgentCode="3100980001"))])
    listed = [declaration_item("1"), declaration_item("2", declTotal="99.5", unit1="011")]
    data = declarations_file([declaration(FIRST, listed)])
    json = ingested(tmp_path / "j", [RawFile("a.json", "customs_declaration", data, "S000001")])
    tables = [result.tables["export_declaration"].drop_columns(sorted(OWN)) for result in (xml, json)]
    assert tables[0].to_pylist() == tables[1].to_pylist()
    assert cells(tables[0], "declared_amount") == [Decimal("1500.0000"), Decimal("99.5000")]


def test_both_formats_have_the_same_columns() -> None:
    xml, json = (source_contract(f"customs_declaration{form}") for form in ("_xml", ""))
    assert [c.name for c in xml.columns] == [c.name for c in json.columns]
    assert [c.arrow_type for c in xml.columns] == [c.arrow_type for c in json.columns]


@pytest.mark.parametrize(
    ("origin", "final", "destination"),
    [
        ("CHN", "DEU", ["DE"]),
        ("DEU", "CHN", ["DE"]),
        ("CHN", "CHN", ["CN"]),
        ("", "CHN", ["CN"]),
        ("USA", "DEU", ["DE"]),
    ],
)
def test_countries_swapped_by_the_exporting_program_are_corrected(
    tmp_path: Path, origin: str, final: str, destination: list[str]
) -> None:
    data = declaration_message([declared_item("1", OriginCountry=origin, DestinationCountry=final)])
    table = ingested(tmp_path, [customs(data)]).tables["export_declaration"]
    assert cells(table, "destination_country") == destination


def test_an_import_is_not_an_export(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [customs(declaration_message([declared_item("1")], IEFlag="I"))]))
    assert account.quarantined == {"flow:enum": 1}


def test_a_declaration_without_items_is_set_aside_with_its_bytes_sealed(tmp_path: Path) -> None:
    result = ingested(tmp_path, [customs(declaration_message([]))])
    assert only_account(result).quarantined == {"xml:items": 1}
    (sealed,) = result.quarantine["original"].to_pylist()
    assert sealed
    assert b"Lamp House" not in sealed


def test_a_declaration_delivered_twice_is_counted_once(tmp_path: Path) -> None:
    data = declaration_message([declared_item("1")])
    result = ingested(tmp_path, [customs(data), customs(data, "b.xml")])
    assert cells(result.duplicates, "reason") == ["repeated declaration item"]


def test_a_message_of_another_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match=r"file a\.xml: no record at DecMessage; the root element is 'Other'"):
        ingested(tmp_path, [customs(b"<Other/>")])
