"""The promotion ledger: decisions stay, and every tampering shows."""

from __future__ import annotations

import errno
import json
import re
import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.registry import chained_log
from models.registry.promotion_ledger import (
    LEDGER_FILE,
    Decision,
    GateLine,
    Ledger,
    LedgerEntry,
    challenger_in_force,
    champion_before,
    champion_in_force,
    incumbent_of,
    is_rolled_back,
    is_written,
    promotion_of,
    promotion_state,
    promotions_of,
)
from models.registry.sealed_folder import key_id

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
            "approver": "model committee 模型委员会",
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
    assert entries[0].previous_sha256 == "0" * 64
    for line in (ledger / LEDGER_FILE).read_bytes().splitlines():
        assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")).encode()
    assert [entry.previous_champion_sha256 for entry in entries] == [None, "aa" * 32, "aa" * 32]


def test_a_refused_candidate_never_becomes_champion(ledger: Path) -> None:
    entries = Ledger(ledger).read(KEY.public_key())
    answers = [champion_in_force(entries[:count], MODEL) for count in (1, 2, 3)]
    assert [entry.bundle_sha256[:2] for entry in answers if entry is not None] == ["aa", "aa", "cc"]
    assert champion_in_force([], MODEL) is None
    assert champion_in_force(entries, "another model") is None


def history(tmp_path: Path, *decisions: tuple[int, str, str]) -> tuple[LedgerEntry, ...]:
    """Return the entries of a ledger of decisions: day, digest and outcome."""
    for day, digest, outcome in decisions:
        Ledger(tmp_path).append(a_decision(day, digest, outcome), KEY)
    return Ledger(tmp_path).read(KEY.public_key())


def test_a_ledger_says_whether_a_bundle_is_in_force_was_or_never_was(ledger: Path) -> None:
    entries = Ledger(ledger).read(KEY.public_key())
    states = [promotion_state(entries, digest * 32) for digest in ("cc", "aa", "bb", "dd")]
    assert states == ["champion", "earlier_champion", "not_promoted", "not_promoted"]
    assert promotion_state(entries[:2], "aa" * 32) == "champion"


def test_the_champion_of_a_day_is_the_one_at_its_end(ledger: Path) -> None:
    entries = Ledger(ledger).read(KEY.public_key())
    found = [champion_in_force(entries, MODEL, date(2025, 7, day)) for day in (8, 9, 10)]
    assert [entry.bundle_sha256[:2] for entry in found if entry is not None] == ["aa", "cc", "cc"]
    assert champion_in_force(entries, MODEL, date(2025, 6, 30)) is None


def test_a_restored_version_is_champion_and_goes_back_to_what_it_replaced_when_it_passed(tmp_path: Path) -> None:
    entries = history(
        tmp_path, (1, "aa", "promoted"), (2, "bb", "promoted"), (3, "cc", "promoted"), (4, "bb", "restored")
    )
    champion = champion_in_force(entries, MODEL)
    assert champion is not None
    assert (champion.bundle_sha256, champion.sequence) == ("bb" * 32, 4)
    before = champion_before(entries, MODEL)
    assert before is not None
    assert before.bundle_sha256 == "aa" * 32
    assert [entry.sequence for entry in promotions_of(entries, MODEL)] == [1, 2, 3, 4]
    passed = promotion_of(entries, MODEL, "bb" * 32)
    assert passed is not None
    assert passed.sequence == 2
    assert promotion_of(entries, MODEL, "dd" * 32) is None
    assert promotions_of(entries, "another model") == ()
    assert champion_before(entries[:1], MODEL) is None
    assert champion_before((), MODEL) is None


def test_a_bundle_is_rolled_back_if_a_person_put_another_in_its_place(tmp_path: Path) -> None:
    decisions = ((1, "aa", "promoted"), (2, "bb", "promoted"), (3, "cc", "refused"), (4, "aa", "restored"))
    entries = history(tmp_path, *decisions)
    found = {digest: is_rolled_back(entries, MODEL, digest * 32) for digest in ("aa", "bb", "cc", "dd")}
    assert found == {"aa": False, "bb": True, "cc": False, "dd": False}
    assert not is_rolled_back(entries[:3], MODEL, "aa" * 32)
    assert not is_rolled_back(entries, "another model", "bb" * 32)
    assert not is_rolled_back((), MODEL, "aa" * 32)


def test_a_bundle_is_measured_against_the_champion_or_against_what_it_replaced_itself(ledger: Path) -> None:
    entries = Ledger(ledger).read(KEY.public_key())
    found = [incumbent_of(entries, MODEL, digest * 32) for digest in ("dd", "cc")]
    assert [entry.bundle_sha256[:2] for entry in found if entry is not None] == ["cc", "aa"]
    assert incumbent_of((), MODEL, "aa" * 32) is None


def test_a_challenger_is_in_force_until_it_is_champion_or_another_challenges(tmp_path: Path) -> None:
    decisions = ((1, "aa", "promoted"), (2, "bb", "challenger"), (3, "cc", "challenger"), (4, "cc", "promoted"))
    entries = history(tmp_path, *decisions)
    found = [challenger_in_force(entries[:count], MODEL) for count in range(5)]
    assert [entry and entry.bundle_sha256[:2] for entry in found] == [None, None, "bb", "cc", None]
    assert challenger_in_force(entries[:3], "another model") is None
    assert champion_in_force(entries[:3], MODEL) == entries[0]


def test_the_same_decision_is_written_once(ledger: Path) -> None:
    entries = Ledger(ledger).read(KEY.public_key())
    assert is_written(entries, a_decision(20, "cc"))
    assert not is_written(entries, a_decision(20, "aa"))
    assert not is_written(entries, a_decision(9, "bb", "refused"))
    assert is_written(entries[:2], a_decision(5, "bb", "refused"))
    assert not is_written(entries[:2], a_decision(6, "bb", "refused"))
    assert not is_written((), a_decision(5, "bb", "refused"))
    later = a_decision(5, "bb", "refused").model_copy(update={"decided_at": datetime(2025, 8, 1, tzinfo=UTC)})
    assert is_written(entries[:2], later)


def test_no_ledger_is_an_empty_one_and_the_first_entry_makes_its_folder(tmp_path: Path) -> None:
    assert Ledger(tmp_path).read(KEY.public_key()) == ()
    nested = Ledger(tmp_path / "new" / "ledger")
    nested.append(a_decision(1, "aa"), KEY)
    assert len(nested.read(KEY.public_key())) == 1


def test_every_changed_byte_is_found(ledger: Path) -> None:
    path = ledger / LEDGER_FILE
    data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(IntegrityRefused):
            Ledger(ledger).read(KEY.public_key())


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        (b'"sequence":2', b'"sequence":"', "line 2 is not an entry of the promotion ledger"),
        (b'"sequence":2', b'"sequence": 2', "line 2 is not as it was written"),
        (b'"version":"9"', b'"version":"8"', "does not belong to these 3 lines"),
    ],
)
def test_a_refusal_names_the_line_that_was_changed(ledger: Path, was: bytes, becomes: bytes, why: str) -> None:
    path = ledger / LEDGER_FILE
    path.write_bytes(path.read_bytes().replace(was, becomes))
    with pytest.raises(IntegrityRefused, match=why):
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


def test_a_kept_head_is_named_after_the_ledger_its_place_and_its_key(kept: Ledger) -> None:
    for head in kept.log.head_files(KEY.public_key()):
        assert re.fullmatch(rf"promotions-[0-9a-f]{{16}}-{key_id(KEY.public_key())}\.json", head.name)
        assert stat.S_IMODE(head.parent.stat().st_mode) == 0o700
        assert head.read_bytes().endswith(b"}\n")


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
    places = [head.stat().st_ino for head in heads]
    assert kept.append(a_decision(8, "ee"), KEY) is None
    assert [head.stat().st_ino for head in heads] == places  # not written again


def test_a_head_that_is_gone_is_kept_again_and_a_damaged_one_is_refused(kept: Ledger) -> None:
    first, second = kept.log.head_files(KEY.public_key())
    for number, gone in enumerate((first, second)):
        gone.unlink()
        kept.append(a_decision(9, "ee"), KEY)
        assert gone.is_file(), number
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


def test_a_full_disk_is_named_as_such_and_not_as_a_folder_that_cannot_be_written(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file = chained_log._replace_file

    def full(path: Path, records: list[BaseModel]) -> None:
        if path.parent == tmp_path / "heads":
            raise OSError(errno.ENOSPC, "No space left on device")
        replace_file(path, records)

    monkeypatch.setattr(chained_log, "_replace_file", full)
    with pytest.raises(OSError, match="No space left on device"):
        Ledger(ledger, (tmp_path / "heads",)).append(a_decision(12, "ee"), KEY)


def test_a_head_that_cannot_be_kept_is_said_and_the_entry_is_not_lost(ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    found = Ledger(ledger, (tmp_path / "file",))
    count = len(found.read(KEY.public_key()))
    with pytest.raises(ConfigurationRefused, match="head of the promotion ledger cannot be kept"):
        found.append(a_decision(12, "ee"), KEY)
    assert len(found.read(KEY.public_key())) == count + 1
