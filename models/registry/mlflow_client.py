"""The MLflow client: where a registry is, and how it is opened."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE: Final = "mlflow.db"
"""Name of the database file of a registry that is kept beside the outputs."""
SQLITE_PREFIX: Final = "sqlite:///"


@dataclass(frozen=True)
class Registry:
    """Where model versions are kept: an MLflow tracking URI and the name of the registered model.

    ``artifact_folder`` is where a new experiment keeps its files; None leaves that to the tracking server.
    """

    tracking_uri: str
    model_name: str
    artifact_folder: Path | None = None


def experiment_of(client: Any, registry: Registry) -> str:  # noqa: ANN401 - untyped
    """Return the id of the experiment of a registered model; it is created if there is none."""
    known = client.get_experiment_by_name(registry.model_name)
    if known is not None:
        return str(known.experiment_id)
    location = None if registry.artifact_folder is None else registry.artifact_folder.resolve().as_uri()
    return str(client.create_experiment(registry.model_name, artifact_location=location))


def mlflow_package() -> Any:  # noqa: ANN401 - MLflow ships no types
    """Return MLflow. Importing it takes seconds, so only code that needs a registry does."""
    # MLflow reads these while it is imported; values set by the user stay.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    import mlflow  # noqa: PLC0415 - see above
    import mlflow.entities  # noqa: PLC0415 - see above

    return mlflow


def connected_client(tracking_uri: str) -> Any:  # noqa: ANN401 - MLflow ships no types
    """Return an MLflow client; the schema of a database file is created first, by one process at a time."""
    mlflow = mlflow_package()
    with locked(tracking_uri, "schema"):
        client = mlflow.MlflowClient(tracking_uri=tracking_uri)
        if tracking_uri.startswith(SQLITE_PREFIX):
            client.get_experiment("0")  # the first access creates or migrates the tables
    return client


@contextmanager
def locked(tracking_uri: str, purpose: str) -> Iterator[None]:
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
