"""``passport recognise`` and ``passport contract diff`` as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from data_contracts.definition.compiler import source_contract
from tests.factories.contracts import column, contract_document, delimited
from tests.factories.files.header_files import every_column, header_file

PASSPORT = Path(sys.executable).with_name("passport")
LOANS = header_file(source_contract("lender_loans"), every_column(source_contract("lender_loans")))


def typed(*arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([PASSPORT, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def contract_file(path: Path, header: str) -> Path:
    document = contract_document([column("amount", "number", header=header)], server=delimited())
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_recognise_names_the_contract_of_each_file_and_ends_with_0_or_2(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(LOANS)
    done = typed("recognise", tmp_path / "a.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{tmp_path}/a.csv: matches lender_loans@2.0.0 (9 of its 9 columns)",
        "recognise: 1 files, 1 meet a contract, 0 meet none",
    ]
    (tmp_path / "b.csv").write_bytes(LOANS.replace(b"Principal", b"Principle"))
    done = typed("recognise", tmp_path)
    assert done.returncode == 2
    assert done.stdout.splitlines()[1:] == [
        f"{tmp_path}/b.csv: matches no contract; nearest: lender_loans@2.0.0 (8 of its 9 columns, 1 foreign)",
        "  missing: 'Principal' (贷款本金); closest present: 'Principle'",
        "  foreign: 'Principle'",
        "recognise: 2 files, 1 meet a contract, 1 meet none",
    ]


def test_recognise_refuses_a_path_with_nothing_there_in_one_line(tmp_path: Path) -> None:
    done = typed("recognise", tmp_path / "absent.csv")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "remedy" in done.stderr


def test_contract_diff_ends_with_1_when_something_breaks_and_0_when_nothing_does(tmp_path: Path) -> None:
    before, after = contract_file(tmp_path / "a.yaml", "Amount"), contract_file(tmp_path / "b.yaml", "Аmount")
    done = typed("contract", "diff", before, after)
    assert done.returncode == 1
    assert "breaking: header looks the same but differs: amount" in done.stdout
    assert "CYRILLIC CAPITAL LETTER A" in done.stdout
    assert typed("contract", "diff", before, before).returncode == 0
    assert typed("contract", "diff", "lender_loans", "lender_loans").returncode == 0


def test_contract_diff_refuses_a_file_that_is_not_a_contract_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("[1, 2", encoding="utf-8")
    for wrong in (broken, tmp_path / "absent.yaml"):
        done = typed("contract", "diff", wrong, "lender_loans")
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
