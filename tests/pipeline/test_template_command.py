"""``passport template`` as a user types it, and its output read back by ingest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from data_contracts.definition.compiler import template_names
from tests.factories.files.templates import SELLER, template_row
from tests.factories.raw_files import RawFile, ingested, only_account

PASSPORT = Path(sys.executable).with_name("passport")


def typed(*arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([PASSPORT, "template", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_every_template_is_listed_once() -> None:
    lines = typed("--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*template_names(), "wallet_statement", "applicants"]
    assert typed().stdout.splitlines() == lines


def test_a_written_template_filled_in_is_accepted_by_ingest(tmp_path: Path) -> None:
    for language in ("en", "zh"):
        path = tmp_path / f"{language}.csv"
        done = typed("inventory_snapshot", "--out", path, "--language", language)
        assert done.returncode == 0, done.stderr
        assert "template_inventory_snapshot" in done.stdout
        filled = path.read_bytes() + (",".join(template_row("inventory_snapshot").values()) + "\n").encode()
        raw = tmp_path / language
        account = only_account(ingested(raw, [RawFile("a.csv", "template_inventory_snapshot", filled, SELLER)]))
        assert (account.rows_in, account.accepted, account.notes) == (1, 1, ())


def test_a_wallets_statement_has_a_template_whose_rows_are_accepted_by_ingest(tmp_path: Path) -> None:
    row = "PingPong,A1,2023-03-21,09:00,Payout,Amazon,USD,100.00,,,100.00,T1\n"
    for language in ("en", "zh"):
        path = tmp_path / f"{language}.csv"
        done = typed("wallet_statement", "--out", path, "--language", language)
        assert "as source wallet_statement" in done.stdout
        account = only_account(
            ingested(
                tmp_path / language, [RawFile("w.csv", "wallet_statement", path.read_bytes() + row.encode(), SELLER)]
            )
        )
        assert (account.rows_in, account.accepted) == (1, 1)


def test_without_a_file_the_header_is_printed_and_nothing_else() -> None:
    done = typed("pledge")
    assert done.stdout.splitlines() == [",".join(template_row("pledge"))]


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "pledge.csv"
    path.write_text("filled in")
    done = typed("pledge", "--out", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "may have been filled in" in done.stderr
    assert path.read_text() == "filled in"


def test_an_unknown_table_is_refused_in_one_line_with_those_there_are() -> None:
    done = typed("no_such_table")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "no_such_table" in line
    assert "inventory_snapshot" in line
