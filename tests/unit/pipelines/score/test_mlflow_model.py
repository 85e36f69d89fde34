"""A registered version scores in any MLflow client as ``passport score`` does, and only if its signature is trusted."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from data_contracts.errors import InputRefused, IntegrityRefused
from models.registry.bundle import load_bundle
from pipelines.profiles import Profile, load_profile
from pipelines.register.mlflow_run import record_training
from pipelines.register.registry import registry_of
from pipelines.register.stage import run
from pipelines.runs.stages import Place, current_output
from pipelines.score.mlflow_model import TRUST_VARIABLE, _verified
from pipelines.score.scorer import ScoringContext, score_chunk
from pipelines.signing.keys import load_keys, trust_file_for
from tests.factories import published, scoring
from tests.factories.scoring import AS_OF, FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def profile() -> Profile:
    return load_profile("demo")


@pytest.fixture
def place(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    made = load_keys(profile.name, is_demonstration=True, environment=os.environ)
    monkeypatch.setattr(scoring, "KEYS", made)
    place = Place(profile.name, tmp_path / "artifacts")
    published.publish_candidate(place)
    run(profile, place)
    return place


@pytest.fixture
def load(profile: Profile, place: Place) -> Callable[[], Any]:
    import mlflow
    import mlflow.pyfunc

    address = registry_of(place, profile.model.name).tracking_uri

    def loaded() -> Any:  # noqa: ANN401 - MLflow ships no types
        mlflow.set_tracking_uri(address)
        return mlflow.pyfunc.load_model(f"models:/{profile.model.name}@champion")

    return loaded


def test_the_champion_scores_as_the_batch_does_to_the_bit(
    profile: Profile, place: Place, load: Callable[[], Any]
) -> None:
    matrix = published.matrix(40)
    keys = load_keys(profile.name, is_demonstration=True, environment=os.environ)
    context = ScoringContext(
        load_bundle(current_output(place, "train", "bundle"), [keys.public_key]), profile.scoring.limits, AS_OF, "1"
    )
    chunk = matrix.append_column("source_row", [list(range(1, 41))]).append_column("applicant_id", [[None] * 40])
    expected = score_chunk(context, chunk).to_pandas()
    given = matrix.to_pandas().assign(as_of=AS_OF.isoformat())
    found = load().predict(given, params={"issued_on": AS_OF.isoformat()})
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_features_may_be_missing_and_whole_numbers_are_numbers(load: Callable[[], Any]) -> None:
    rows = pd.DataFrame({"seller_id": ["S1", "S2"], "as_of": [AS_OF, pd.Timestamp(AS_OF)], FEATURES[0]: [1, None]})
    found = load().predict(rows.assign(months_observed=[24, 30]), params={"issued_on": AS_OF.isoformat()})
    assert "refused" not in found["status"].tolist()
    assert found["as_of"].tolist() == [AS_OF, AS_OF]


def test_a_row_without_seller_or_date_is_refused_and_old_data_are_stale(load: Callable[[], Any]) -> None:
    rows = pd.DataFrame({"seller_id": ["S1", "", "S3"], "as_of": [AS_OF.isoformat(), AS_OF.isoformat(), ""]})
    found = load().predict(rows.assign(months_observed=24))
    assert found["codes"].tolist() == ["stale_data", "missing_seller_id", "missing_as_of"]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("as_of", "03/04/2024", "'03/04/2024' is not a day; remedy: write YYYY-MM-DD"),
        ("as_of", "2024-02-30", "'2024-02-30' is not a day; remedy: write YYYY-MM-DD"),
        (FEATURES[0], "many", "'many' is not a number; remedy: give a number, or leave it empty"),
    ],
)
def test_a_cell_that_is_no_day_or_number_is_named(load: Callable[[], Any], column: str, value: str, words: str) -> None:
    row = {"seller_id": "S1", "as_of": AS_OF.isoformat(), FEATURES[0]: 1.0, column: value}
    with pytest.raises(InputRefused, match=f"row 1, column '{column}': {words}"):
        load().predict(pd.DataFrame([row]))


def test_a_model_folder_cannot_choose_a_folder_of_keys_elsewhere(place: Place, profile: Profile) -> None:
    bundle = current_output(place, "train", "bundle")
    with pytest.raises(IntegrityRefused, match="no name of a profile"):
        _verified(bundle, "../attacker/demo")


def test_only_issuers_of_the_trust_file_are_believed(
    profile: Profile, load: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = tmp_path / "trust.json"
    monkeypatch.setenv(TRUST_VARIABLE, str(trusted))
    own = load_keys(profile.name, is_demonstration=True, environment=os.environ)
    trusted.write_bytes(trust_file_for(own, "Issuer", dt.date(2020, 1, 1)))
    row = {"seller_id": ["S1"], "as_of": [AS_OF], FEATURES[0]: [1.0]}
    assert load().predict(pd.DataFrame(row))["model_version"].tolist() == ["1"]
    other = load_keys(profile.name, is_demonstration=True, environment={"KEYS_DIR": str(tmp_path / "others")})
    trusted.write_bytes(trust_file_for(other, "Somebody else", dt.date(2020, 1, 1)))
    with pytest.raises(IntegrityRefused):
        load()


def test_the_run_names_settings_and_figures_of_every_model(profile: Profile, place: Place) -> None:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=registry_of(place, profile.model.name).tracking_uri)
    run = client.get_run(record_training(profile, place))
    assert run.data.params["training.seed"] == str(profile.training.seed)
    assert run.data.metrics["auc"] == pytest.approx(0.78)
    assert run.data.metrics["auc_lower"] == pytest.approx(0.75)
    assert run.info.run_name.startswith("demo ")
