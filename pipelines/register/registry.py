"""Where a profile keeps its model registry, and what its last registration says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.registry.mlflow_client import DATABASE, Registry

if TYPE_CHECKING:
    from pipelines.runs.stages import Place

REGISTRATION_FILE: Final = "registration.json"


def registry_of(place: Place, model_name: str) -> Registry:
    """Return the registry that a profile keeps beside its outputs."""
    database = (place.root / DATABASE).resolve()
    return Registry(f"sqlite:///{database}", model_name, place.root / "mlflow-artifacts")
