"""What is registered comes back byte for byte, and nothing else is fetched."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.registry.mlflow_client import Registry
from models.registry.mlflow_registry import fetch_bundle, parse_address, register_bundle, set_alias
from models.registry.mlflow_runs import KIND_TAG, TrainingRecord, Trial, log_pages, log_training
from tests.factories.faults.crashes import KILLED, every
from tests.factories.faults.disk_faults import dying_at, in_a_child, untroubled, watched_disk
from tests.factories.published import SERVED, champion_version

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate one database for all tests: creating its tables takes longer than all tests together."""
    folder = tmp_path_factory.mktemp("registry")
    assert champion_version(Registry(f"sqlite:///{folder}/mlflow.db", "none")) is None
    return folder / "mlflow.db"


@pytest.fixture
def registry(tmp_path: Path, template_database: Path) -> Registry:
    shutil.copy(template_database, tmp_path / "mlflow.db")
    return Registry(f"sqlite:///{tmp_path}/mlflow.db", "seller-default", tmp_path / "artifacts")


def a_bundle(folder: Path, content: str = "trees") -> Path:
    folder.mkdir(parents=True)
    (folder / "model.txt").write_text(content)
    return folder


def a_record(digest: str = "ab" * 32) -> TrainingRecord:
    return TrainingRecord(
        digest,
        {"auc": 0.78, "brier": 0.04},
        {"feature_set": "demo"},
        name="demo gbm",
        parameters={"champion_kind": "gbm", "seed": "1"},
        inputs={"matrix.parquet": "ef" * 32},
        trials=(Trial("linear penalty=4.0", {"penalty": "4.0"}, {"log_loss": 0.18}),),
    )


def test_a_registered_bundle_comes_back_byte_for_byte(registry: Registry, tmp_path: Path) -> None:
    version = register_bundle(a_bundle(tmp_path / "b"), a_record(), {}, SERVED, registry)
    set_alias(registry, "champion", version.version)
    for address in ("models:/seller-default@champion", f"models:/seller-default/{version.version}"):
        folder, found = fetch_bundle(address, registry.tracking_uri, tmp_path / "fetched" / address[-3:])
        assert (folder / "model.txt").read_text() == "trees"
        assert found == version
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700


def test_figures_and_tags_are_kept_with_the_run(registry: Registry, tmp_path: Path) -> None:
    import mlflow

    version = register_bundle(a_bundle(tmp_path / "b"), a_record(), {}, SERVED, registry)
    run = mlflow.MlflowClient(tracking_uri=registry.tracking_uri).get_run(version.run_id)
    assert run.data.metrics == {"auc": 0.78, "brier": 0.04}
    assert run.data.tags["bundle_sha256"] == "ab" * 32
    assert run.data.tags["feature_set"] == "demo"


def test_a_training_run_shows_settings_data_and_what_was_tried_and_the_version_belongs_to_it(
    registry: Registry, tmp_path: Path
) -> None:
    import mlflow

    run_id = log_training(a_record(), registry)
    assert log_training(a_record(), registry) == run_id
    client = mlflow.MlflowClient(tracking_uri=registry.tracking_uri)
    run = client.get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("demo gbm", "FINISHED")
    assert run.data.params == {"champion_kind": "gbm", "seed": "1"}
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "matrix.parquet"
    assert {tag.key: tag.value for tag in data.tags}["sha256"] == "ef" * 32
    children = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    assert [(child.info.run_name, child.data.metrics) for child in children] == [
        ("linear penalty=4.0", {"log_loss": 0.18})
    ]
    version = register_bundle(a_bundle(tmp_path / "b"), a_record(), {"auc": "0.78"}, SERVED, registry)
    assert version.run_id == run_id
    assert client.get_model_version("seller-default", version.version).tags["gate.auc"] == "0.78"


def test_pages_are_kept_with_the_run_of_their_model_and_with_no_other(registry: Registry, tmp_path: Path) -> None:
    import mlflow

    page = tmp_path / "model.en.html"
    page.write_text("<p>AUC 0.78</p>")
    assert not log_pages("ab" * 32, [page], registry)
    run_id = log_training(a_record(), registry)
    assert log_pages("ab" * 32, [page], registry)
    client = mlflow.MlflowClient(tracking_uri=registry.tracking_uri)
    assert [artifact.path for artifact in client.list_artifacts(run_id, "pages")] == ["pages/model.en.html"]


def test_a_version_of_an_earlier_release_is_still_fetched(registry: Registry, tmp_path: Path) -> None:
    """They kept the bare bundle, and no folder that MLflow loads."""
    import mlflow

    run_id = log_training(a_record(), registry)
    client = mlflow.MlflowClient(tracking_uri=registry.tracking_uri)
    client.log_artifacts(run_id, str(a_bundle(tmp_path / "b", "older trees")), "bundle")
    client.create_registered_model("seller-default")
    client.create_model_version("seller-default", f"runs:/{run_id}/bundle", run_id=run_id)
    folder, _ = fetch_bundle("models:/seller-default/1", registry.tracking_uri, tmp_path / "fetched")
    assert (folder / "model.txt").read_text() == "older trees"


def test_registering_the_same_bytes_again_makes_no_new_version(registry: Registry, tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "b")
    first, again = (register_bundle(bundle, a_record(), {}, SERVED, registry) for _ in range(2))
    other = register_bundle(a_bundle(tmp_path / "c", "other"), a_record("cd" * 32), {}, SERVED, registry)
    assert first == again
    assert (first.version, other.version) == ("1", "2")


def test_a_killed_registration_leaves_no_run_running_once_the_same_bytes_are_registered(
    template_database: Path, tmp_path: Path
) -> None:
    import mlflow

    bundle = a_bundle(tmp_path / "b")

    def killed_at(number: int) -> Registry:
        """Return a registry in which a registration died at disk call ``number``; 0 kills nothing."""
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copy(template_database, folder / "mlflow.db")
        registry = Registry(f"sqlite:///{folder}/mlflow.db", "seller-default", folder / "artifacts")

        def work() -> str:
            with watched_disk(dying_at(number) if number else untroubled) as kinds:
                register_bundle(bundle, a_record(), {}, SERVED, registry)
            return " ".join(kinds)

        ended = in_a_child(work)
        assert ended.code == (KILLED if number else 0), ended.said
        calls[:] = calls or ended.said.split()
        return registry

    calls: list[str] = []
    killed_at(0)
    seen: set[str] = set()
    commits = [number for number, kind in enumerate(calls, start=1) if kind == "commit"]
    for number in commits[:: -every(5)]:
        registry = killed_at(number)
        version = register_bundle(bundle, a_record(), {}, SERVED, registry)
        client = mlflow.MlflowClient(tracking_uri=registry.tracking_uri)
        runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
        assert version.version == "1"
        finished = [run for run in runs if run.info.status == "FINISHED" and run.data.tags[KIND_TAG] == "training"]
        assert [run.info.run_id for run in finished] == [version.run_id]
        children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == version.run_id]
        assert [run.info.status for run in children] == ["FINISHED"]
        seen |= {run.info.status for run in runs}
    assert seen == {"FAILED", "FINISHED"}


def test_nobody_is_champion_before_the_first_promotion(registry: Registry, tmp_path: Path) -> None:
    assert champion_version(registry) is None
    version = register_bundle(a_bundle(tmp_path / "b"), a_record(), {}, SERVED, registry)
    assert champion_version(registry) is None
    set_alias(registry, "champion", version.version)
    assert champion_version(registry) == version


@pytest.mark.parametrize(
    "address", ["models:/seller-default@champion", "models:/nobody/1", "models:/seller-default/99"]
)
def test_an_address_that_leads_nowhere_is_refused(registry: Registry, tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigurationRefused, match="passport register"):
        fetch_bundle(address, registry.tracking_uri, tmp_path / "fetched")


@pytest.mark.parametrize(
    "address", ["seller-default", "models:/", "models:/a/b/c", "models:/../x@champion", "models:/a@b/1", "runs:/x/y"]
)
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationRefused, match="not a model address"):
        parse_address(address)


@pytest.mark.parametrize("source", ["{folder}", "file://{folder}", "runs:/{other}/bundle", "runs:/{run}/bundle/../.."])
def test_a_version_with_a_foreign_source_is_refused(registry: Registry, tmp_path: Path, source: str) -> None:
    import mlflow

    version = register_bundle(a_bundle(tmp_path / "b"), a_record(), {}, SERVED, registry)
    client = mlflow.MlflowClient(tracking_uri=registry.tracking_uri)
    planted = source.format(folder=tmp_path / "b", run=version.run_id, other="0" * 32)
    made = client.create_model_version("seller-default", planted, run_id=version.run_id)
    with pytest.raises(IntegrityRefused, match="not the bundle of its own run"):
        fetch_bundle(f"models:/seller-default/{made.version}", registry.tracking_uri, tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_a_bundle_whose_stored_files_are_gone_or_linked_away_is_refused(registry: Registry, tmp_path: Path) -> None:
    version = register_bundle(a_bundle(tmp_path / "b"), a_record(), {}, SERVED, registry)
    stored = next((tmp_path / "artifacts").rglob("model.txt"))
    stored.unlink()
    stored.symlink_to(tmp_path / "mlflow.db")
    with pytest.raises(IntegrityRefused, match="bundle"):
        fetch_bundle(f"models:/seller-default/{version.version}", registry.tracking_uri, tmp_path / "fetched")
    shutil.rmtree(stored.parent)
    with pytest.raises(IntegrityRefused, match="bundle"):
        fetch_bundle(f"models:/seller-default/{version.version}", registry.tracking_uri, tmp_path / "fetched")


def test_mlflow_may_send_nothing_and_unpickle_nothing(registry: Registry) -> None:
    champion_version(registry)
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
