"""The validation report shows breaks in export documents in numbers and in words of both languages."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from data_contracts.definition.compiler import table_contract
from features.reconciliation.document_chain import BREAKS
from pipelines.reports.rendering import LANGUAGES, page_texts
from pipelines.reports.validation_page import render_validation_page
from pipelines.validate.document_chains import breaks_document, broken_documents
from pipelines.validate.reconciliation import reconciliation_document
from pipelines.validate.table_checks import validate_tables
from tests.factories.canonical_tables import canonical_tables
from tests.factories.files.xml_files import ceb_message, list_record, order_record, receipt_record, waybill_record
from tests.factories.pages import ABOUT
from tests.factories.raw_files import RawFile, ingested

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.reports.rendering import Language

AS_OF = dt.date(2023, 12, 31)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pa.Table]:
    """Return the validated messages of a seller: a whole chain, an expensive list, an order nobody paid or shipped."""
    folder: Path = tmp_path_factory.mktemp("messages")
    lists = [list_record("1"), list_record("2", "O2", "W2", items=["900.00"])]
    messages = {
        "ceb_order": ceb_message("303", order_record("O1"), order_record("O2"), order_record("O3")),
        "ceb_receipt": ceb_message("403", receipt_record("O1"), receipt_record("O2")),
        "ceb_waybill": ceb_message("505", waybill_record("W1"), waybill_record("W2")),
        "ceb_list": ceb_message("603", *lists),
    }
    files = [RawFile(f"{source}.xml", source, data, "S000001") for source, data in messages.items()]
    return validate_tables(ingested(folder, files).tables).accepted


@pytest.fixture(scope="module")
def document(tables: dict[str, pa.Table]) -> dict[str, Any]:
    breaks = broken_documents(tables, AS_OF)
    assert breaks is not None
    return breaks_document(breaks, tables["export_document"], AS_OF, shown=2)


def test_messages_of_customs_are_held_together_from_the_raw_files_on(document: dict[str, Any]) -> None:
    assert document["documents"] == {"list": 2, "order": 3, "receipt": 2, "waybill": 2}
    found = {row["break_kind"]: (row["breaks"], row["sellers"], row["usd"]) for row in document["breaks"]}
    assert list(found) == list(BREAKS)
    assert {name: row for name, row in found.items() if row[0]} == {
        "list_value_differs": (1, 1, "30.00"),
        "order_without_list": (1, 1, "30.00"),
        "order_without_receipt": (1, 1, "30.00"),
    }
    assert document["broken_sellers"] == 1


def test_the_largest_breaks_come_first_up_to_the_requested_number(document: dict[str, Any]) -> None:
    first, second = document["dearest"]
    assert (first["break_kind"], first["document_number"], first["other_usd"]) == ("list_value_differs", "O2", "900.00")
    assert second["document_number"] == "O3"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_names_every_kind_of_break_and_document(language: Language, document: dict[str, Any]) -> None:
    texts = page_texts("validation_page", language)
    html = render_validation_page(_whole({"export_documents": document}), language)
    assert all(texts(f"break_{name}") in html for name in BREAKS)
    kinds = next(column.enum for column in table_contract("export_document").columns if column.name == "document_kind")
    assert all(f"document_{kind}" in texts.words for kind in (*kinds, "declaration"))
    assert "<code>O2</code>" in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_without_documents_of_exports_has_no_section_for_them(language: Language) -> None:
    html = render_validation_page(_whole({}), language)
    assert page_texts("validation_page", language)("section_documents") not in html
    assert broken_documents(canonical_tables(), AS_OF) is None


def _whole(parts: dict[str, Any]) -> dict[str, Any]:
    nothing = reconciliation_document(pa.table({"quarter_end": pa.array([], pa.date32())}), AS_OF, 1)
    return {
        "about": ABOUT,
        "sources": [],
        "unlisted_files": [],
        "withheld_files": [],
        "tables": [],
        "reconciliation": nothing,
        **parts,
    }
