"""The guide for one's own data, followed to the letter on files that no profile knows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_contracts.digest import sha256_file
from pipelines.profiles import shipped_profiles
from pipelines.runs.publish import read_json
from pipelines.runs.stages import Place, current_output
from tests.factories.files.own_files import write_own_files
from tests.factories.guides import Block, blocks, copy_checkout, readers_environment, run_block
from tests.factories.small_run import CHECKOUT
from tests.pipeline.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Mapping

GUIDE = CHECKOUT / "docs" / "your_own_data.md"
SEED = 22
APPLICANT = "S000017"
# The reader's files are real; those of this test are not, and its passports must say so.
HONEST = {
    "is_synthetic = false": "is_synthetic = true",
    'evidence = "loan book of My Lender"': 'evidence = "simulated files"',
}


@pytest.fixture
def own(tmp_path: Path) -> Desk:
    """Return the folder in which every block of the guide has been followed, one after the other."""
    folder = tmp_path / "my_lender"
    found = readers_environment(copy_checkout(tmp_path))
    write_own_files(folder, SEED, APPLICANT)
    for block in blocks(GUIDE):
        follow(block, folder, found)
    return Desk(folder, folder / ".keys")


def follow(block: Block, folder: Path, found: Mapping[str, str]) -> None:
    """Save a file that the guide shows, or run its commands; other blocks are there to be read."""
    if block.language == "shell":
        run_block(block, folder, found)
    elif block.title:
        (folder / block.title).write_text(replaced(block.text, HONEST), encoding="utf-8")


def replaced(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"the guide no longer says {old!r}"
        text = text.replace(old, new)
    return text


def test_it_ends_in_a_champion_and_a_passport_of_the_readers_own(own: Desk, tmp_path: Path) -> None:
    require_champion(own)
    (passport,) = (own.folder / "results" / "passports").glob("*.json")
    require_own_issuer(own, passport)
    require_refused_once_changed(own, passport, tmp_path / "changed.json")


def require_champion(own: Desk) -> None:
    place = Place("my_lender", own.folder / "artifacts")
    assert place.profile_name not in shipped_profiles()
    registration = read_json(current_output(place, "register", "registration.json"))
    assert registration["champion"] is not None
    assert (place.root / "index.html").is_file()


def require_own_issuer(own: Desk, passport: Path) -> None:
    said = json.loads(passport.read_bytes())
    trust = json.loads((own.keys / "my_lender" / "trust.json").read_bytes())
    assert trust["issuers"][0]["did"] in json.dumps(said["issuer"])
    assert said["credentialSubject"]["evidence"] == "simulated files"
    assert said["credentialSubject"]["demonstration"] is False


def require_refused_once_changed(own: Desk, passport: Path, changed: Path) -> None:
    changed.write_text(re.sub(r'"score":"(\d)', r'"score":"9', passport.read_text(encoding="utf-8"), count=1))
    assert sha256_file(changed) != sha256_file(passport)
    done = own.type("verify", changed, "--trust", own.keys / "my_lender" / "trust.json", "--on", "2025-02-01")
    assert done.returncode == 2


def test_the_rows_of_a_loan_book_that_it_shows_meet_their_contracts(tmp_path: Path) -> None:
    desk = Desk(tmp_path, tmp_path / ".keys")
    shown = [block for block in blocks(GUIDE) if block.language == "csv"]
    for number, (block, source) in enumerate(zip(shown, ("lender_loans", "lender_repayments"), strict=True)):
        file = tmp_path / f"{source}.csv"
        file.write_text(block.text, encoding="utf-8")
        done = desk.type("contract", "check", source, file, "--out", tmp_path / str(number))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 rows: 2 accepted" in done.stdout
