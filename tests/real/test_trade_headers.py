"""The header rows of real trade-data workbooks meet a contract, or are refused for a reason that is true."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pipelines.ingest.deliveries.recognition import Recognition, recognise
from tests.factories.files.workbooks import workbook

if TYPE_CHECKING:
    from pathlib import Path

MONTHLY = "the workbook holds monthly sums"
# Layouts that really lack what a record needs: the column that is missing, or what the file says of its value.
WITHOUT_EXPORTER, WITHOUT_CURRENCY = 3, 2


def outcome(found: Recognition) -> str:
    """Return the contract that a file matches, or why it is refused."""
    if found.met:
        return " ".join(fit.contract.contract_id for fit in found.met)
    assert found.nearest is not None
    assert found.nearest.contract.contract_id == "trade_data_workbook"
    if found.nearest.problem is not None:
        return found.nearest.problem
    return f"missing {', '.join(column.header for column in found.nearest.missing)}"


def test_header_rows_of_real_workbooks_are_recognised_or_refused_for_a_true_reason(
    shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data.parent / "reference" / "trade_headers.csv"
    if not path.is_file():
        pytest.skip("the header rows of trade-data workbooks are not here")
    headers: dict[str, list[object]] = {}
    has_day: dict[str, bool] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            headers.setdefault(row["file"], []).append(row["header"])
            has_day[row["file"]] = row["has_day_column"] == "yes"
    outcomes = {}
    for number, (name, cells) in enumerate(headers.items()):
        target = tmp_path / f"{number}.xlsx"
        target.write_bytes(workbook({"Sheet1": [[], [], ["Records"], [], cells]}))
        outcomes[name] = outcome(next(iter(recognise([target]))))
    daily = Counter(text for name, text in outcomes.items() if has_day[name])
    monthly = [text for name, text in outcomes.items() if not has_day[name]]
    assert (len(outcomes), daily.total(), len(monthly)) == (110, 53, 57)
    assert all(text.startswith(MONTHLY) for text in monthly)
    assert daily["trade_data_workbook"] == 46
    assert daily["us_bills_of_lading"] == 1
    assert daily["missing Exporter"] == WITHOUT_EXPORTER
    assert sum(n for text, n in daily.items() if text.startswith(MONTHLY)) == 1
    assert sum(n for text, n in daily.items() if text.startswith("it needs 'Value (USD)'")) == WITHOUT_CURRENCY
