"""Real XML records of the Global LEI Index are read like the same records in JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused
from data_contracts.reading.dispatch import read_file, read_xml

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from data_contracts.definition.contract import CompiledContract

# The list of periods is a column of JSON text, and XML has another way of writing lists.
FILES = [
    ("gleif_entities", "lei-data", ("LEIData", "LEIRecords", "LEIRecord"), []),
    ("gleif_relations", "rr-data", ("RelationshipData", "RelationshipRecords", "RelationshipRecord"), ["periods"]),
]


def in_xml(source: str, record_path: tuple[str, ...]) -> CompiledContract:
    contract = source_contract(source)
    assert contract.read_spec is not None
    spec = replace(contract.read_spec, format="xml", record_path=record_path, ignore_namespaces=True)
    return replace(contract, read_spec=spec)


def real_file(shared_data: Path, name: str) -> bytes:
    path = shared_data / "gleif" / name
    if not path.is_file():
        pytest.skip(f"real data not present at {path}")
    return path.read_bytes()


def rows(table: pa.Table, without: list[str]) -> set[tuple[object, ...]]:
    return {tuple(row.values()) for row in table.drop_columns([*without, "source_row"]).to_pylist()}


@pytest.mark.parametrize(("source", "name", "record_path", "without"), FILES)
def test_every_record_has_the_values_it_has_in_json(
    source: str, name: str, record_path: tuple[str, ...], without: list[str], shared_data: Path
) -> None:
    xml = read_xml(real_file(shared_data, f"{name}.xml"), in_xml(source, record_path), f"{name}.xml")
    json = read_file(real_file(shared_data, f"{name}.json"), source_contract(source), f"{name}.json")
    assert xml.quarantined.num_rows == 0
    assert xml.rows.num_rows == json.rows.num_rows > 0
    assert rows(xml.rows, without) == rows(json.rows, without)


def test_the_original_of_a_record_is_its_element_to_the_byte(shared_data: Path) -> None:
    data = real_file(shared_data, "lei-data.xml")
    read = read_xml(data, in_xml("gleif_entities", FILES[0][2]), "f")
    numbers: list[Any] = read.rows["source_row"].to_pylist()
    originals = read.origin.original_of(numbers)
    assert all(original and original.startswith(b"<lei:LEIRecord") and original in data for original in originals)
    assert all(original and original.endswith(b"</lei:LEIRecord>") for original in originals)


def test_a_real_file_torn_anywhere_is_refused(shared_data: Path) -> None:
    data = real_file(shared_data, "lei-data.xml").rstrip()
    for length in range(0, len(data), 997):
        with pytest.raises(InputRefused):
            read_xml(data[:length], in_xml("gleif_entities", FILES[0][2]), "f")
