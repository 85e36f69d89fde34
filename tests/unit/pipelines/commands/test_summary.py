"""The summary never shows figures of one model beside passports of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_contracts.digest import sha256_file
from pipelines.commands.summary import MEASURES, summarise
from pipelines.runs.publish import write_json
from pipelines.runs.stages import Place, write_manifest
from tests.factories.published_run import publish_run, synthetic_profile
from tests.factories.run_documents import estimate, evaluation, registration

PROFILE = synthetic_profile()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a run without keys, whose ledger is therefore not read."""
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    score = {"by_status": {"scored": 3}, "by_code": {}, "model_version": "3", "bundle_sha256": ""}
    made = publish_run(tmp_path, documents={"score": score, "train": {"evaluation": whole_evaluation()}})
    bundle = made.stage_dir("train") / "run1" / "bundle"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")
    rewrite(made, "train")
    digest = sha256_file(bundle / "manifest.json")
    write_json(made.stage_dir("score") / "run1" / "summary.json", {**score, "bundle_sha256": digest})
    write_json(made.stage_dir("register") / "run1" / "registration.json", {**registration(), "bundle_sha256": digest})
    for stage in ("score", "register"):
        rewrite(made, stage)
    return made


def whole_evaluation() -> dict[str, Any]:
    """Return an evaluation with everything that the summary prints."""
    found = {**evaluation(), "protocol": "out_of_time"}
    found["sample"] = {**found["sample"], "sellers": 100}
    measures = {name: estimate(0.5, 0.4, 0.6) for name in MEASURES} | found["models"][0]["measures"]
    return {**found, "models": [{**found["models"][0], "measures": measures}]}


def rewrite(place: Place, stage: str, **facts: Any) -> None:  # noqa: ANN401 - facts of a manifest
    record = {"rows_in": 1, "rows_kept": 1, "set_aside": {}, "notes": {}}
    write_manifest(place.stage_dir(stage) / "run1", {"record": record, "seconds": 1.0, **facts})


def told(place: Place) -> list[str]:
    return list(summarise(PROFILE, "small", place, {}).figures)


def test_figures_name_the_version_that_they_belong_to(place: Place) -> None:
    assert any(line.startswith("Champion, version 3, tested") for line in told(place))
    assert not any("Not one model" in line for line in told(place))


@pytest.mark.parametrize("is_registered", [True, False])
def test_a_model_trained_since_shows_no_figures_beside_older_passports(place: Place, *, is_registered: bool) -> None:
    manifest = place.stage_dir("train") / "run1" / "bundle" / "manifest.json"
    manifest.write_text('{"retrained": true}')
    rewrite(place, "train")
    if is_registered:
        document = {**registration(), "bundle_sha256": sha256_file(manifest)}
        write_json(place.stage_dir("register") / "run1" / "registration.json", document)
        rewrite(place, "register")
    lines = told(place)
    (said,) = [line for line in lines if "another model was trained last" in line]
    assert "version 3" in said
    assert f"passport {'compare' if is_registered else 'register'} --profile small" in said
    assert not any("AUC" in line for line in lines)


def test_pages_of_an_earlier_training_run_are_named_with_the_remedy(place: Place) -> None:
    rewrite(place, "explain", origins={"bundle": "train/bundle"}, inputs={"bundle": "ab" * 32})
    (said,) = [line for line in told(place) if "Not one model" in line]
    assert "passport explain --profile small" in said
