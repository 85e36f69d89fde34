"""The world's bank statements: payouts find their credits, balances follow, other files stay as they were."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from benchmarks.bank_matching import one_world
from simulator.settings import ObservationSettings, WorldSettings
from simulator.writing import write_world

LAST_DAY = date(2020, 12, 31)


def settings(share: float) -> WorldSettings:
    observation = ObservationSettings(bank_statement_share=share)
    return WorldSettings(seller_count=60, seed=5, last_day=LAST_DAY, observation=observation)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_true_payouts_are_matched_with_their_own_credits() -> None:
    found = one_world(settings(1.0))
    assert found["payouts in the bank"] > 200
    assert found["matched rightly"] >= 0.99 * found["payouts in the bank"]
    assert found["matched falsely"] == 0


@pytest.mark.slow
def test_bank_statements_change_no_other_file(tmp_path: Path) -> None:
    for name, share in (("without", 0.0), ("with", 0.5)):
        write_world(settings(share), tmp_path / name)
    without, with_banks = digests(tmp_path / "without"), digests(tmp_path / "with")
    added = set(with_banks) - set(without)
    listed = {"raw/deliveries.csv"}
    assert any(name.startswith("raw/camt053_statement/") for name in added)
    assert any(name.startswith("raw/china_bank_statement/") for name in added)
    kept = {name: digest for name, digest in with_banks.items() if name not in {*added, *listed}}
    banks_left_out = {name: digest for name, digest in without.items() if name not in listed}
    assert kept == banks_left_out
