from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.runs.file_counts import counts_of_document, row_counts_document
from pipelines.runs.publish import read_json
from tests.factories.files.templates import template_csv, template_row
from tests.factories.raw_files import (
    LOANS_HEADER,
    RawFile,
    cells,
    csv_file,
    ingest_settings,
    ingested,
    ingested_and_written,
    vat_file,
    vat_row,
    write_raw_folder,
)

if TYPE_CHECKING:
    from pipelines.ingest.stage import IngestResult

SALE = RawFile("v/1.csv", "vat_invoices", vat_file("sale", [vat_row("1")]), "S000001")
OTHERS = RawFile("v/2.csv", "vat_invoices", vat_file("sale", [vat_row("1", "S000002")]), "S000002")
# A file that any reader would refuse: what is withheld is not even looked at.
SPOILT = RawFile("v/1.csv", "vat_invoices", b"\xff\xfe\x00", "S000001")


def consent(reference: str = "C1", day: str = "2022-01-01", **row: str) -> dict[str, str]:
    """Return an open-ended consent of the first seller to read its invoices."""
    given = {
        "consent_reference": reference,
        "seller_id": "S000001",
        "consented_source": "vat_invoices",
        "purpose": "credit_assessment",
        "valid_from": "2022-01-01",
        "valid_to": "",
        "withdrawn_on": "",
        "event_date": day,
        "known_at": "",
    }
    return template_row("consent", f"{reference}-{day}", **{**given, **row})


def withdrawn(day: str, reference: str = "C1") -> dict[str, str]:
    return consent(reference, day, consent_id=f"{reference}-{day}-W", withdrawn_on=day)


def consents(*rows: dict[str, str]) -> RawFile:
    return RawFile("consents.csv", "template_consent", template_csv(rows))


def status_of(result: IngestResult, name: str = "v/1.csv") -> str:
    (status,) = [account.status for account in result.file_counts if account.file == name]
    return status


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([consent()], "read"),
        ([consent(consented_source="all")], "read"),
        ([consent(valid_to="2025-12-31")], "no consent"),
        ([consent(valid_to="2026-01-01")], "read"),
        ([consent(valid_from="2026-02-01")], "no consent"),
        ([consent(purpose="monitoring")], "no consent"),
        ([consent(seller_id="S000002")], "no consent"),
        ([consent(consented_source="shopify_orders")], "no consent"),
        ([consent(), withdrawn("2025-03-01")], "consent withdrawn"),
        ([withdrawn("2025-03-01"), consent()], "consent withdrawn"),
        ([consent(), withdrawn("2022-01-01")], "consent withdrawn"),
        ([consent(), withdrawn("2025-03-01"), consent(day="2025-06-01", valid_from="2025-06-01")], "read"),
        ([consent(), withdrawn("2025-03-01"), consent("C2", "2025-06-01", valid_from="2025-06-01")], "read"),
        ([consent(), withdrawn("2026-01-01")], "consent withdrawn"),
    ],
    ids=[
        *("given", "given for all", "over", "last day", "not yet", "other purpose", "other seller", "other source"),
        *("withdrawn", "order of rows", "withdrawn at once", "given again", "another one", "withdrawn today"),
    ],
)
def test_a_file_is_read_where_consent_is_in_force_on_the_day_of_recording(
    rows: list[dict[str, str]], status: str, tmp_path: Path
) -> None:
    result = ingested(tmp_path, [consents(*rows), SALE], consent="required")
    assert status_of(result) == status
    assert result.tables["trade_invoice"].num_rows == (1 if status == "read" else 0)


def test_a_withdrawal_that_names_another_source_than_its_consent_withdraws_it_all_the_same(tmp_path: Path) -> None:
    misspelt = withdrawn("2025-03-01") | {"consented_source": "vat_invoice"}
    for need in ("required", "where_listed"):
        result = ingested(tmp_path / need, [consents(consent(), misspelt), SALE], consent=need)
        assert status_of(result) == "consent withdrawn"


def test_a_consent_renewed_for_another_source_holds_no_longer_for_the_first(tmp_path: Path) -> None:
    renewed = consent(day="2025-06-01", valid_from="2025-06-01", consented_source="shopify_orders")
    assert status_of(ingested(tmp_path, [consents(consent(), renewed), SALE])) == "no consent"


def test_without_consent_a_file_is_not_even_opened_and_covers_nothing(tmp_path: Path) -> None:
    result = ingested(tmp_path, [consents(consent(), withdrawn("2025-03-01")), SPOILT, OTHERS])
    assert status_of(result) == "consent withdrawn"
    assert cells(result.tables["trade_invoice"], "seller_id") == ["S000002"]
    covered = cells(result.tables["source_coverage"], "seller_id", "covered_table")
    assert ("S000001", "trade_invoice") not in covered
    assert ("S000002", "trade_invoice") in covered


def test_where_listed_requires_consent_only_of_sellers_with_delivered_consents(tmp_path: Path) -> None:
    rows = [consent(), withdrawn("2025-03-01")]
    listed = ingested(tmp_path / "a", [consents(*rows), SALE, OTHERS])
    assert [status_of(listed, name) for name in ("v/1.csv", "v/2.csv")] == ["consent withdrawn", "read"]
    required = ingested(tmp_path / "b", [consents(*rows), SALE, OTHERS], consent="required")
    assert [status_of(required, name) for name in ("v/1.csv", "v/2.csv")] == ["consent withdrawn", "no consent"]
    ignored = ingested(tmp_path / "c", [consents(*rows), SALE, OTHERS], consent="not_required")
    assert [status_of(ignored, name) for name in ("v/1.csv", "v/2.csv")] == ["read", "read"]


def test_a_lenders_own_books_need_no_sellers_consent(tmp_path: Path) -> None:
    loans = RawFile("l.csv", "lender_loans", csv_file(LOANS_HEADER, ["L1,S1,N,2023-01-01,2024-01-01,100,CNY,1,1"]))
    result = ingested(tmp_path, [loans, SALE], consent="required")
    assert [status_of(result, name) for name in ("l.csv", "v/1.csv")] == ["read", "no consent"]
    assert result.tables["trade_invoice"].num_rows == 0


def test_consents_count_even_if_only_another_source_is_read(tmp_path: Path) -> None:
    files = [consents(consent(), withdrawn("2025-03-01")), SALE]
    assert status_of(ingested(tmp_path, files, sources=("vat_invoices",))) == "consent withdrawn"


def test_withheld_files_are_in_the_row_counts_with_their_listed_digest(tmp_path: Path) -> None:
    raw = write_raw_folder(tmp_path / "raw", [SALE])
    result = ingested_and_written(raw, ingest_settings(consent="required"), tmp_path / "out")
    document = read_json(tmp_path / "out" / "row_counts.json")
    (withheld,) = document["withheld_files"]
    assert (withheld["file"], withheld["status"]) == ("v/1.csv", "no consent")
    assert len(withheld["sha256"]) == 64
    assert counts_of_document(document) == list(result.file_counts)
    assert row_counts_document(result.file_counts) == document
