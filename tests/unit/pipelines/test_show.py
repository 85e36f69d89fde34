"""Showing one seller: its rows, latest first, and its passport where it has one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from data_contracts.errors import InputRefused
from pipelines.issuing import issue_passports, write_passports
from pipelines.passports import Evidence
from pipelines.publish import write_parquet
from pipelines.scoring import score_chunk
from pipelines.show import seller_results
from tests.factories.scoring import KEYS, applicants, context, small_bundle, with_values
from tests.unit.pipelines.test_passports import TERMS


@pytest.fixture
def results(tmp_path: Path) -> Path:
    chunk = with_values(applicants(3), "seller_id", ["S1", "S2", "S1"])
    chunk = with_values(chunk, "as_of", [date(2024, 9, 30), date(2024, 12, 31), date(2024, 12, 31)])
    chunk = with_values(chunk, "refusals", ["", "no_coverage", ""])
    write_parquet(tmp_path / "passports.parquet", score_chunk(context(), chunk))
    issued = issue_passports(tmp_path / "passports.parquet", small_bundle(), Evidence({}), TERMS, None)
    write_passports(issued, tmp_path)
    return tmp_path


def test_a_seller_is_shown_with_its_rows_and_its_passport(results: Path) -> None:
    found = seller_results(results, "S1", KEYS.hmac_key)
    assert [row["as_of"] for row in found.rows] == [date(2024, 12, 31), date(2024, 9, 30)]
    assert found.passport is not None
    assert found.passport.is_file()
    assert [path.name.split(".", 1)[1] for path in found.pages] == ["en.html", "zh.html"]


def test_a_refused_seller_is_shown_without_a_passport(results: Path) -> None:
    found = seller_results(results, "S2", KEYS.hmac_key)
    assert [row["codes"] for row in found.rows] == ["no_coverage"]
    assert (found.passport, found.pages) == (None, ())


def test_a_seller_who_was_not_scored_is_refused(results: Path) -> None:
    with pytest.raises(InputRefused, match="S404"):
        seller_results(results, "S404", KEYS.hmac_key)
