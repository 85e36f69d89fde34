"""Model versions and their aliases in MLflow.

MLflow stores a bundle as plain files of its training run, and which version is champion. Our commands never load a
model through MLflow: a download is as foreign as anything from outside and goes through
``models.registry.bundle.load_bundle``. Only versions
whose source is an artifact of their own run are downloaded, because MLflow itself accepts any path as a source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.registry.mlflow_client import Registry, connected_client, experiment_of, locked, mlflow_package
from models.registry.mlflow_runs import DIGEST_TAG, training_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from models.registry.mlflow_runs import TrainingRecord

MODEL_ARTIFACT: Final = "model"
DATA_FOLDER: Final = "data"
BUNDLE_FOLDER: Final = f"{DATA_FOLDER}/bundle"
"""Where the bundle lies in the model folder that any MLflow client loads."""
_BUNDLES: Final = {MODEL_ARTIFACT: f"{MODEL_ARTIFACT}/{BUNDLE_FOLDER}", "bundle": "bundle"}
"""Where a version's bundle lies, by the artifact that is its source. Earlier releases kept the bare bundle."""
CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
_ADDRESS = re.compile(
    r"models:/(?P<name>[A-Za-z0-9._-]{1,100})(?:@(?P<alias>[a-z][a-z0-9_-]*)|/(?P<version>[0-9]{1,9}))"
)
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class ServedModel:
    """How an MLflow client loads a version with ``mlflow.pyfunc.load_model``.

    Attributes:
        loader_module: installed module whose ``_load_pyfunc`` reads the folder; nothing is unpickled.
        columns: names of the features; each may be left out.
        identity: names of the columns that have to be given beside them.
        parameters: texts that ``predict`` takes as ``params``, with their defaults.
        metadata: what the loader has to know.
    """

    loader_module: str
    columns: tuple[str, ...]
    identity: tuple[str, ...]
    parameters: Mapping[str, str]
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a registered model, the recorded digest of its bundle, and where its run keeps the bundle."""

    model_name: str
    version: str
    run_id: str
    bundle_sha256: str | None
    bundle_artifact: str = _BUNDLES[MODEL_ARTIFACT]


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


def register_bundle(
    bundle_dir: Path, record: TrainingRecord, gates: Mapping[str, str], served: ServedModel, registry: Registry
) -> RegisteredVersion:
    """Register a bundle as a new version of its training run, or return the version that already holds the same bytes.

    Args:
        bundle_dir: the bundle.
        record: its training run, which is recorded if it is not yet.
        gates: what each gate measured, kept with the version.
        served: how MLflow clients load it.
        registry: where.
    """
    client = connected_client(registry.tracking_uri)
    with locked(registry.tracking_uri, "register"):
        experiment = experiment_of(client, registry)
        known = _version_with_digest(client, registry.model_name, record.bundle_sha256)
        if known is not None:
            return known
        run_id = training_run(client, record, experiment)
        _log_model(client, run_id, bundle_dir, served)
        _name_model(client, registry.model_name)
        tags = {**record.tags, **{f"gate.{name}": measured for name, measured in gates.items()}}
        version = client.create_model_version(
            registry.model_name,
            f"runs:/{run_id}/{MODEL_ARTIFACT}",
            run_id=run_id,
            tags={**dict(sorted(tags.items())), DIGEST_TAG: record.bundle_sha256},
        )
    return RegisteredVersion(registry.model_name, str(version.version), run_id, record.bundle_sha256)


def set_alias(registry: Registry, alias: str, version: str) -> None:
    """Point an alias to a version, away from any other."""
    connected_client(registry.tracking_uri).set_registered_model_alias(registry.model_name, alias, version)


def drop_alias(registry: Registry, alias: str) -> None:
    """Remove an alias, if the registered model has it."""
    connected_client(registry.tracking_uri).delete_registered_model_alias(registry.model_name, alias)


def version_at(registry: Registry, address: ModelAddress) -> RegisteredVersion | None:
    """Return the version an address points to, or None when the registry has no such name, alias or version."""
    mlflow = mlflow_package()
    client = connected_client(registry.tracking_uri)
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
    client = connected_client(tracking_uri)
    try:
        copied = Path(client.download_artifacts(version.run_id, version.bundle_artifact, str(folder)))
    except mlflow_package().exceptions.MlflowException as error:
        raise IntegrityRefused(f"{address}: the registry does not deliver the files of its bundle") from error
    if not copied.resolve().is_relative_to(folder.resolve()) or any(path.is_symlink() for path in copied.rglob("*")):
        raise IntegrityRefused(f"{address}: the bundle leads outside its folder")
    return copied, version


def _checked(version: Any) -> RegisteredVersion:  # noqa: ANN401 - an MLflow entity, which has no types
    """Return a version, refused unless its source is the bundle of its own run."""
    run_id = str(version.run_id or "")
    sources = {f"runs:/{run_id}/{artifact}": bundle for artifact, bundle in _BUNDLES.items()}
    if not _RUN_ID.fullmatch(run_id) or version.source not in sources:
        raise IntegrityRefused(
            f"model version {version.name}/{version.version} points to {version.source!r}, "
            "which is not the bundle of its own run"
        )
    digest = (version.tags or {}).get(DIGEST_TAG)
    return RegisteredVersion(str(version.name), str(version.version), run_id, digest, sources[version.source])


def _version_with_digest(client: Any, name: str, digest: str) -> RegisteredVersion | None:  # noqa: ANN401 - untyped
    found = client.search_model_versions(f"name = '{name}' and tag.{DIGEST_TAG} = '{digest}'")
    return _checked(min(found, key=lambda version: int(version.version))) if found else None


def _log_model(client: Any, run_id: str, bundle_dir: Path, served: ServedModel) -> None:  # noqa: ANN401 - untyped
    """Keep the bundle with a run as a folder that ``mlflow.pyfunc.load_model`` reads."""
    import mlflow.pyfunc  # noqa: PLC0415 - takes long, and only a registration needs it
    import mlflow.types.schema  # noqa: PLC0415 - as above

    # Of any type: MLflow would refuse whole numbers in a column of numbers. The loader checks what a column holds.
    anything = mlflow.types.schema.AnyType()  # type: ignore[no-untyped-call]
    identity = [mlflow.types.ColSpec(anything, name) for name in served.identity]
    features = [mlflow.types.ColSpec(anything, name, required=False) for name in served.columns]
    given = [mlflow.types.ParamSpec(name, "string", value) for name, value in served.parameters.items()]
    signature = mlflow.models.ModelSignature(
        inputs=mlflow.types.Schema([*identity, *features]), params=mlflow.types.ParamSchema(given)
    )
    described = mlflow.models.Model(run_id=run_id, signature=signature, metadata=dict(served.metadata))
    mlflow.pyfunc.add_to_model(described, loader_module=served.loader_module, data=DATA_FOLDER)
    client.log_artifacts(run_id, str(bundle_dir), f"{MODEL_ARTIFACT}/{BUNDLE_FOLDER}")
    client.log_text(run_id, described.to_yaml(), f"{MODEL_ARTIFACT}/MLmodel")


def _name_model(client: Any, name: str) -> None:  # noqa: ANN401 - untyped
    """Create the registered model, unless it exists."""
    try:
        client.create_registered_model(name)
    except mlflow_package().exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
