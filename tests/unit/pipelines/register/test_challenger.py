"""A challenger is a version beside the champion: it may lose the comparison, and only a person makes it champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import ConfigurationRefused, GateFailed
from models.registry.mlflow_registry import CHALLENGER, ModelAddress, version_at
from models.registry.promotion_ledger import champion_in_force, promotion_state
from pipelines.profiles import load_profile
from pipelines.register.challenger import challenger_lines, register_challenger
from pipelines.register.champion import restore_version, roll_back
from pipelines.register.decision import UNNAMED, Registrar, Words
from pipelines.register.stage import run
from pipelines.runs.stages import Place
from pipelines.signing.keys import load_keys
from pipelines.signing.ledgers import promotion_ledger
from tests.factories import published, scoring
from tests.factories.published import champion_version, evaluation

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = load_profile("demo")
NAME = PROFILE.model.name
WORDS = Words("Li Wei", "a second opinion on new sellers")


@pytest.fixture
def registrar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registrar:
    """Return who decides at a place where version 1 is champion."""
    environment = {"KEYS_DIR": str(tmp_path / "keys")}
    monkeypatch.setenv("KEYS_DIR", environment["KEYS_DIR"])
    keys = load_keys("demo", is_demonstration=True, environment=environment)
    monkeypatch.setattr(scoring, "KEYS", keys)
    place = Place("demo", tmp_path / "out")
    published.publish_candidate(place)
    run(PROFILE, place)
    return Registrar(PROFILE, place, keys, promotion_ledger(place, environment), WORDS)


def trained(registrar: Registrar, number: str, noise: float = 0.0, auc_gain: float = 0.01) -> None:
    """Publish another candidate; the more noise, the worse its test predictions."""
    meta = scoring.META.model_copy(update={"model_version": number})
    published.publish_candidate(registrar.place, evaluation(auc_gain), f"run{number}", meta, noise)


def versions(registrar: Registrar) -> tuple[str | None, str | None]:
    """Return the versions that champion and challenger are by the registry."""
    champion = champion_version(registrar.registry)
    challenger = version_at(registrar.registry, ModelAddress(NAME, CHALLENGER, None))
    return champion and champion.version, challenger and challenger.version


def test_a_challenger_leaves_the_champion_in_force_and_counts_as_not_promoted(registrar: Registrar) -> None:
    trained(registrar, "2")
    entry = register_challenger(registrar)
    assert (entry.outcome, entry.version, entry.approver, entry.reason) == ("challenger", "2", *WORDS.__dict__.values())
    champion = champion_in_force(registrar.entries(), NAME)
    assert champion is not None
    assert champion.version == "1"
    assert versions(registrar) == ("1", "2")
    assert promotion_state(registrar.entries(), entry.bundle_sha256) == "not_promoted"
    said = challenger_lines(registrar.entries(), NAME)
    assert said[0] == f"{NAME}: version 2 is challenger"
    assert said[-1] == f"  gates     all {len(entry.gates)} passed"


def test_registering_a_challenger_again_decides_nothing_new(registrar: Registrar) -> None:
    trained(registrar, "2")
    assert register_challenger(registrar) == register_challenger(registrar)
    assert [entry.outcome for entry in registrar.entries()] == ["promoted", "challenger"]


def test_a_person_makes_a_challenger_champion_and_a_rollback_undoes_it(registrar: Registrar) -> None:
    trained(registrar, "2")
    register_challenger(registrar)
    restored = restore_version(registrar, "2")
    assert restored.entry is not None
    assert (restored.before.version, restored.entry.outcome) == ("1", "promoted")
    assert versions(registrar) == ("2", None)
    with pytest.raises(ConfigurationRefused, match="no challenger"):
        challenger_lines(registrar.entries(), NAME)
    assert roll_back(registrar).version.version == "1"
    assert versions(registrar) == ("1", None)


def test_a_challenger_may_be_worse_than_the_champion_but_is_not_promoted_then(registrar: Registrar) -> None:
    trained(registrar, "2", noise=3.0)
    with pytest.raises(GateFailed, match="not_worse_than_champion"):
        run(PROFILE, registrar.place)
    register_challenger(registrar)
    assert "failed not_worse_than_champion: version 1: " in challenger_lines(registrar.entries(), NAME)[-1]
    with pytest.raises(ConfigurationRefused, match="the challenger, failed not_worse_than_champion"):
        restore_version(registrar, "2")
    assert versions(registrar) == ("1", "2")


def test_a_challenger_of_an_earlier_champion_is_compared_anew_before_it_is_promoted(registrar: Registrar) -> None:
    trained(registrar, "2")
    register_challenger(registrar)
    trained(registrar, "3")
    run(PROFILE, registrar.place)
    with pytest.raises(ConfigurationRefused, match="compared with another champion"):
        restore_version(registrar, "2")


def test_any_other_failed_gate_refuses_a_challenger_too(registrar: Registrar) -> None:
    trained(registrar, "2", auc_gain=-0.1)
    with pytest.raises(GateFailed, match="failed not_worse_than_scorecard"):
        register_challenger(registrar)
    assert versions(registrar) == ("1", None)
    assert [entry.outcome for entry in registrar.entries()] == ["promoted"]


def test_the_champion_is_no_challenger_and_nobody_registers_one_without_a_reason(registrar: Registrar) -> None:
    with pytest.raises(ConfigurationRefused, match="the candidate is version 1, the champion"):
        register_challenger(registrar)
    nameless = Registrar(PROFILE, registrar.place, registrar.keys, registrar.ledger, UNNAMED)
    with pytest.raises(ConfigurationRefused, match="by a person and for a reason"):
        register_challenger(nameless)
