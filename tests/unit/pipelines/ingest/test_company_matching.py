"""Companies of registers are matched at the end of ingest; their names are not kept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from data_contracts.entities.party_matches import PARTY_MATCH
from pipelines.ingest.stage import Delivery, deliveries_in, run_delivery
from pipelines.runs.stages import Place
from pipelines.signing.keys import load_keys
from tests.factories.raw_files import RawFile, cells, entity, ingest_settings, ingested, links_file, write_raw_folder
from tests.unit.data_contracts.sources import test_bods as bods
from tests.unit.data_contracts.sources import test_gleif as gleif
from tests.unit.pipelines.ingest.batches.test_row_consents import withdrawn_for
from tests.unit.pipelines.ingest.test_consents import consents

if TYPE_CHECKING:
    from pathlib import Path

TRADE_NAME = "Wqcanarylamp"
NETWORK = [
    entity("C1", "Company", name=f"{TRADE_NAME} Trading Ltd", jurisdiction="us", idNumber="S000001"),
    entity("C2", "Company", name="Another Ltd", jurisdiction="us"),
    entity("P1", "Person", name=f"{TRADE_NAME} Trading Ltd"),
]


def register(name: str = f"{TRADE_NAME} Trading Limited") -> RawFile:
    """Return ownership statements about one company."""
    company = bods.company()
    company["recordDetails"] = {**company["recordDetails"], "name": name}  # type: ignore[dict-item]
    return bods.register(company)


def files() -> list[RawFile]:
    """Return one company in three registers, and another in one of them."""
    links = RawFile("l.jsonl", "company_links", links_file(NETWORK))
    return [links, gleif.entities(gleif.entity(LegalName=f"{TRADE_NAME.upper()} TRADING LTD.")), register()]


def test_one_company_of_three_registers_is_matched_across_them(tmp_path: Path) -> None:
    found = ingested(tmp_path, files()).tables[PARTY_MATCH]
    lei = f"lei:{gleif.FIRST}"
    pairs = set(cells(found, "left_party_id", "right_party_id", "is_accepted"))
    assert {left for left, _, _ in pairs} | {right for _, right, _ in pairs} == {"C1", "bods:co-1", lei}
    assert {is_accepted for _, _, is_accepted in pairs} == {True}


def test_names_are_found_in_nothing_the_stage_leaves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw, settings = write_raw_folder(tmp_path / "raw", files()), ingest_settings()
    keys = load_keys("demo", is_demonstration=True, environment={"KEYS_DIR": str(tmp_path / "keys")})
    delivery = Delivery(raw, deliveries_in(raw, settings), settings, keys)
    with caplog.at_level(logging.DEBUG):
        outcome = run_delivery(delivery, {"raw": raw}, Place("matching", tmp_path / "out"))
    assert pq.read_table(outcome.run_dir / "tables" / f"{PARTY_MATCH}.parquet").num_rows
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    texts = [str(pq.read_table(one).to_pydict()) if one.suffix == ".parquet" else one.read_text() for one in left]
    assert TRADE_NAME.lower() not in "\n".join([*texts, caplog.text]).lower()


def test_the_companies_of_a_seller_without_consent_are_not_matched(tmp_path: Path) -> None:
    result = ingested(tmp_path, [consents(*withdrawn_for("company_links")), *files()])
    assert "C1" not in {*cells(result.tables[PARTY_MATCH], "left_party_id")}
    assert result.tables[PARTY_MATCH].num_rows == 1


def test_matching_can_be_switched_off_and_is_left_out_where_there_are_too_many_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert PARTY_MATCH not in ingested(tmp_path / "off", files(), match_companies=False).tables
    assert PARTY_MATCH not in ingested(tmp_path / "many", files(), most_matched_names=3).tables
    assert "more than most_matched_names" in caplog.text
    assert PARTY_MATCH in ingested(tmp_path / "just", files(), most_matched_names=4).tables


def test_without_a_register_there_is_no_table_of_matches(tmp_path: Path) -> None:
    assert PARTY_MATCH not in ingested(tmp_path, [consents(*withdrawn_for("all"))]).tables


def test_the_order_of_files_makes_no_difference(tmp_path: Path) -> None:
    one, other = (ingested(tmp_path / name, some).tables[PARTY_MATCH] for name, some in orders().items())
    assert one.to_pylist() == other.to_pylist()


def orders() -> dict[str, list[RawFile]]:
    return {"one": files(), "other": files()[::-1]}
