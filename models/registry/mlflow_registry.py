"""Model versions and their aliases in MLflow.

MLflow stores a bundle as plain files of a run, its metrics, and which version is champion. It never loads a bundle: a
download is as foreign as anything from outside and goes through ``models.registry.bundle.load_bundle``. Only versions
whose source is an artifact of their own run are downloaded, because MLflow itself accepts any path as a source.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from data_contracts.errors import ConfigurationRefused, IntegrityRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUNDLE_ARTIFACT: Final = "bundle"
CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
DIGEST_TAG: Final = "bundle_sha256"
DATABASE: Final = "mlflow.db"
"""Name of the database file of a registry that is kept beside the outputs."""
SQLITE_PREFIX: Final = "sqlite:///"
_ADDRESS = re.compile(
    r"models:/(?P<name>[A-Za-z0-9._-]{1,100})(?:@(?P<alias>[a-z][a-z0-9_-]*)|/(?P<version>[0-9]{1,9}))"
)
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Registry:
    """Where model versions are kept: an MLflow tracking URI and the name of the registered model.

    ``artifact_folder`` is where a new experiment keeps its files; None leaves that to the tracking server.
    """

    tracking_uri: str
    model_name: str
    artifact_folder: Path | None = None


@dataclass(frozen=True)
class VersionRecord:
    """What is recorded with a version: the digest of its bundle, its metrics, and tags such as contract digests."""

    bundle_sha256: str
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model, and the recorded digest of its bundle."""

    model_name: str
    version: str
    run_id: str
    bundle_sha256: str | None


@dataclass(frozen=True)
class ModelAddress:
    """``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``; exactly one of alias and version is set."""

    name: str
    alias: str | None
    version: str | None


def parse_address(address: str) -> ModelAddress:
    """Parse a ``models:/`` address.

    Raises:
        ConfigurationRefused: it is not a model address.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ConfigurationRefused(
            f"{address!r} is not a model address", "write models:/NAME@champion or models:/NAME/3, or use --bundle DIR"
        )
    return ModelAddress(found["name"], found["alias"], found["version"])


def register_bundle(bundle_dir: Path, record: VersionRecord, registry: Registry) -> RegisteredVersion:
    """Register a bundle as a new version, or return the version that already holds the same bytes.

    MLflow shows a run as running until its version exists. Runs left running by a killed registration of the same bytes
    are closed here: as finished if their version exists, otherwise as failed.
    """
    client = _client(registry.tracking_uri)
    with _locked(registry.tracking_uri, "register"):
        experiment = _experiment(client, registry)
        known = _version_with_digest(client, registry.model_name, record.bundle_sha256)
        _close_left_runs(client, experiment, record.bundle_sha256, known)
        if known is not None:
            return known
        run_id = _log_run(client, bundle_dir, record, experiment)
        _name_model(client, registry.model_name)
        version = client.create_model_version(
            registry.model_name,
            f"runs:/{run_id}/{BUNDLE_ARTIFACT}",
            run_id=run_id,
            tags=_tags(record),
        )
        client.set_terminated(run_id)
    return RegisteredVersion(registry.model_name, str(version.version), run_id, record.bundle_sha256)


def set_alias(registry: Registry, alias: str, version: str) -> None:
    """Point an alias to a version, away from any other."""
    _client(registry.tracking_uri).set_registered_model_alias(registry.model_name, alias, version)


def drop_alias(registry: Registry, alias: str) -> None:
    """Remove an alias, if the registered model has it."""
    _client(registry.tracking_uri).delete_registered_model_alias(registry.model_name, alias)


def version_at(registry: Registry, address: ModelAddress) -> RegisteredVersion | None:
    """Return the version an address points to, or None when the registry has no such name, alias or version."""
    mlflow = _mlflow()
    client = _client(registry.tracking_uri)
    try:
        if address.alias is not None:
            found = client.get_model_version_by_alias(address.name, address.alias)
        else:
            found = client.get_model_version(address.name, address.version)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise ConfigurationRefused(
            f"the model registry {registry.tracking_uri} does not answer: {error.error_code}",
            "check --registry and that the tracking server runs",
        ) from error
    return _checked(found)


def fetch_bundle(address: str, tracking_uri: str, folder: Path) -> tuple[Path, RegisteredVersion]:
    """Download the bundle behind a ``models:/`` address into ``folder`` (created or set to mode 0700).

    The bundle is not trusted yet: pass the path to ``load_bundle``, which checks signature and digests first.

    Raises:
        ConfigurationRefused: the name, alias or version does not exist.
        IntegrityRefused: the version's source is not an artifact of its own run, or leads outside ``folder``.
    """
    parsed = parse_address(address)
    version = version_at(Registry(tracking_uri, parsed.name), parsed)
    if version is None:
        raise ConfigurationRefused(
            f"{address} is not in the registry {tracking_uri}", "run: passport register, or use --registry URI"
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    client = _client(tracking_uri)
    try:
        copied = Path(client.download_artifacts(version.run_id, BUNDLE_ARTIFACT, str(folder)))
    except _mlflow().exceptions.MlflowException as error:
        raise IntegrityRefused(f"{address}: the registry does not deliver the files of its bundle") from error
    if not copied.resolve().is_relative_to(folder.resolve()) or any(path.is_symlink() for path in copied.rglob("*")):
        raise IntegrityRefused(f"{address}: the bundle leads outside its folder")
    return copied, version


def _checked(version: Any) -> RegisteredVersion:  # noqa: ANN401 - an MLflow entity, which has no types
    """Return a version, refused unless its source is the bundle of its own run."""
    run_id = str(version.run_id or "")
    if not _RUN_ID.fullmatch(run_id) or version.source != f"runs:/{run_id}/{BUNDLE_ARTIFACT}":
        raise IntegrityRefused(
            f"model version {version.name}/{version.version} points to {version.source!r}, "
            "which is not the bundle of its own run"
        )
    return RegisteredVersion(str(version.name), str(version.version), run_id, (version.tags or {}).get(DIGEST_TAG))


def _version_with_digest(client: Any, name: str, digest: str) -> RegisteredVersion | None:  # noqa: ANN401 - untyped
    found = client.search_model_versions(f"name = '{name}' and tag.{DIGEST_TAG} = '{digest}'")
    return _checked(min(found, key=lambda version: int(version.version))) if found else None


def _close_left_runs(client: Any, experiment: str, digest: str, known: RegisteredVersion | None) -> None:  # noqa: ANN401 - untyped
    """Close the runs that earlier registrations of a digest left running: nobody else is working on it."""
    for run in client.search_runs([experiment], f"tags.{DIGEST_TAG} = '{digest}' and attributes.status = 'RUNNING'"):
        is_registered = known is not None and known.run_id == run.info.run_id
        client.set_terminated(run.info.run_id, "FINISHED" if is_registered else "FAILED")


def _log_run(client: Any, bundle_dir: Path, record: VersionRecord, experiment: str) -> str:  # noqa: ANN401 - untyped
    """Create a run, still running, with the bundle, its metrics and tags; return its id.

    It is created with its tags, so that it can be found by them at any moment.
    """
    mlflow = _mlflow()
    run = client.create_run(experiment, tags=_tags(record))
    started = run.info.start_time
    metrics = [mlflow.entities.Metric(name, value, started, 0) for name, value in sorted(record.metrics.items())]
    client.log_batch(run.info.run_id, metrics=metrics)
    client.log_artifacts(run.info.run_id, str(bundle_dir), BUNDLE_ARTIFACT)
    return str(run.info.run_id)


def _tags(record: VersionRecord) -> dict[str, str]:
    return {**dict(sorted(record.tags.items())), DIGEST_TAG: record.bundle_sha256}


def _name_model(client: Any, name: str) -> None:  # noqa: ANN401 - untyped
    """Create the registered model, unless it exists."""
    try:
        client.create_registered_model(name)
    except _mlflow().exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _experiment(client: Any, registry: Registry) -> str:  # noqa: ANN401 - untyped
    known = client.get_experiment_by_name(registry.model_name)
    if known is not None:
        return str(known.experiment_id)
    location = None if registry.artifact_folder is None else registry.artifact_folder.resolve().as_uri()
    return str(client.create_experiment(registry.model_name, artifact_location=location))


def _mlflow() -> Any:  # noqa: ANN401 - MLflow ships no types
    """Return MLflow. Importing it takes seconds, so only code that needs a registry does."""
    # MLflow reads these while it is imported; values set by the user stay.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    import mlflow  # noqa: PLC0415 - see above
    import mlflow.entities  # noqa: PLC0415 - see above

    return mlflow


def _client(tracking_uri: str) -> Any:  # noqa: ANN401 - MLflow ships no types
    """Return an MLflow client; the schema of a database file is created first, by one process at a time."""
    mlflow = _mlflow()
    with _locked(tracking_uri, "schema"):
        client = mlflow.MlflowClient(tracking_uri=tracking_uri)
        if tracking_uri.startswith(SQLITE_PREFIX):
            client.get_experiment("0")  # the first access creates or migrates the tables
    return client


@contextmanager
def _locked(tracking_uri: str, purpose: str) -> Iterator[None]:
    """Hold a lock beside a database file; two processes that both create its tables break each other.

    A tracking server has its own lock.
    """
    if not tracking_uri.startswith(SQLITE_PREFIX):
        yield
        return
    database = Path(tracking_uri.removeprefix(SQLITE_PREFIX))
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(f".{database.name}.{purpose}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
