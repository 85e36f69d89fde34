"""``passport contract check`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pipelines.runs.publish import read_parquet
from tests.factories.contracts import column, contract_document, delimited

PASSPORT = Path(sys.executable).with_name("passport")
AMOUNT = {**column("amount", "number", header="Amount"), "required": True}


def checked(folder: Path, data: bytes) -> subprocess.CompletedProcess[str]:
    document = contract_document([AMOUNT, column("note", header="Note")], server=delimited(","))
    (folder / "contract.yaml").write_text(json.dumps(document), encoding="utf-8")
    (folder / "payouts.csv").write_bytes(data)
    command = [PASSPORT, "contract", "check", folder / "contract.yaml", folder / "payouts.csv", "--out", folder / "out"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_rows_that_break_a_rule_are_set_aside_and_reported(tmp_path: Path) -> None:
    done = checked(tmp_path, b"Amount,Note\n1.00,a\n,b\nmuch,c\n2.00\n")
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            "4 rows: 1 accepted, 3 quarantined, 0 duplicates",
            "  line:width: 1 lines or cells",
            "  type:amount: 1 lines or cells",
            "  amount:required: broken by 1",
        ],
    )
    aside = read_parquet(tmp_path / "out" / "quarantined.parquet").to_pylist()
    assert [(record["source_row"], record["original"]) for record in aside] == [
        (3, b",b"),
        (4, b"much,c"),
        (5, b"2.00"),
    ]


def test_a_file_that_is_not_the_contracts_is_refused_in_one_line(tmp_path: Path) -> None:
    done = checked(tmp_path, b"Sum,Note\n1.00,a\n")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "'Amount'" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
