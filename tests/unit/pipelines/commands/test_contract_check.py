"""A file checked in pieces becomes the three files of its rows checked at once, whatever the pieces."""

from __future__ import annotations

import dataclasses
import os
import stat
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused
from data_contracts.lineage import concat_quarantine
from data_contracts.reading.dispatch import read_file
from data_contracts.values.casting import cast_columns
from pipelines.commands.contract_check import check_file, described, sort_file
from pipelines.ingest.spill import parquet as grouped_parquet
from pipelines.runs.publish import read_parquet
from tests.factories.contracts import column, contract_of, delimited
from tests.unit.pipelines.runs.test_canaries import SOURCES, canary_of, damaged, sample

CONTRACT = contract_of(
    [
        {**column("number", "string"), "physicalName": "Number", "unique": True},
        {**column("state", "string", physicalType="dictionary"), "physicalName": "State", "enum": [{"value": "paid"}]},
        {**column("amount", "number"), "physicalName": "Amount"},
    ],
    server=delimited(",", quote='"', quotedNewlines=True),
)
MONEY = contract_of(
    [
        {**column("number", "string"), "physicalName": "Number", "unique": True},
        {**column("amount", "number", custom={"unit": "currency of the row"}), "physicalName": "Amount"},
    ],
    server=delimited(";"),
)
GOOD = [f'{number},paid,{number}.25,"line\nof {number}"' for number in range(60)]
BAD = ["7,paid,1.00,again", "70,due,1.00,rule", "71,paid,1O.00,type", "72,paid", '73,pa"id,1.00,quote', ""]
DATA = "\n".join(["Number,State,Amount,Note", *GOOD, *BAD, *GOOD[:3], "80,paid,1.00,end", ""]).encode()
FILES = ("accepted.parquet", "quarantined.parquet", "duplicates.parquet")


def _sorted(folder: Path, piece_bytes: int) -> dict[str, bytes]:
    (folder / "payouts.csv").write_bytes(DATA)
    outcome = sort_file(folder / "payouts.csv", CONTRACT, folder / "out", piece_bytes)
    assert (outcome.rows_in, outcome.accepted, outcome.quarantined, outcome.duplicates) == (69, 61, 4, 4)
    assert sorted(path.name for path in (folder / "out").iterdir()) == sorted(FILES)
    return {name: (folder / "out" / name).read_bytes() for name in FILES}


def test_rows_are_typed_and_records_complete(tmp_path: Path) -> None:
    _sorted(tmp_path, piece_bytes=200)
    typed = cast_columns(read_file(DATA, CONTRACT, "payouts.csv"), CONTRACT)
    whole = check_rows(typed.rows, CONTRACT, typed.origin)
    quarantined = concat_quarantine([typed.quarantined, whole.quarantined]).sort_by("source_row")
    for name, wanted in zip(FILES, (whole.accepted, quarantined, whole.duplicates), strict=True):
        assert read_parquet(tmp_path / "out" / name).to_pylist() == wanted.to_pylist()
        assert read_parquet(tmp_path / "out" / name).schema == wanted.schema


def test_a_file_of_another_encoding_is_read_whole_with_the_same_result(tmp_path: Path) -> None:
    in_pieces = _sorted(tmp_path, piece_bytes=200)
    spec = dataclasses.replace(CONTRACT.read_spec, encoding="gb18030")
    (tmp_path / "payouts.csv").write_bytes(DATA)
    sort_file(tmp_path / "payouts.csv", dataclasses.replace(CONTRACT, read_spec=spec), tmp_path / "whole")
    assert {name: (tmp_path / "whole" / name).read_bytes() for name in FILES} == in_pieces


@pytest.mark.parametrize("piece_bytes", [30, 10_000])
@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["1.250", *["7"] * 40, "12,50"], [Decimal(1250), *[Decimal(7)] * 40, Decimal("12.5")]),
        (["1.250", *["7"] * 40, "12.50"], [Decimal("1.25"), *[Decimal(7)] * 40, Decimal("12.5")]),
        (["1.250", *["7"] * 40], [Decimal(7)] * 40),
        (["12.50", *["7"] * 40, "12,50"], [Decimal("12.5"), *[Decimal(7)] * 40]),
    ],
    ids=["comma", "point", "doubtful", "both"],
)
def test_the_decimal_mark_is_decided_from_all_cells_of_the_file(
    tmp_path: Path, written: list[str], read: list[Decimal], piece_bytes: int
) -> None:
    lines = [f"{number};{amount}" for number, amount in enumerate(written)]
    (tmp_path / "payouts.csv").write_text("\n".join(["Number;Amount", *lines, ""]))
    outcome = sort_file(tmp_path / "payouts.csv", MONEY, tmp_path / "out", piece_bytes)
    assert read_parquet(tmp_path / "out" / "accepted.parquet")["amount"].to_pylist() == read
    assert outcome.unusable_by_rule == ({} if len(read) == len(written) else {"type:amount": 1})


def test_broken_rules_are_reported_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "payouts.csv").write_bytes(DATA)
    outcome = check_file(tmp_path / "payouts.csv", CONTRACT, tmp_path / "out")
    assert described(outcome) == [
        "69 rows: 61 accepted, 4 quarantined, 4 duplicates",
        "  line:quote: 1 lines or cells",
        "  line:width: 1 lines or cells",
        "  type:amount: 1 lines or cells",
        "  number:unique: broken by 8",
        "  state:enum: broken by 1",
        "  note: 1 columns that are not in the contract were ignored: 'Note'",
        "  note: 1 blank lines were skipped",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_no_word_of_a_personal_column_is_left_in_clear(source: str, tmp_path: Path) -> None:
    contract = source_contract(source)
    for name, data in (("good", sample(source)), ("bad", damaged(source, contract))):
        (tmp_path / name).write_bytes(data)
        lines = described(sort_file(tmp_path / name, contract, tmp_path / f"{name}_out"))
        tables = [read_parquet(path).to_pylist() for path in (tmp_path / f"{name}_out").iterdir()]
        assert len(tables) == 3
        assert canary_of(source) not in f"{lines} {tables}"
        assert any("personal columns were left out" in line for line in lines)


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "payouts.csv").write_bytes(DATA)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / ".accepted.parquet.partial").write_bytes(b"left by a run that was killed")
    before = os.umask(0)
    try:
        for folder in (tmp_path / "out", tmp_path / "old"):
            sort_file(tmp_path / "payouts.csv", CONTRACT, folder)
            assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no such file"):
        check_file(tmp_path / "absent.csv", CONTRACT, tmp_path / "out")


@pytest.mark.parametrize("group_rows", [7, 2**17])
def test_the_bytes_do_not_depend_on_where_pieces_end(
    tmp_path: Path, group_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped_parquet, "ROW_GROUP_ROWS", group_rows)
    written = []
    for piece_bytes in (1, 333, 10**6):
        folder = tmp_path / str(piece_bytes)
        folder.mkdir()
        written.append(_sorted(folder, piece_bytes))
    assert written[0] == written[1] == written[2]


def test_a_refused_file_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "payouts.csv").write_bytes(DATA + b"\xff\n")
    with pytest.raises(InputRefused, match=r"row 135: byte 0xff at offset \d+ is not valid utf-8"):
        sort_file(tmp_path / "payouts.csv", CONTRACT, tmp_path / "out", 200)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_table_written_in_parts_is_read_as_one(tmp_path: Path) -> None:
    table = pa.table({"state": pa.array(["a", "b", "a", None]).dictionary_encode(), "number": pa.array([1, 2, 3, 4])})
    with grouped_parquet.GroupedParquet(tmp_path / "rows.parquet", table.schema) as file:
        file.write(table.slice(0, 1))
        file.write(table.slice(1))
    assert read_parquet(tmp_path / "rows.parquet").to_pylist() == table.to_pylist()
