"""A person may put a version in force that passed its gates before, and nothing else; the ledger says who and why."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from data_contracts.errors import ConfigurationRefused, GateFailed, IntegrityRefused
from models.registry.promotion_ledger import Decision, Ledger
from pipelines.profiles import load_profile
from pipelines.register.champion import champion_lines, restore_version, roll_back
from pipelines.register.change import change_lines
from pipelines.register.decision import UNNAMED, Registrar, Words
from pipelines.register.registry import REGISTRATION_FILE, registry_of
from pipelines.register.stage import run
from pipelines.runs.publish import read_json
from pipelines.runs.stages import Place, current_run
from pipelines.signing.keys import load_keys
from pipelines.signing.ledgers import promotion_ledger
from tests.factories import published, scoring
from tests.factories.published import champion_version

PROFILE = load_profile("demo")
WORDS = Words("Li Wei", "the later version scored a platform wrongly")


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with outputs and keys in which version 2 has replaced version 1."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEYS_DIR", str(folder / "keys"))
        keys = load_keys("demo", is_demonstration=True, environment={"KEYS_DIR": str(folder / "keys")})
        patch.setattr(scoring, "KEYS", keys)
        place = Place("demo", folder / "out")
        for number in ("1", "2"):
            meta = scoring.META.model_copy(update={"model_version": number})
            published.publish_candidate(place, run_id=f"run{number}", meta=meta)
            run(PROFILE, place)
    return folder


@pytest.fixture
def registrar(two_versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registrar:
    """Return who decides at a copy of it; the registry's own paths lead to the first, which nothing changes."""
    shutil.copytree(two_versions, tmp_path / "copy")
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "copy" / "keys"))
    environment = {"KEYS_DIR": str(tmp_path / "copy" / "keys")}
    place = Place("demo", tmp_path / "copy" / "out")
    keys = load_keys("demo", is_demonstration=False, environment=environment)
    return Registrar(PROFILE, place, keys, promotion_ledger(place, environment), WORDS)


def alias(registrar: Registrar) -> str:
    found = champion_version(registry_of(registrar.place, "seller-default"))
    assert found is not None
    return found.version


def last(registrar: Registrar) -> tuple[str, str | None, str, str]:
    entry = registrar.entries()[-1]
    return entry.outcome, entry.version, entry.approver, entry.reason


def test_a_rollback_puts_the_replaced_version_in_force_and_register_leaves_it_there(registrar: Registrar) -> None:
    restored = roll_back(registrar)
    assert (restored.before.version, restored.version.version) == ("2", "1")
    assert last(registrar) == ("restored", "1", "Li Wei", WORDS.reason)
    assert alias(registrar) == "1"
    with pytest.raises(GateFailed, match="not_worse_than_champion"):
        run(PROFILE, registrar.place)
    assert alias(registrar) == "1"
    document: dict[str, Any] = read_json(current_run(registrar.place, "register") / REGISTRATION_FILE)
    (line,) = [one for one in document["gates"] if one["gate"] == "not_worse_than_champion"]
    assert WORDS.reason in line["measured"]
    assert change_lines(document)[0].startswith("seller-default: version 1 stays champion; the candidate")
    with pytest.raises(ConfigurationRefused, match="replaced no other version"):
        roll_back(registrar)


def test_a_promoted_version_is_in_force_again_and_register_agrees(registrar: Registrar) -> None:
    roll_back(registrar)
    assert restore_version(registrar, "2").entry is not None
    assert restore_version(registrar, "2").entry is None
    assert [entry.version for entry in registrar.entries()] == ["1", "2", "1", "2"]
    assert run(PROFILE, registrar.place).was_current
    assert alias(registrar) == "2"


def test_a_version_that_never_passed_its_gates_is_not_promoted(registrar: Registrar) -> None:
    refused = Decision(
        outcome="refused",
        model_name="seller-default",
        version="3",
        bundle_sha256="ef" * 32,
        decided_at=datetime(2025, 1, 1, tzinfo=UTC),
        approver="nobody",
        reason="failed schema",
        gates=(),
    )
    registrar.ledger.append(refused, registrar.keys.signing_key)
    for version in ("3", "4", "", "x"):
        with pytest.raises(ConfigurationRefused, match="never passed the gates"):
            restore_version(registrar, version)
    assert last(registrar)[0] == "refused"


def test_a_bundle_that_is_not_the_one_that_passed_is_not_promoted(
    registrar: Registrar, two_versions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = [
        path
        for path in (two_versions / "out").rglob("mlflow-artifacts/**/manifest.json")
        if b'"model_version":"1"' in path.read_bytes()
    ]
    before = path.read_bytes()
    path.write_bytes(before.replace(b'"model_version":"1"', b'"model_version":"7"'))
    try:
        with pytest.raises(IntegrityRefused, match="signature"):
            roll_back(registrar)
    finally:
        path.write_bytes(before)
    assert last(registrar)[:2] == ("promoted", "2")
    assert alias(registrar) == "2"


@pytest.mark.parametrize("words", [UNNAMED, Words("Li Wei", None), Words(None, "why"), Words("", "why")])
def test_nobody_is_not_an_approver_and_nothing_no_reason(registrar: Registrar, words: Words) -> None:
    nameless = Registrar(PROFILE, registrar.place, registrar.keys, registrar.ledger, words)
    with pytest.raises(ConfigurationRefused, match="--approver and --reason"):
        roll_back(nameless)
    assert alias(registrar) == "2"


def test_the_champion_of_a_day_is_the_one_at_its_end(tmp_path: Path) -> None:
    ledger, key = Ledger(tmp_path), scoring.KEYS.signing_key
    days = (("1", datetime(2025, 1, 1, 8, tzinfo=UTC)), ("2", datetime(2025, 3, 1, 23, 59, tzinfo=UTC)))
    for version, moment in days:
        decision = Decision(
            outcome="promoted",
            model_name="m",
            version=version,
            bundle_sha256=version * 64,
            decided_at=moment,
            approver="Li Wei",
            reason="passed every gate",
            gates=(),
        )
        ledger.append(decision, key)
    entries = ledger.read(scoring.KEYS.public_key)
    said = {
        day: champion_lines(entries, "m", day)[0] for day in (date(2025, 1, 1), date(2025, 2, 28), date(2025, 3, 1))
    }
    assert [text.split(" was ")[0] for text in said.values()] == ["m: version 1", "m: version 1", "m: version 2"]
    assert champion_lines(entries, "m", None) == [
        "m: version 2 is champion",
        f"  bundle    {'2' * 64}",
        "  since     2025-03-01 23:59 UTC, promoted",
        "  approver  Li Wei",
        "  reason    passed every gate",
    ]
    with pytest.raises(ConfigurationRefused, match="no champion on 2024-12-31"):
        champion_lines(entries, "m", date(2024, 12, 31))
