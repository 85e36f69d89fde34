"""The explain stage turns a verified bundle and its evaluation into four pages."""

from __future__ import annotations

import datetime
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.explanation.explain import explain_model
from models.explanation.explanation import ExplainSettings
from pipelines.explain.stage import identity_of, pages, rows_to_explain, run
from pipelines.runs.publish import write_json, write_parquet
from pipelines.runs.stages import Place
from pipelines.signing.keys import load_keys
from tests.factories import published
from tests.factories.canonical_tables import canonical_tables
from tests.factories.model_reports import out_of_time_report
from tests.factories.models import small_world, write_small_bundle
from tests.factories.pages import faults_of, read_page
from tests.factories.scoring import small_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from models.training.dataset import Dataset

PAGES = {"model.en.html", "model.zh.html", "explanation.en.html", "explanation.zh.html"}
PROFILE = SimpleNamespace(name="demo", is_demonstration=True)


def matrix_of(sample: Dataset) -> pa.Table:
    columns = {name: sample.X[:, i] for i, name in enumerate(sample.feature_names)}
    as_of = pa.array(sample.as_of.astype("datetime64[D]"), pa.date32())
    return pa.table({"seller_id": pa.array(sample.seller_id.tolist()), "as_of": as_of, **columns})


def judged_of(sample: Dataset, rows: int) -> pa.Table:
    seconds = pa.array(sample.as_of[:rows].astype("datetime64[s]"))
    return pa.table({"seller_id": pa.array(sample.seller_id[:rows].tolist()), "as_of": seconds})


STAGES = ("validate", "features", "train")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a profile's folder with built features and a trained model."""
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    keys = load_keys("demo", is_demonstration=True, environment={"KEYS_DIR": str(tmp_path / "keys")})
    place = Place("demo", tmp_path / "out")
    sample = small_world().dataset
    for stage in STAGES:
        (place.stage_dir(stage) / "1").mkdir(parents=True)
        (place.stage_dir(stage) / "CURRENT").write_text("1\n")
    write_parquet(place.stage_dir("features") / "1" / "matrix.parquet", matrix_of(sample))
    write_parquet(place.stage_dir("train") / "1" / "holdout.parquet", judged_of(sample, 300))
    write_json(place.stage_dir("train") / "1" / "evaluation.json", out_of_time_report())
    write_small_bundle(place.stage_dir("train") / "1" / "bundle", keys.signing_key)
    tables = place.stage_dir("validate") / "1" / "tables"
    write_parquet(tables / "loan.parquet", canonical_tables()["loan"])
    published.record(*(place.stage_dir(stage) / "1" for stage in STAGES))
    return place


def test_the_stage_writes_four_pages_and_counts_every_row(place: Place) -> None:
    outcome = run(PROFILE, place)  # type: ignore[arg-type]
    written = {path.name for path in outcome.run_dir.iterdir()}
    assert written == {*PAGES, "explanation.json", "manifest.json"}
    assert outcome.record.rows_in == outcome.record.rows_kept == 300
    assert outcome.record.notes["unequal_scores"] == 0
    for name in PAGES:
        assert faults_of((outcome.run_dir / name).read_text(encoding="utf-8")) == []
    assert json.loads((outcome.run_dir / "explanation.json").read_text())["explained"] == 300


def test_a_second_run_changes_nothing(place: Place) -> None:
    first = run(PROFILE, place)  # type: ignore[arg-type]
    before = {path.name: path.read_bytes() for path in first.run_dir.iterdir()}
    second = run(PROFILE, place)  # type: ignore[arg-type]
    assert second.was_current
    assert before == {path.name: path.read_bytes() for path in second.run_dir.iterdir()}


def test_a_tampered_bundle_is_refused_before_any_page_is_written(place: Place) -> None:
    target = place.stage_dir("train") / "1" / "bundle" / "model.json"
    target.write_bytes(target.read_bytes().replace(b"600", b"601", 1))
    with pytest.raises(IntegrityRefused):
        run(PROFILE, place)  # type: ignore[arg-type]
    assert not (place.stage_dir("explain") / "CURRENT").exists()


def test_an_untrained_profile_names_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="passport train"):
        run(PROFILE, Place("demo", tmp_path))  # type: ignore[arg-type]


def test_repeats_of_an_observation_are_explained_once_with_their_own_features() -> None:
    sample = small_world().dataset
    judged = judged_of(sample, 50)
    rows = rows_to_explain(pa.concat_tables([judged, judged]), matrix_of(sample), sample.feature_names)
    assert len(rows.seller_id) == len(rows.X) == 50
    of_pair = {
        (seller, day): X for seller, day, X in zip(sample.seller_id, sample.as_of.astype(object), sample.X, strict=True)
    }
    for seller, day, X in zip(rows.seller_id, rows.as_of, rows.X, strict=True):
        assert isinstance(day, datetime.date)
        assert X.tobytes() == of_pair[seller, day].tobytes()


def test_features_are_taken_by_name_whatever_the_order_of_the_matrix() -> None:
    sample = small_world().dataset
    matrix = matrix_of(sample)
    turned = matrix.select(matrix.column_names[::-1])
    straight, from_turned = (
        rows_to_explain(judged_of(sample, 40), one, sample.feature_names).X.tobytes() for one in (matrix, turned)
    )
    assert straight == from_turned


def test_a_judged_observation_without_features_is_an_error() -> None:
    sample = small_world().dataset
    with pytest.raises(ValueError, match="10 judged observations"):
        rows_to_explain(judged_of(sample, 20), matrix_of(sample).slice(10), sample.feature_names)


def test_the_pages_carry_the_identity_of_the_bundle() -> None:
    bundle, sample = small_bundle(), small_world().dataset
    days = list(sample.as_of[:80].astype(object))
    settings = ExplainSettings(tested_rows=20)
    explanation = explain_model(bundle.model, sample.X[:80], list(sample.seller_id[:80]), days, settings)
    written = pages(out_of_time_report(), explanation, bundle, {})
    assert set(written) == PAGES
    text = read_page(written["model.en.html"]).text
    for stated in (bundle.digest, bundle.key_id, bundle.meta.feature_set_digest, bundle.meta.code_version):
        assert stated in text
    assert identity_of(bundle).components == (("lightgbm", 0.6), ("scorecard", 0.4))
