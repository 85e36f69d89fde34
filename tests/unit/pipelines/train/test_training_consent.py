"""A seller's data trains a model only if the seller consented to that purpose, where consent is required."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pytest

from data_contracts.definition.compiler import table_contract
from pipelines.runs.publish import write_parquet
from pipelines.train.consents import may_train
from tests.factories.canonical_tables import canonical_table
from tests.factories.raw_files import ingest_settings

if TYPE_CHECKING:
    from pathlib import Path

OPEN = {"purpose": "model_training", "valid_from": "2022-01-01", "event_date": "2022-01-01", "valid_to": None}
INVOICES = {"delivered_source": "vat_invoices", "covered_table": "trade_invoice"}
PAYOUTS = {"delivered_source": "amazon_settlement_v2", "covered_table": "money_event"}
BOOKS = {"delivered_source": "lender_loans", "covered_table": "loan"}


LINEAGE = {"source": "c@1.0.0", "source_file": "c.csv", "source_sha256": "0" * 64, "source_row": 1, "row_version": 1}
DAYS = ("valid_from", "valid_to", "withdrawn_on", "event_date")


def consent_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows of the table ``consent``, each known from the day of its event."""
    typed = []
    for row in rows:
        days = {name: date.fromisoformat(row[name]) if row.get(name) else None for name in DAYS}
        known = datetime.fromisoformat(f"{row['event_date']}T00:00:00+00:00")
        typed.append({**LINEAGE, **row, **days, "known_at": known, "recorded_at": known})
    return pa.Table.from_pylist(typed, schema=table_contract("consent").arrow_schema)


def consent(source: str, **row: str | None) -> dict[str, Any]:
    given = {"consented_source": source, "consent_reference": f"C-{source}", **OPEN, **row}
    return {"consent_id": "-".join(str(value) for value in given.values()), "seller_id": "S1", **given}


def answer(
    folder: Path,
    consents: list[dict[str, Any]],
    coverage: list[dict[str, Any]],
    mode: Literal["required", "where_listed", "not_required"] = "required",
) -> bool:
    rows = [{"seller_id": "S1", **row} for row in coverage]
    write_parquet(folder / "coverage.parquet", canonical_table("source_coverage", rows))
    if consents:
        write_parquet(folder / "consent.parquet", consent_table(consents))
    settings = ingest_settings(consent=mode)
    observed = pa.table({"seller_id": ["S1"]})
    (found,) = may_train(observed, folder / "consent.parquet", folder / "coverage.parquet", settings).to_pylist()
    return bool(found)


@pytest.mark.parametrize(
    ("consents", "coverage", "may"),
    [
        ([], [INVOICES], False),
        ([consent("all")], [INVOICES, PAYOUTS], True),
        ([consent("vat_invoices")], [INVOICES], True),
        ([consent("vat_invoices")], [INVOICES, PAYOUTS], False),
        ([consent("vat_invoices")], [INVOICES, BOOKS], True),
        ([consent("all", purpose="credit_assessment")], [INVOICES], False),
        ([consent("all", valid_to="2024-01-01")], [INVOICES], False),
        ([consent("all"), consent("all", withdrawn_on="2023-05-01", event_date="2023-05-01")], [INVOICES], False),
        ([consent("all")], [BOOKS], False),
    ],
)
def test_every_delivered_source_needs_a_consent_to_training_in_force(
    consents: list[dict[str, Any]], coverage: list[dict[str, Any]], may: bool, tmp_path: Path
) -> None:
    assert answer(tmp_path, consents, coverage) == may


def test_only_sellers_with_a_statement_are_asked_where_consent_counts_if_listed(tmp_path: Path) -> None:
    assert answer(tmp_path / "none", [], [INVOICES], "where_listed")
    assert not answer(tmp_path / "other", [consent("all", purpose="monitoring")], [INVOICES], "where_listed")


def test_nobody_is_asked_where_no_consent_is_required(tmp_path: Path) -> None:
    assert answer(tmp_path, [], [INVOICES], "not_required")
