"""The promotion ledger: decisions stay, and every tampering shows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data_contracts.errors import IntegrityRefused
from models.registry.promotion_ledger import (
    LEDGER_FILE,
    Decision,
    GateLine,
    append_decision,
    champion_in_force,
    read_ledger,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MODEL = "seller-default"


def a_decision(day: int, digest: str, outcome: str = "promoted") -> Decision:
    return Decision.model_validate(
        {
            "outcome": outcome,
            "model_name": MODEL,
            "version": str(day),
            "bundle_sha256": digest * 32,
            "decided_at": datetime(2025, 7, day, 12, tzinfo=UTC),
            "approver": "model committee",
            "reason": "first champion",
            "gates": (GateLine(gate="signature", passed=True, measured="holds", limit="holds"),),
        }
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    for day, digest, outcome in ((1, "aa", "promoted"), (5, "bb", "refused"), (9, "cc", "promoted")):
        append_decision(tmp_path, a_decision(day, digest, outcome), KEY)
    return tmp_path


def test_decisions_come_back_in_order_with_what_they_replaced(ledger: Path) -> None:
    entries = read_ledger(ledger, KEY.public_key())
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert [entry.previous_champion_sha256 for entry in entries] == [None, "aa" * 32, "aa" * 32]


def test_a_refused_candidate_never_becomes_champion(ledger: Path) -> None:
    entries = read_ledger(ledger, KEY.public_key())
    answers = [champion_in_force(entries[:count], MODEL) for count in (1, 2, 3)]
    assert [entry.bundle_sha256[:2] for entry in answers if entry is not None] == ["aa", "aa", "cc"]
    assert champion_in_force([], MODEL) is None
    assert champion_in_force(entries, "another model") is None


def test_no_ledger_is_an_empty_one(tmp_path: Path) -> None:
    assert read_ledger(tmp_path, KEY.public_key()) == ()


def test_every_changed_byte_is_found(ledger: Path) -> None:
    path = ledger / LEDGER_FILE
    data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(IntegrityRefused):
            read_ledger(ledger, KEY.public_key())


@pytest.mark.parametrize(
    "order",
    [(0, 1, 3), (0, 2, 3), (1, 2, 3), (1, 0, 2, 3), (0, 1, 2), (0, 1, 2, 2, 3), (3,), (0,), (), (0, 1, 2, 3, 3)],
)
def test_removed_reordered_repeated_and_cut_lines_are_found(ledger: Path, order: tuple[int, ...]) -> None:
    path = ledger / LEDGER_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 4
    path.write_bytes(b"".join(lines[index] for index in order))
    with pytest.raises(IntegrityRefused):
        read_ledger(ledger, KEY.public_key())


def test_a_ledger_written_anew_with_another_key_is_found(ledger: Path, tmp_path: Path) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    forged = tmp_path / "forged"
    append_decision(forged, a_decision(1, "dd"), other)
    (ledger / LEDGER_FILE).write_bytes((forged / LEDGER_FILE).read_bytes())
    with pytest.raises(IntegrityRefused, match="signed"):
        read_ledger(ledger, KEY.public_key())


def test_nothing_is_written_after_a_broken_ledger(ledger: Path) -> None:
    path = ledger / LEDGER_FILE
    path.write_bytes(path.read_bytes().replace(b"committee", b"committed"))
    broken = path.read_bytes()
    with pytest.raises(IntegrityRefused):
        append_decision(ledger, a_decision(10, "ee"), KEY)
    assert path.read_bytes() == broken
