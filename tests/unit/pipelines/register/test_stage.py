"""A sound candidate becomes champion, a faulty one never does, and both are recorded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from data_contracts.errors import GateFailed, IntegrityRefused
from models.registry.bundle import load_bundle
from models.registry.mlflow_registry import fetch_bundle
from models.registry.promotion_ledger import Ledger, LedgerEntry
from pipelines.profiles import Profile, load_profile
from pipelines.register.decision import Words
from pipelines.register.mlflow_run import champion_metrics
from pipelines.register.registry import REGISTRATION_FILE, registry_of
from pipelines.register.stage import run
from pipelines.runs.publish import read_json, write_json, write_parquet
from pipelines.runs.stages import Place, current_run
from pipelines.signing.keys import KeyRing, load_keys
from tests.factories import published, scoring
from tests.factories.published import champion_version


@pytest.fixture(scope="module")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = Place("demo", tmp_path_factory.mktemp("template"))
    assert champion_version(registry_of(place, "seller-default")) is None
    return place.root / "mlflow.db"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyRing:
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    made = load_keys("demo", is_demonstration=True, environment={"KEYS_DIR": str(tmp_path / "keys")})
    monkeypatch.setattr(scoring, "KEYS", made)
    return made


@pytest.fixture
def profile() -> Profile:
    return load_profile("demo")


@pytest.fixture
def place(tmp_path: Path, keys: KeyRing, template_database: Path) -> Place:
    place = Place("demo", tmp_path / "out")
    place.root.mkdir(parents=True)
    shutil.copy(template_database, place.root / "mlflow.db")
    published.publish_candidate(place)
    return place


def registration(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = read_json(current_run(place, "register") / REGISTRATION_FILE)
    return found


def decisions(place: Place, keys: KeyRing) -> tuple[LedgerEntry, ...]:
    return Ledger(place.root / "ledger").read(keys.public_key)


def ledger(place: Place, keys: KeyRing) -> list[tuple[str, str | None]]:
    return [(entry.outcome, entry.version) for entry in decisions(place, keys)]


def test_a_sound_candidate_becomes_champion(profile: Profile, place: Place, keys: KeyRing, tmp_path: Path) -> None:
    outcome = run(profile, place)
    assert outcome.record.rows_in == outcome.record.rows_kept == 11
    assert registration(place)["outcome"] == "promoted"
    registry = registry_of(place, "seller-default")
    champion = champion_version(registry)
    assert champion is not None
    assert champion.version == registration(place)["champion"]["version"] == "1"
    assert ledger(place, keys) == [("promoted", "1")]
    folder, _ = fetch_bundle("models:/seller-default@champion", registry.tracking_uri, tmp_path / "fetched")
    assert load_bundle(folder, [keys.public_key]).digest == champion.bundle_sha256


def test_registering_again_changes_nothing(profile: Profile, place: Place, keys: KeyRing) -> None:
    run(profile, place)
    before = (place.root / "ledger" / "promotions.jsonl").read_bytes()
    assert run(profile, place).was_current
    shutil.rmtree(place.stage_dir("register"))
    run(profile, place)
    assert (place.root / "ledger" / "promotions.jsonl").read_bytes() == before
    assert registration(place)["champion"]["version"] == "1"


def test_a_candidate_that_was_champion_before_becomes_champion_again(
    profile: Profile, place: Place, keys: KeyRing
) -> None:
    run(profile, place)
    published.publish_candidate(place, run_id="run2", meta=scoring.META.model_copy(update={"model_version": "2"}))
    run(profile, place)
    published.publish(place, "train", "run1")
    assert not run(profile, place).was_current  # it is measured against another champion than before
    assert "passed every gate; replaces version 2" in {entry.reason for entry in decisions(place, keys)}
    published.publish(place, "train", "run2")
    assert run(profile, place).was_current
    published.publish(place, "train", "run1")
    assert run(profile, place).was_current
    champion = champion_version(registry_of(place, "seller-default"))
    assert champion is not None
    assert champion.version == registration(place)["champion"]["version"] == "1"
    assert ledger(place, keys) == [("promoted", version) for version in ("1", "2", "1", "2", "1")]


def test_a_ledger_of_other_keys_is_refused_with_the_remedy(
    profile: Profile, place: Place, keys: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(profile, place)
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "new keys"))
    with pytest.raises(IntegrityRefused, match="; remedy: put back the keys that") as refusal:
        run(profile, place)
    assert f"move {place.root} away and make it again" in str(refusal.value)


def test_a_refusal_that_the_ledger_holds_already_is_not_written_again(
    profile: Profile, place: Place, keys: KeyRing
) -> None:
    published.publish_candidate(place, published.evaluation(slope=2.0), "run2")
    for _ in range(2):
        with pytest.raises(GateFailed):
            run(profile, place)
        shutil.rmtree(place.stage_dir("register"))  # as if the run had been killed before it was published
    assert ledger(place, keys) == [("refused", None)]


def test_a_candidate_worse_than_the_scorecard_is_refused_and_the_champion_stays(
    profile: Profile, place: Place, keys: KeyRing
) -> None:
    run(profile, place)
    published.publish_candidate(place, published.evaluation(auc_gain=-0.05), "run2")
    with pytest.raises(GateFailed, match="not_worse_than_scorecard") as caught:
        run(profile, place)
    assert caught.value.exit_code == 1
    assert registration(place)["outcome"] == "refused"
    assert registration(place)["champion"]["version"] == "1"
    assert ledger(place, keys) == [("promoted", "1"), ("refused", None)]


def test_a_refusal_stays_a_refusal_when_repeated(profile: Profile, place: Place, keys: KeyRing) -> None:
    published.publish_candidate(place, published.evaluation(slope=2.0), "run2")
    for _ in range(2):
        with pytest.raises(GateFailed, match="calibration_slope"):
            run(profile, place)
    assert ledger(place, keys) == [("refused", None)]
    assert champion_version(registry_of(place, "seller-default")) is None


SECOND = scoring.META.model_copy(update={"model_version": "2"})


def gate_line(place: Place) -> dict[str, Any]:
    (line,) = [one for one in registration(place)["gates"] if one["gate"] == "not_worse_than_champion"]
    found: dict[str, Any] = line
    return found


def test_the_first_candidate_has_no_champion_to_be_worse_than(profile: Profile, place: Place) -> None:
    run(profile, place)
    assert gate_line(place)["measured"] == "there is no champion yet"
    assert gate_line(place)["power"].startswith("nothing")
    assert registration(place)["change"]["before"] is None


@pytest.mark.parametrize("kept", ["run", "registry"])
def test_a_retrained_model_that_is_worse_than_the_champion_on_the_same_rows_is_refused(
    profile: Profile, place: Place, keys: KeyRing, kept: str
) -> None:
    run(profile, place)
    published.publish_candidate(place, run_id="run2", meta=SECOND, noise=6.0)
    if kept == "registry":
        shutil.rmtree(place.stage_dir("train") / "run1")
    with pytest.raises(GateFailed, match="not_worse_than_champion"):
        run(profile, place)
    assert gate_line(place)["measured"].startswith("version 1: -0.")
    compared = registration(place)["change"]["before"]["compared"]
    assert compared["rows"] == published.ROWS
    assert compared["auc"]["value"] < compared["incumbent_auc"]["value"]
    assert compared["basis"].startswith("test predictions" if kept == "run" else "its bundle")
    champion = champion_version(registry_of(place, "seller-default"))
    assert champion is not None
    assert champion.version == "1"
    assert decisions(place, keys)[-1].reason == "failed not_worse_than_champion; version 1 stays champion"


def test_a_candidate_with_the_scores_of_the_champion_says_that_nothing_was_shown(
    profile: Profile, place: Place
) -> None:
    run(profile, place)
    published.publish_candidate(place, run_id="run2", meta=SECOND)
    run(profile, place)
    assert gate_line(place)["measured"] == "version 1: equal scores on every row"
    assert gate_line(place)["power"].startswith("nothing")


@pytest.mark.parametrize("fault", ["other rows", "no predictions", "registry changed"])
def test_a_champion_that_cannot_be_compared_keeps_the_candidate_out(
    profile: Profile, place: Place, keys: KeyRing, fault: str
) -> None:
    run(profile, place)
    published.publish_candidate(place, run_id="run2", meta=SECOND)
    first, second = (place.stage_dir("train") / name for name in ("run1", "run2"))
    judged_by = profile.model_copy(update={"split": None}) if fault == "other rows" else profile
    if fault == "other rows":
        write_parquet(second / "holdout.parquet", published.holdout(rows=published.ROWS - 1))
    elif fault == "no predictions":
        (second / "holdout.parquet").unlink()
    else:
        shutil.rmtree(first)
        (path,) = (place.root / "mlflow-artifacts").rglob("model.json")
        path.write_bytes(path.read_bytes().replace(b"600", b"700", 1))
    published.record(second)
    with pytest.raises(GateFailed, match="not_worse_than_champion"):
        run(judged_by, place)
    assert gate_line(place)["measured"].startswith("no evidence: version 1")
    gates = profile.registration.gates.model_copy(update={"incumbent_required": False})
    reported = profile.registration.model_copy(update={"gates": gates})
    run(judged_by.model_copy(update={"registration": reported}), place)
    assert gate_line(place)["limit"].startswith("reported only")
    assert ledger(place, keys) == [("promoted", "1"), ("refused", None), ("promoted", "2")]


def test_every_promotion_has_its_own_reason_and_approver(profile: Profile, place: Place, keys: KeyRing) -> None:
    run(profile, place)
    published.publish_candidate(place, run_id="run2", meta=SECOND)
    run(profile, place)
    third = scoring.META.model_copy(update={"model_version": "3"})
    published.publish_candidate(place, run_id="run3", meta=third)
    run(profile, place, words=Words("Li Wei", "new sources"))
    found = [(entry.approver, entry.reason) for entry in decisions(place, keys)]
    assert found == [
        (profile.registration.approver, profile.registration.reason),
        ("nobody named (profile demo)", "passed every gate; replaces version 1"),
        ("Li Wei", "new sources"),
    ]


@pytest.mark.parametrize(
    ("fault", "gate"),
    [
        ("bundle changed", "signature"),
        ("bundle gone", "signature"),
        ("other feature set", "schema"),
        ("matrix gone", "reasons_add_up"),
        ("evaluation gone", "not_worse_than_scorecard"),
    ],
)
def test_a_fault_or_a_missing_piece_is_never_promoted(
    profile: Profile, place: Place, keys: KeyRing, fault: str, gate: str
) -> None:
    train, features = current_run(place, "train"), current_run(place, "features")
    if fault == "bundle changed":
        path = train / "bundle" / "model.json"
        path.write_bytes(path.read_bytes().replace(b"600", b"700", 1))
    elif fault == "bundle gone":
        (train / "bundle" / "manifest.json").unlink()
    elif fault == "other feature set":
        changed = {**read_json(features / "feature_set.json"), "digest": "ee" * 32}
        write_json(features / "feature_set.json", changed)
    elif fault == "matrix gone":
        (features / "matrix.parquet").write_bytes(b"")
    else:
        write_json(train / "evaluation.json", {})
    published.record(train, features)
    with pytest.raises(GateFailed, match=gate):
        run(profile, place)
    assert champion_version(registry_of(place, "seller-default")) is None
    assert ledger(place, keys) == [("refused", None)]


def test_metrics_are_flat_and_leave_out_what_is_undefined() -> None:
    measures = {"auc": {"value": 0.8, "lower": 0.7, "upper": None}}
    assert champion_metrics(measures) == {"auc": 0.8, "auc_lower": 0.7}
    assert champion_metrics({}) == {}
