"""Whatever stands in an applicant file, every row comes back once, and no row ends the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.profiles import load_profile
from pipelines.runs.publish import read_parquet
from pipelines.runs.stages import Place
from pipelines.score.command import ScoreOptions, score_command
from pipelines.score_codes import score_codes
from tests.factories.files import hostile_applicants as hostile
from tests.factories.invoice_world import invoice_matrix, publish_tables, write_invoice_bundle
from tests.factories.scoring import KEYS

ROWS = {"csv": 2500, "spoilt csv": 1500, "xlsx": 2500, "parquet": 250, "identifiers": 1000}
PARQUET_FILES = 10
FIGURES = ("probability_of_default", "score", "grade", "reasons")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScoreOptions]:
    """Return options with a bundle, the tables of forty sellers and a few passports."""
    folder = tmp_path_factory.mktemp("desk")
    write_invoice_bundle(folder / "bundle")
    place = Place("demo", folder / "artifacts")
    publish_tables(place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScoreOptions, "keys", lambda _: KEYS)
        yield ScoreOptions(
            out=folder / "out",
            profile=load_profile("demo"),
            place=place,
            issued_on=date(2024, 7, 15),
            bundle=folder / "bundle",
            as_of=date(2024, 6, 30),
            passport_count=5,
            unpromoted=True,
        )


def header() -> list[str]:
    return ["applicant_id", *invoice_matrix().column_names]


def good_rows() -> list[list[str]]:
    return [
        ["A", *("" if value is None else str(value) for value in row.values())] for row in invoice_matrix().to_pylist()
    ]


def scored(path: Path, options: ScoreOptions) -> list[dict[str, object]]:
    """Score a file, and check what holds of every row."""
    outcome = score_command(path, replace(options, out=path.with_suffix(".out")))
    rows = read_parquet(outcome.folder / "passports.parquet").to_pylist()
    for row in rows:
        is_refused = row["status"] == "refused"
        assert [row[name] is None for name in FIGURES] == [is_refused] * len(FIGURES), row
        codes = [code.partition(":")[0] for code in str(row["codes"]).split(";") if code]
        assert bool(codes) == (row["status"] != "scored"), row
        # Each code is explained, and means what the row's status says.
        assert all(score_codes()[code].status == row["status"] for code in codes), row
    assert outcome.counts.rows == len(rows)
    assert outcome.counts.scored >= 1
    return rows


def test_the_rows_add_up_to_ten_thousand() -> None:
    assert sum(ROWS.values()) + (PARQUET_FILES - 1) * ROWS["parquet"] >= 10_000


def test_every_row_of_a_csv_comes_back_once_in_its_place(desk: ScoreOptions, tmp_path: Path) -> None:
    given = hostile.hostile_rows(good_rows(), ROWS["csv"], seed=1)
    starts = hostile.write_csv(tmp_path / "a.csv", header(), given)
    assert [row["source_row"] for row in scored(tmp_path / "a.csv", desk)] == starts


def test_every_line_of_a_csv_that_is_not_well_formed_comes_back_in_one_row(desk: ScoreOptions, tmp_path: Path) -> None:
    given = hostile.hostile_rows(good_rows(), ROWS["spoilt csv"], seed=2)
    hostile.write_spoilt_csv(tmp_path / "a.csv", header(), given, seed=3)
    lines = (tmp_path / "a.csv").read_bytes().split(b"\n")[:-1]
    found = [row["source_row"] for row in scored(tmp_path / "a.csv", desk)]
    assert len(set(found)) == len(found)
    filled = {number for number, line in enumerate(lines, start=1) if number > 1 and line.rstrip(b"\r")}
    assert set(found) <= filled
    # A line without a row of its own continues a quoted cell, so it stands after one that opens a quote.
    opened = {number for number in filled - set(found) if b'"' in b"".join(lines[max(number - 6, 0) : number])}
    assert filled - set(found) <= opened


def test_every_row_of_a_workbook_comes_back_once_in_its_place(desk: ScoreOptions, tmp_path: Path) -> None:
    given = hostile.hostile_rows(good_rows(), ROWS["xlsx"], seed=4)
    numbers = hostile.write_xlsx(tmp_path / "a.xlsx", header(), given, seed=5)
    assert [row["source_row"] for row in scored(tmp_path / "a.xlsx", desk)] == numbers


def test_every_row_of_a_parquet_file_comes_back_once_in_its_place(desk: ScoreOptions, tmp_path: Path) -> None:
    kinds: set[pa.DataType] = set()
    for seed in range(PARQUET_FILES):
        table = hostile.parquet_table(invoice_matrix(), ROWS["parquet"], seed)
        kinds |= {field.type for field in table.schema}
        numbers = hostile.write_parquet_file(tmp_path / f"{seed}.parquet", table)
        rows = score_command(tmp_path / f"{seed}.parquet", replace(desk, out=tmp_path / str(seed)))
        found = read_parquet(rows.folder / "passports.parquet")["source_row"].to_pylist()
        assert found == numbers, table.schema
    assert len(kinds) > 12


def test_every_row_of_a_list_of_identifiers_comes_back_once_in_its_place(desk: ScoreOptions, tmp_path: Path) -> None:
    given = [row[:3] for row in hostile.hostile_rows(good_rows(), ROWS["identifiers"], seed=6)]
    starts = hostile.write_csv(tmp_path / "a.csv", hostile.IDENTITIES, given)
    assert [row["source_row"] for row in scored(tmp_path / "a.csv", desk)] == starts
