"""Questions to a model registry that only tests ask."""

from __future__ import annotations

from models.registry.mlflow_registry import CHAMPION, ModelAddress, RegisteredVersion, Registry, version_at


def champion_version(registry: Registry) -> RegisteredVersion | None:
    """Return the version in force, or None when none was ever promoted."""
    return version_at(registry, ModelAddress(registry.model_name, CHAMPION, None))
