"""In files about many sellers each row needs the consent of the seller it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.definition.compiler import source_contract
from data_contracts.definition.contract import CompiledContract
from data_contracts.lineage import Origin, ReadResult, empty_quarantine
from data_contracts.mapping.source_mapping import NamedSellers, SourceMapping
from data_contracts.sources.registry import Source, mapped_sources, source_mapping
from pipelines.ingest.batches.row_consents import WITHHELD_RULES, rows_by_consent
from pipelines.ingest.consents import SourceConsents
from pipelines.ingest.stage import Delivery, Workspace, deliveries_in, ingest_files, ingest_folder, run_delivery
from pipelines.reports.delivery_page import PAGE, REASONS, remedy
from pipelines.reports.rendering import LANGUAGES, Language, page_texts
from pipelines.reports.validation_page import reading_reason
from pipelines.runs.file_counts import CONSENT_WITHDRAWN, NO_CONSENT, row_counts_document, rows_kept_out
from pipelines.runs.stages import Place
from pipelines.signing.keys import load_keys
from tests.factories.files.templates import template_csv, template_row
from tests.factories.raw_files import (
    HMAC_KEY,
    RawFile,
    cells,
    entity,
    ingest_settings,
    ingested,
    links_file,
    vat_file,
    vat_row,
    write_raw_folder,
)
from tests.unit.pipelines.ingest.test_consents import consent, consents, withdrawn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.ingest.stage import IngestResult
    from pipelines.runs.file_counts import Withheld

CANARY = "9183.77"
FIRST, SECOND = "S000001", "S000002"


def withdrawn_for(source: str, seller: str = FIRST) -> list[dict[str, str]]:
    """Return a consent for the source, granted and withdrawn."""
    return [row | {"seller_id": seller, "consented_source": source} for row in (consent(), withdrawn("2025-03-01"))]


def pool(table: str, *rows: dict[str, str]) -> RawFile:
    """Return a file of the credit data pool with rows of many sellers."""
    return RawFile(f"{table}.csv", f"template_{table}", template_csv(rows))


def debt(identifier: str, seller: str, **cells: str) -> dict[str, str]:
    return template_row("debt", identifier, seller_id=seller, **cells)


def published(result: IngestResult) -> str:
    """Return every cell of a result that the stage would publish."""
    tables = (*result.tables.values(), result.quarantine, result.duplicates)
    return "\n".join([str(row_counts_document(result.file_counts)), *(str(table.to_pylist()) for table in tables)])


def test_rows_of_a_seller_without_consent_are_counted_and_those_of_others_read(tmp_path: Path) -> None:
    file = pool("debt", debt("B1", FIRST), debt("B2", SECOND), debt("B3", FIRST))
    result = ingested(tmp_path, [consents(*withdrawn_for("template_debt")), file])
    assert cells(result.tables["debt"], "seller_id") == [SECOND]
    (account,) = [one for one in result.file_counts if one.file == file.name]
    assert (account.rows_in, account.accepted, dict(account.quarantined)) == (3, 1, {"consent:withdrawn": 2})
    assert rows_kept_out(account.quarantined) == 2
    records = result.quarantine.to_pylist()
    assert [(one["source_row"], one["value"], one["original"]) for one in records] == [(2, None, None), (4, None, None)]
    covered = cells(result.tables["source_coverage"], "seller_id", "covered_table")
    assert (SECOND, "debt") in covered
    assert (FIRST, "debt") not in covered


@pytest.mark.parametrize(
    ("need", "read"), [("required", []), ("where_listed", [SECOND]), ("not_required", [FIRST, SECOND])]
)
def test_the_setting_that_holds_for_files_holds_for_rows(need: str, read: list[str], tmp_path: Path) -> None:
    file = pool("debt", debt("B1", FIRST), debt("B2", SECOND))
    result = ingested(tmp_path, [consents(*withdrawn_for("all")), file], consent=need)
    assert cells(result.tables["debt"], "seller_id") == read
    reasons = {"required": {"consent:none": 1, "consent:withdrawn": 1}, "where_listed": {"consent:withdrawn": 1}}
    (account,) = [one for one in result.file_counts if one.file == file.name]
    assert dict(account.quarantined) == reasons.get(need, {})


@pytest.mark.parametrize("seller", [FIRST, f" {FIRST} "], ids=["as it stands", "with blanks around it"])
def test_no_content_of_a_withheld_row_is_stored_valid_or_not(seller: str, tmp_path: Path) -> None:
    spoilt = {"event_date": f"no day {CANARY}"}
    rows = [
        debt("B1", SECOND),
        debt(f"B{CANARY}", seller),
        debt("B3", seller, **spoilt),
        debt("B4", "", **spoilt),
    ]
    files = [pool("debt", *rows)]
    assert CANARY in published(ingested(tmp_path / "open", files))
    assert CANARY not in published(ingested(tmp_path / "raw", [consents(*withdrawn_for("all")), *files]))


def test_a_line_that_is_not_a_row_is_kept_without_its_bytes_where_some_rows_are_withheld(tmp_path: Path) -> None:
    torn = pool("debt", debt("B1", SECOND))
    torn = replace(torn, data=torn.data + f"B2,{FIRST},{CANARY}\n".encode())
    result = ingested(tmp_path, [consents(*withdrawn_for("all")), torn])
    assert cells(result.quarantine, "rule_id", "value", "original") == [("line:width", None, None)]


def test_a_foreign_row_in_a_file_of_one_seller_goes_by_its_own_sellers_consent(tmp_path: Path) -> None:
    file = RawFile("v.csv", "vat_invoices", vat_file("sale", [vat_row("1", SECOND), vat_row("2")]), SECOND)
    result = ingested(tmp_path, [consents(*withdrawn_for("vat_invoices")), file])
    assert cells(result.quarantine, "rule_id", "value", "original") == [("consent:withdrawn", None, None)]


NETWORK = (
    entity("C1", "Company", idNumber=FIRST),
    entity("C2", "Company", idNumber=SECOND),
    entity("P1", "Person"),
    entity("A1", "Address"),
    entity("O1", "Ownership", owner="P1", asset="C1", percentage="50"),
    entity("O2", "Ownership", owner="P1", asset="C2", percentage="50"),
    entity("L1", "UnknownLink", subject="C1", object="A1", role="address"),
    entity("G1", "UnknownLink", subject="C2", object="C1", role="guarantor", summary="USD 5000"),
)


def test_a_company_of_the_network_goes_with_every_link_that_names_it(tmp_path: Path) -> None:
    files = [consents(*withdrawn_for("company_links")), RawFile("l.jsonl", "company_links", links_file(NETWORK))]
    result = ingested(tmp_path, files)
    assert cells(result.tables["party"], "party_id") == ["C2", "P1", "A1"]
    assert cells(result.tables["party_link"], "party_link_id") == ["O2"]
    (account,) = [one for one in result.file_counts if one.file == "l.jsonl"]
    assert dict(account.quarantined) == {"consent:withdrawn": 4}


def test_links_in_our_own_form_go_by_the_sellers_that_parties_of_another_file_are(tmp_path: Path) -> None:
    parties = pool(
        "party",
        template_row("party", "P1", party_reference="91310000X", seller_id=FIRST),
        template_row("party", "P2", party_reference="91310000Y", seller_id=SECOND),
    )
    links = pool(
        "party_link",
        template_row("party_link", "L1", from_party_reference="91310000X", to_party_reference="Z1"),
        template_row("party_link", "L2", from_party_reference="91310000Y", to_party_reference="Z1"),
    )
    whole = ingested(tmp_path / "a", [parties, links])
    result = ingested(tmp_path / "b", [consents(*withdrawn_for("template_party_link")), parties, links])
    assert whole.tables["party_link"].num_rows == 2
    assert cells(result.tables["party_link"], "party_link_id") == ["L2"]
    assert result.tables["party"].num_rows == 2


def test_every_table_in_our_own_form_that_has_a_seller_is_gated_but_for_the_lenders_books() -> None:
    open_tables = {
        source
        for source in mapped_sources()
        if "seller_id" in {column.name for column in source_contract(source).columns}
        and source_mapping(source).named_sellers is None
    }
    assert open_tables == {f"template_{table}" for table in ("application", "consent", "loan", "repayment")}


def test_rows_that_may_be_withheld_one_by_one_belong_to_no_group_and_their_file_to_no_sum() -> None:
    for source in mapped_sources():
        mapping = source_mapping(source)
        if mapping.named_sellers is not None:
            assert mapping.group_column is None, source
            assert not source_contract(source).file_rules(), source


SELLERS = ("A", "B", "C", "")


def naming(contract: CompiledContract, named: NamedSellers) -> Source:
    """Return a source whose rows name their sellers like this."""
    return Source(contract, SourceMapping("some", (), lambda *_: {}, named_sellers=named))


@given(
    sellers=st.lists(st.sampled_from(SELLERS), max_size=30),
    said=st.dictionaries(st.sampled_from(SELLERS[:-1]), st.sampled_from([None, *WITHHELD_RULES])),
    otherwise=st.sampled_from([None, NO_CONSENT]),
)
def test_each_row_is_read_or_withheld_by_its_sellers_consent(
    sellers: Sequence[str], said: dict[str, Withheld | None], otherwise: Withheld | None
) -> None:
    contract = source_contract("template_debt")
    columns = {column.name: pa.array([""] * len(sellers), pa.string()) for column in contract.columns}
    columns["seller_id"] = pa.array(sellers, pa.string())
    rows = pa.table({**columns, "source_row": pa.array(range(len(sellers)), pa.int64())})
    text = ReadResult(rows, empty_quarantine(), len(sellers), (), Origin("s", "f", "d"))
    consents_of = SourceConsents(said, otherwise)
    parted = rows_by_consent(text, naming(contract, NamedSellers("seller_id")), consents_of)
    expected = {
        row: WITHHELD_RULES[reason]
        for row, seller in enumerate(sellers)
        if seller and (reason := consents_of.reason(seller)) is not None
    }
    assert dict(cells(parted.withheld, "source_row", "rule_id")) == expected
    assert cells(parted.rows, "source_row") == [row for row in range(len(sellers)) if row not in expected]


def test_a_party_reference_equal_to_the_sellers_own_is_the_sellers() -> None:
    contract = source_contract("template_party_link")
    columns = {column.name: pa.array(["", ""], pa.string()) for column in contract.columns}
    columns["from_party_reference"] = pa.array(["A", "B"], pa.string())
    rows = pa.table({**columns, "source_row": pa.array([0, 1], pa.int64())})
    text = ReadResult(rows, empty_quarantine(), 2, (), Origin("s", "f", "d"))
    named = NamedSellers(linked=("from_party_reference", "to_party_reference"))
    parted = rows_by_consent(text, naming(contract, named), SourceConsents({"A": CONSENT_WITHDRAWN}))
    assert cells(parted.rows, "source_row") == [1]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rule_id", WITHHELD_RULES.values())
def test_both_pages_explain_why_a_row_was_withheld_and_what_helps(rule_id: str, language: Language) -> None:
    words, texts = page_texts(REASONS, language), page_texts(PAGE, language)
    contract = source_contract("template_debt")
    assert reading_reason(rule_id, contract, words).words not in {"", rule_id}
    assert remedy(rule_id, contract, words, texts) == texts("fix_consent")


def test_rows_withheld_raise_no_alarm_of_too_many_broken_rows(tmp_path: Path) -> None:
    file = pool("debt", debt("B1", FIRST), debt("B2", SECOND))
    place = Place("row_consents", tmp_path / "out")
    raw = write_raw_folder(tmp_path / "raw", [consents(*withdrawn_for("all")), file])
    settings = ingest_settings(quarantine_limit_share=0.0)
    deliveries = deliveries_in(raw, settings)
    keys = load_keys("demo", is_demonstration=True, environment={"KEYS_DIR": str(tmp_path / "keys")})
    outcome = run_delivery(Delivery(raw, deliveries, settings, keys), {"raw": raw}, place)
    assert outcome.record.set_aside == {"quarantined by consent:withdrawn": 1}
    assert outcome.record.notes["quarantined_share"] == 0.0


def test_a_file_taken_in_parts_withholds_the_same_rows_as_one_taken_at_once(tmp_path: Path) -> None:
    rows = [debt(f"D{number}", (FIRST, SECOND, "")[number % 3]) for number in range(40)]
    rows[3] |= {"event_date": "no day"}
    rows[5] |= {"event_date": "no day"}
    file = pool("debt", *rows)
    file = replace(file, data=file.data + f"D99,{FIRST}\n".encode())
    raw = write_raw_folder(tmp_path / "raw", [consents(*withdrawn_for("template_debt")), file])
    settings = ingest_settings(batch_bytes=1_000)
    (tmp_path / "spill").mkdir()
    parted = ingest_files(raw, deliveries_in(raw, settings), settings, HMAC_KEY, Workspace(tmp_path / "spill"))
    whole = ingest_folder(raw, settings, HMAC_KEY)
    assert parted.file_counts == whole.file_counts
    assert parted.tables["debt"].whole().to_pylist() == whole.tables["debt"].to_pylist()
    (identity,) = parted.quarantine
    stored = [row for chunk in parted.quarantine[identity].chunks() for row in chunk.to_pylist()]
    assert stored == whole.quarantine.to_pylist()
    assert {one["rule_id"]: one["original"] for one in whole.quarantine.to_pylist()} == {
        "consent:withdrawn": None, "seller_id:required": None, "type:event_date": None, "line:width": None,
    }  # fmt: skip
