"""Training runs in MLflow: parameters, figures with intervals, data sets, tried settings as child runs, and pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from models.registry.mlflow_client import connected_client, experiment_of, locked, mlflow_package

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from models.registry.mlflow_client import Registry

DIGEST_TAG: Final = "bundle_sha256"
KIND_TAG: Final = "kind_of_run"
PAGES_ARTIFACT: Final = "pages"
_LONGEST_PARAMETER: Final = 6000
_DATASET_DIGEST_LENGTH: Final = 36


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and how well they did out of fold."""

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class TrainingRecord:
    """What MLflow shows of a training run.

    Attributes:
        bundle_sha256: digest of the bundle that came of it; a run is found again by it.
        metrics: figures of the champion and of what it was compared with.
        tags: contracts, data, feature set and code behind it.
        name: name for people.
        parameters: settings of the training.
        inputs: SHA-256 of each file it was trained on, by name.
        trials: settings that were tried; each becomes a child run.
    """

    bundle_sha256: str
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    name: str = "training"
    parameters: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()


def log_training(record: TrainingRecord, registry: Registry) -> str:
    """Record a training run, unless it is recorded; return its id.

    Runs that a killed process left running for the same bundle are closed as failed.
    """
    client = connected_client(registry.tracking_uri)
    with locked(registry.tracking_uri, "register"):
        return training_run(client, record, experiment_of(client, registry))


def training_run(client: Any, record: TrainingRecord, experiment: str) -> str:  # noqa: ANN401 - untyped
    """Return the finished run of a training, recorded now if it is not there. The caller holds the lock."""
    _close_left_runs(client, experiment, record.bundle_sha256)
    known = _run_of(client, experiment, record.bundle_sha256)
    return known or _new_run(client, record, experiment)


def log_pages(bundle_sha256: str, pages: Iterable[Path], registry: Registry) -> bool:
    """Keep pages with the training run of a bundle; return whether there is such a run."""
    client = connected_client(registry.tracking_uri)
    with locked(registry.tracking_uri, "register"):
        run = _run_of(client, experiment_of(client, registry), bundle_sha256)
        for page in pages if run else ():
            client.log_artifact(run, str(page), PAGES_ARTIFACT)
    return run is not None


def _run_of(client: Any, experiment: str, digest: str) -> str | None:  # noqa: ANN401 - untyped
    found = client.search_runs([experiment], f"{_of(digest, 'training')} and attributes.status = 'FINISHED'")
    return str(min(found, key=lambda run: run.info.start_time).info.run_id) if found else None


def _close_left_runs(client: Any, experiment: str, digest: str) -> None:  # noqa: ANN401 - untyped
    """Close the runs that an earlier recording of a bundle left running: nobody else is working on it."""
    for run in client.search_runs([experiment], f"tags.{DIGEST_TAG} = '{digest}' and attributes.status = 'RUNNING'"):
        client.set_terminated(run.info.run_id, "FAILED")


def _new_run(client: Any, record: TrainingRecord, experiment: str) -> str:  # noqa: ANN401 - untyped
    """Create a run with its children. It is created with its tags, so that it can be found by them at any moment."""
    entities = mlflow_package().entities
    tags = {**dict(sorted(record.tags.items())), DIGEST_TAG: record.bundle_sha256, KIND_TAG: "training"}
    run = client.create_run(experiment, tags=tags, run_name=record.name)
    run_id, started = str(run.info.run_id), run.info.start_time
    _log(client, run_id, started, record.parameters, record.metrics)
    if record.inputs:
        client.log_inputs(
            run_id,
            [
                entities.DatasetInput(
                    entities.Dataset(name, digest[:_DATASET_DIGEST_LENGTH], "local", name),
                    [entities.InputTag("mlflow.data.context", "training"), entities.InputTag("sha256", digest)],
                )
                for name, digest in sorted(record.inputs.items())
            ],
        )
    of_trial = {DIGEST_TAG: record.bundle_sha256, KIND_TAG: "trial", "mlflow.parentRunId": run_id}
    for trial in record.trials:
        child = client.create_run(experiment, tags=of_trial, run_name=trial.name)
        _log(client, child.info.run_id, child.info.start_time, trial.parameters, trial.metrics)
        client.set_terminated(child.info.run_id)
    client.set_terminated(run_id)
    return run_id


def _log(client: Any, run_id: str, started: int, parameters: Mapping[str, str], metrics: Mapping[str, float]) -> None:  # noqa: ANN401 - untyped
    entities = mlflow_package().entities
    client.log_batch(
        run_id,
        metrics=[entities.Metric(name, value, started, 0) for name, value in sorted(metrics.items())],
        params=[entities.Param(name, value[:_LONGEST_PARAMETER]) for name, value in sorted(parameters.items())],
    )


def _of(digest: str, kind: str) -> str:
    return f"tags.{DIGEST_TAG} = '{digest}' and tags.{KIND_TAG} = '{kind}'"
