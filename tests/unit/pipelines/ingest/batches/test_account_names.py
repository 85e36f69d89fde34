"""An export that is delivered again under the name of another account counts once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.factories.raw_files import RawFile, ingested
from tests.property.test_missing_columns import DESCRIPTIVE, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.slow

# Company links are of no account. A day without a time or order, as in this ledger, may have two equal fees.
OF_THEIR_ACCOUNT = {"company_links", "temu_ledger"}


def counted(folder: Path, source: str, accounts: Sequence[str]) -> dict[str, list[Any]]:
    """Return the canonical rows that count, without what tells an account or file."""
    files = [
        RawFile(f"{name}.bin", source, SAMPLES[source], "S000001", name, "2022-01-01", "2025-12-31")
        for name in accounts
    ]
    tables = ingested(folder, files).tables
    return {
        name: sorted(
            repr({key: value for key, value in row.items() if key not in DESCRIPTIVE and not key.endswith("_id")})
            for row in table.to_pylist()
            if row.get("superseded_at") is None
        )
        for name, table in tables.items()
        if name not in {"source_coverage"}
    }


@pytest.mark.parametrize("source", sorted(SAMPLES.keys() - OF_THEIR_ACCOUNT))
def test_an_export_under_two_account_names_counts_once(tmp_path: Path, source: str) -> None:
    once = counted(tmp_path / "once", source, ["A1"])
    assert counted(tmp_path / "twice", source, ["A1", "A2"]) == once
