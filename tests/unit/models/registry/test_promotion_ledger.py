"""The promotion ledger: decisions stay, and every tampering shows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.registry.promotion_ledger import (
    LEDGER_FILE,
    Decision,
    GateLine,
    Ledger,
    LedgerEntry,
    champion_in_force,
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
        Ledger(tmp_path).append(a_decision(day, digest, outcome), KEY)
    return tmp_path


def test_decisions_come_back_in_order_with_what_they_replaced(ledger: Path) -> None:
    entries = Ledger(ledger).read(KEY.public_key())
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert [entry.previous_champion_sha256 for entry in entries] == [None, "aa" * 32, "aa" * 32]


def test_a_refused_candidate_never_becomes_champion(ledger: Path) -> None:
    entries = Ledger(ledger).read(KEY.public_key())
    answers = [champion_in_force(entries[:count], MODEL) for count in (1, 2, 3)]
    assert [entry.bundle_sha256[:2] for entry in answers if entry is not None] == ["aa", "aa", "cc"]
    assert champion_in_force([], MODEL) is None
    assert champion_in_force(entries, "another model") is None


def test_no_ledger_is_an_empty_one(tmp_path: Path) -> None:
    assert Ledger(tmp_path).read(KEY.public_key()) == ()


def test_every_changed_byte_is_found(ledger: Path) -> None:
    path = ledger / LEDGER_FILE
    data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(IntegrityRefused):
            Ledger(ledger).read(KEY.public_key())


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
        Ledger(ledger).read(KEY.public_key())


def test_a_ledger_written_anew_with_another_key_is_found(ledger: Path, tmp_path: Path) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    forged = tmp_path / "forged"
    Ledger(forged).append(a_decision(1, "dd"), other)
    (ledger / LEDGER_FILE).write_bytes((forged / LEDGER_FILE).read_bytes())
    with pytest.raises(IntegrityRefused, match="signed"):
        Ledger(ledger).read(KEY.public_key())


def test_nothing_is_written_after_a_broken_ledger(ledger: Path) -> None:
    path = ledger / LEDGER_FILE
    path.write_bytes(path.read_bytes().replace(b"committee", b"committed"))
    broken = path.read_bytes()
    with pytest.raises(IntegrityRefused):
        Ledger(ledger).append(a_decision(10, "ee"), KEY)
    assert path.read_bytes() == broken


@pytest.fixture
def kept(ledger: Path, tmp_path: Path) -> Ledger:
    """Return the ledger with its head kept beside the keys and with a witness."""
    found = Ledger(ledger, (tmp_path / "keys" / "heads", tmp_path / "witness"))
    found.append(a_decision(7, "dd"), KEY)
    return found


@pytest.mark.parametrize("state", ["cut", "removed", "another"])
@pytest.mark.parametrize("witness", [0, 1])
def test_a_ledger_set_back_to_an_older_state_is_refused_by_each_kept_head(
    kept: Ledger, tmp_path: Path, state: str, witness: int
) -> None:
    entries = kept.read(KEY.public_key())
    path = kept.log.path
    path.unlink()
    if state == "cut":
        for entry in entries[:-1]:
            Ledger(kept.folder).append(a_decision_like(entry), KEY)
    elif state == "another":
        for number in range(len(entries) + 2):
            Ledger(kept.folder).append(a_decision(number + 1, f"{number:02d}"), KEY)
    assert (len(Ledger(kept.folder).read(KEY.public_key())) > 0) == (state != "removed")
    only = Ledger(kept.folder, (kept.head_folders[witness],))
    with pytest.raises(IntegrityRefused, match=r"was set back: .*; remedy: put back the latest copy"):
        only.read(KEY.public_key())
    with pytest.raises(IntegrityRefused, match="set back"):
        only.append(a_decision(20, "ee"), KEY)


def a_decision_like(entry: LedgerEntry) -> Decision:
    return Decision.model_validate({name: getattr(entry, name) for name in Decision.model_fields})


def test_a_head_that_a_killed_run_left_behind_is_fine_and_is_brought_up_to_date(kept: Ledger) -> None:
    heads = kept.log.head_files(KEY.public_key())
    older = [head.read_bytes() for head in heads]
    kept.append(a_decision(8, "ee"), KEY)
    newer = [head.read_bytes() for head in heads]
    for head, data in zip(heads, older, strict=True):
        head.write_bytes(data)
    assert len(kept.read(KEY.public_key())) > 1
    assert kept.append(a_decision(8, "ee"), KEY) is None  # decided already
    assert [head.read_bytes() for head in heads] == newer


def test_a_head_that_is_gone_is_kept_again_and_a_damaged_one_is_refused(kept: Ledger) -> None:
    first, _ = kept.log.head_files(KEY.public_key())
    first.unlink()
    kept.append(a_decision(9, "ee"), KEY)
    assert first.is_file()
    first.write_bytes(first.read_bytes().replace(b'"entries":', b'"entries":1'))
    with pytest.raises(IntegrityRefused, match=r"is damaged .*; remedy: compare"):
        kept.read(KEY.public_key())


def test_a_ledger_that_was_removed_with_its_registry_starts_anew(kept: Ledger, tmp_path: Path) -> None:
    registry = tmp_path / "mlflow.db"
    registry.touch()
    beside = Ledger(kept.folder, kept.head_folders, registry)
    kept.log.path.unlink()
    with pytest.raises(IntegrityRefused, match="was set back"):
        beside.read(KEY.public_key())
    registry.unlink()
    assert beside.read(KEY.public_key()) == ()
    beside.append(a_decision(1, "aa"), KEY)
    registry.touch()
    assert len(beside.read(KEY.public_key())) == 1
    # From then on it is watched again.
    kept.log.path.unlink()
    with pytest.raises(IntegrityRefused, match="was set back"):
        beside.read(KEY.public_key())


def test_a_copy_elsewhere_and_a_ledger_of_other_keys_have_heads_of_their_own(kept: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "elsewhere", kept.head_folders)
    other.append(a_decision(1, "aa"), KEY)
    assert len(other.read(KEY.public_key())) == 1
    kept.log.path.unlink()
    new_key = Ed25519PrivateKey.generate()
    kept.append(a_decision(1, "bb"), new_key)
    assert len(kept.read(new_key.public_key())) == 1


def test_a_head_that_cannot_be_kept_is_said_and_the_entry_is_not_lost(ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    found = Ledger(ledger, (tmp_path / "file",))
    count = len(found.read(KEY.public_key()))
    with pytest.raises(ConfigurationRefused, match="head of the promotion ledger cannot be kept"):
        found.append(a_decision(12, "ee"), KEY)
    assert len(found.read(KEY.public_key())) == count + 1
