"""Passports from a file of scores: one per seller, on its latest date, and never for a refused row."""

from __future__ import annotations

import csv
import os
import stat
from datetime import date
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pytest

from pipelines.passports.issuing import chosen_rows, issue_passports, rows_at, write_passports
from pipelines.passports.passport import Evidence
from pipelines.runs.publish import read_parquet, write_parquet
from pipelines.score.scorer import score_chunk
from pipelines.signing.credential import verify_credential
from pipelines.signing.keys import subject_commitment
from tests.factories.scoring import ISSUED_ON, applicants, context, small_bundle, with_values
from tests.unit.pipelines.passports.test_passport import TERMS, TRUST


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    chunk = applicants(5)
    chunk = with_values(chunk, "seller_id", ["S1", "S2", "S1", "S3", "S2"])
    days = [date(2024, 12, 31), date(2024, 12, 31), date(2024, 9, 30), date(2024, 12, 31), date(2025, 1, 31)]
    chunk = with_values(chunk, "as_of", days)
    chunk = with_values(chunk, "refusals", ["", "", "", "unknown_seller", ""])
    path = tmp_path / "passports.parquet"
    write_parquet(path, score_chunk(context(), chunk))
    return path


def table(statuses: list[str]) -> pa.Table:
    count = len(statuses)
    days = pa.array([date(2024, 12, 31)] * count)
    return pa.table({"seller_id": [f"S{n}" for n in range(count)], "as_of": days, "status": statuses})


def chosen(scores: Path) -> list[int]:
    return chosen_rows(read_parquet(scores, ["seller_id", "as_of", "status"]), None)


def test_each_seller_gets_one_passport_as_of_its_latest_scored_date(scores: Path) -> None:
    issued = list(issue_passports(scores, chosen(scores), small_bundle(), Evidence({}), TERMS))
    told = [verify_credential(one.data, ISSUED_ON, TRUST).document["credentialSubject"] for one in issued]
    assert [(one.seller_id, say["as_of"]) for one, say in zip(issued, told, strict=True)] == [
        ("S1", "2024-12-31"),
        ("S2", "2025-01-31"),
    ]


def test_the_first_sellers_are_taken_in_order_of_the_file() -> None:
    assert chosen_rows(table(["refused", "scored", "scored_with_warning", "scored"]), 2) == [1, 2]
    assert chosen_rows(table(["refused", "scored"]), 0) == []
    assert chosen_rows(table(["refused", "refused"]), None) == []


def test_chosen_rows_are_found_across_row_groups(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"n": list(range(10))}), path, row_group_size=3)
    assert [row["n"] for row in rows_at(path, [0, 2, 3, 9])] == [0, 2, 3, 9]


def test_salts_are_at_no_moment_readable_by_others(scores: Path, tmp_path: Path) -> None:
    modes: list[int] = []
    replace = os.replace

    def watched(source: str, target: Path) -> None:
        if Path(target).name == "subject_salts.csv":
            modes.append(stat.S_IMODE(Path(source).stat().st_mode))
        replace(source, target)

    def no_change(path: object, mode: int, **_: object) -> None:
        assert mode == 0o600 or "subject_salts" not in str(path)

    issued = issue_passports(scores, chosen(scores), small_bundle(), Evidence({}), TERMS)
    with mock.patch("os.replace", watched), mock.patch("os.chmod", no_change):
        write_passports(issued, tmp_path / "out")
    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / "out" / "subject_salts.csv").stat().st_mode) == 0o600


def test_written_passports_are_named_by_pseudonym_and_salts_are_private(scores: Path, tmp_path: Path) -> None:
    issued = list(issue_passports(scores, chosen(scores), small_bundle(), Evidence({}), TERMS))
    assert write_passports(iter(issued), tmp_path / "out") == 2
    names = sorted(path.name for path in (tmp_path / "out" / "passports").iterdir())
    expected = [f"{one.pseudonym}{suffix}" for one in issued for suffix in (".json", ".en.html", ".zh.html")]
    assert names == sorted(expected)
    salts = tmp_path / "out" / "subject_salts.csv"
    assert stat.S_IMODE(salts.stat().st_mode) == 0o600
    with salts.open(encoding="utf-8", newline="") as file:
        for line, one in zip(csv.DictReader(file), issued, strict=True):
            told = verify_credential(one.data, ISSUED_ON, TRUST).document["credentialSubject"]
            assert told["subject_commitment"]["value"] == subject_commitment(line["salt"], line["seller_id"])


def test_no_passports_leave_no_files(tmp_path: Path) -> None:
    assert write_passports(iter(()), tmp_path / "out") == 0
    assert not (tmp_path / "out").exists()
