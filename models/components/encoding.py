"""How a feature enters a model, so that withholding it is never better than reporting it.

A constrained feature is clipped to the range seen in training, and its missing value becomes a number one step beyond
the worst end of that range. The components are monotone in the feature's direction, so a missing value carries at least
the risk of any reported one, for one feature and for any set of them together. A two-sided feature becomes two
distances from its centre, and each can only raise risk. A feature without a direction has no worst end: it is used
only if it was always observed in training, and a row that lacks it receives no score.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Direction = Literal[-1, 0, 1]
Treatment = Literal["one_sided", "two_sided", "free", "set_aside"]

_WINDOW_SUFFIX = re.compile(r"(_\d+d)+$")
_STEP_SHARE_OF_RANGE = 0.05
_STEP_SHARE_OF_SIZE = 1e-6  # keeps the step from being lost in rounding


class DeclaredFeature(Protocol):
    """The facts of a feature record that a model needs."""

    @property
    def name(self) -> str:
        """Name of the feature."""
        ...

    @property
    def pillar(self) -> str:
        """Pillar that it belongs to."""
        ...

    @property
    def unit(self) -> str:
        """Unit of its values."""
        ...

    @property
    def direction(self) -> Direction:
        """+1 if a higher value raises the probability of default, -1 if it lowers it, 0 if neither is claimed."""
        ...

    @property
    def title_en(self) -> str:
        """English title."""
        ...

    @property
    def title_zh(self) -> str:
        """Chinese title."""
        ...


class FeatureFacts(BaseModel):
    """The declared part of a model feature: its name, its place and its expected effect.

    ``direction`` is +1 where a higher value raises the probability of default, -1 where it lowers it, 0 where neither
    is claimed. ``family`` groups features that say nearly the same; by default it is the name without its windows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    pillar: str
    family: str
    unit: str
    direction: Direction
    title_en: str
    title_zh: str


class EncodingSettings(BaseModel):
    """How features may enter a model.

    Attributes:
        two_sided: features whose risk grows with the distance from the training median.
        set_aside: features that the model must not use.
        free_features: what to do with a feature without a direction that was always observed: use it and refuse rows
            without it, or set it aside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    two_sided: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    free_features: Literal["use_if_always_observed", "set_aside"] = "use_if_always_observed"


class ModelFeature(FeatureFacts):
    """A feature as a model uses it, with the range seen in training.

    ``lower`` and ``upper`` are the finite extremes of the training window, in the feature's unit. ``step`` is how far
    beyond the worst of them a missing value is placed. ``centre`` is the reference of a two-sided feature. A
    ``set_aside`` feature keeps its column in the matrix and has no effect.
    """

    treatment: Treatment
    lower: float
    upper: float
    step: float = Field(gt=0)
    centre: float | None = None

    @property
    def columns(self) -> tuple[tuple[str, Direction], ...]:
        """Name and direction of the feature's encoded columns: none, one or two."""
        if self.treatment == "set_aside":
            return ()
        if self.treatment == "two_sided":
            return ((f"{self.name}__below", 1), (f"{self.name}__above", 1))
        return ((self.name, self.direction),)

    def encode(self, values: FloatArray) -> tuple[FloatArray, ...]:
        """Return the encoded columns of ``values`` (n,); NaN and infinities count as missing.

        Missing stays NaN only for a ``free`` feature, which has no worst end.
        """
        if self.treatment == "set_aside":
            return ()
        finite = np.isfinite(values)
        clipped = np.clip(np.where(finite, values, self.lower), self.lower, self.upper)
        if self.treatment == "free":
            return (np.where(finite, clipped, np.nan),)
        if self.treatment == "one_sided":
            worst = self.upper + self.step if self.direction > 0 else self.lower - self.step
            return (np.where(finite, clipped, worst),)
        return self._distances(clipped, finite)

    def _distances(self, clipped: FloatArray, finite: BoolArray) -> tuple[FloatArray, FloatArray]:
        centre = self.lower if self.centre is None else self.centre
        below = np.where(finite, np.maximum(centre - clipped, 0.0), centre - self.lower + self.step)
        above = np.where(finite, np.maximum(clipped - centre, 0.0), self.upper - centre + self.step)
        return below, above


def feature_family(name: str) -> str:
    """Return the family of a feature name: the name without its window suffixes.

    >>> feature_family("payout_net_sum_90d")
    'payout_net_sum'
    """
    return _WINDOW_SUFFIX.sub("", name) or name


def feature_facts(records: Iterable[DeclaredFeature]) -> tuple[FeatureFacts, ...]:
    """Return the declared facts of feature records, in their order."""
    return tuple(
        FeatureFacts(
            name=record.name,
            pillar=record.pillar,
            family=getattr(record, "family", None) or feature_family(record.name),
            unit=record.unit,
            direction=record.direction,
            title_en=record.title_en,
            title_zh=record.title_zh,
        )
        for record in records
    )


def fit_encoding(X: FloatArray, facts: Sequence[FeatureFacts], settings: EncodingSettings) -> tuple[ModelFeature, ...]:
    """Return one model feature per column of the training matrix ``X`` (n, p), in the order of ``facts``."""
    if X.ndim != 2 or X.shape[1] != len(facts):
        raise ValueError(f"matrix of shape {X.shape} does not have the {len(facts)} columns of the feature set")
    return tuple(_fit_feature(X[:, index], fact, settings) for index, fact in enumerate(facts))


def _fit_feature(values: FloatArray, fact: FeatureFacts, settings: EncodingSettings) -> ModelFeature:
    observed = values[np.isfinite(values)]
    treatment = _treatment(fact, observed.size, values.size, settings)
    if observed.size == 0:
        return ModelFeature(**fact.model_dump(), treatment="set_aside", lower=0.0, upper=0.0, step=1.0)
    lower, upper = float(observed.min()), float(observed.max())
    size = max(abs(lower), abs(upper))
    step = max(_STEP_SHARE_OF_RANGE * (upper - lower), _STEP_SHARE_OF_SIZE * size) if upper > lower else max(1.0, size)
    centre = float(np.median(observed)) if treatment == "two_sided" else None
    return ModelFeature(**fact.model_dump(), treatment=treatment, lower=lower, upper=upper, step=step, centre=centre)


def _treatment(fact: FeatureFacts, observed: int, rows: int, settings: EncodingSettings) -> Treatment:
    if fact.name in settings.set_aside:
        return "set_aside"
    if fact.name in settings.two_sided:
        return "two_sided"
    if fact.direction != 0:
        return "one_sided"
    usable = settings.free_features == "use_if_always_observed" and observed == rows
    return "free" if usable else "set_aside"


def encoded_columns(features: Sequence[ModelFeature]) -> tuple[tuple[str, Direction], ...]:
    """Return name and direction of the encoded columns of all features, in order.

    Direction +1 may only raise risk, -1 may only lower it, 0 is free.
    """
    return tuple(column for feature in features for column in feature.columns)


def encode_matrix(features: Sequence[ModelFeature], X: FloatArray) -> FloatArray:
    """Return encoded columns (n, q) of ``X`` (n, p): clipped to the training range, missing beyond its worst end."""
    if X.ndim != 2 or X.shape[1] != len(features):
        raise ValueError(f"matrix of shape {X.shape} does not have the model's {len(features)} columns")
    columns = [column for i, feature in enumerate(features) for column in feature.encode(X[:, i])]
    if not columns:
        return np.empty((len(X), 0))
    return np.ascontiguousarray(np.column_stack(columns))
