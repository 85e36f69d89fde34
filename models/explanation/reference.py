"""The training population, as far as scoring and explaining need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy.typing as npt

    from models.components.encoding import FloatArray
    from models.components.model import CreditModel

# Contributions are slow to compute; means over this many evenly spaced rows are accurate enough.
_MOST_EXPLAINED_ROWS = 2000
QUANTILE_LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


class FeatureReference(BaseModel):
    """A feature in the training population.

    ``quantiles`` are at QUANTILE_LEVELS over the known values (empty if none was known). ``mean_contribution`` and
    ``mean_absolute_contribution`` are in calibrated log-odds, over up to 2,000 rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    missing_share: float
    quantiles: tuple[float, ...]
    mean_contribution: float
    mean_absolute_contribution: float


class ReferencePopulation(BaseModel):
    """Size, defaults, scores and features of the training population; score quantiles at QUANTILE_LEVELS."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rows: int
    defaults: int
    score_quantiles: tuple[float, ...]
    features: tuple[FeatureReference, ...]


def describe_reference(model: CreditModel, X: FloatArray, y: npt.NDArray[np.integer]) -> ReferencePopulation:
    """Describe the training rows ``X`` (n, p) and outcomes ``y`` (n,) under a model."""
    evenly = np.linspace(0, len(X) - 1, min(len(X), _MOST_EXPLAINED_ROWS)).astype(np.int64)
    contributions = model.contributions(X[evenly])
    return ReferencePopulation(
        rows=len(X),
        defaults=int(np.sum(y)),
        score_quantiles=_quantiles(model.scale.exact_score(model.log_odds(X))),
        features=tuple(
            _describe_feature(feature.name, X[:, i], contributions.values[:, i])
            for i, feature in enumerate(model.features)
        ),
    )


def _describe_feature(name: str, values: FloatArray, contributions: FloatArray) -> FeatureReference:
    known = values[np.isfinite(values)]
    return FeatureReference(
        name=name,
        missing_share=1.0 - known.size / values.size,
        quantiles=_quantiles(known) if known.size else (),
        mean_contribution=float(contributions.mean()),
        mean_absolute_contribution=float(np.abs(contributions).mean()),
    )


def _quantiles(values: FloatArray) -> tuple[float, ...]:
    return tuple(np.quantile(values, QUANTILE_LEVELS).tolist())
