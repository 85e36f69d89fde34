"""How a feature enters a model, so that withholding it is never better than reporting it.

A constrained feature is clipped to the range seen in training, and its missing value becomes a number one step beyond
the worst end of that range. The components are monotone in the feature's direction, so a missing value carries at least
the risk of any reported one, for one feature and for any set of them together. A two-sided feature becomes two
distances from its centre, and each can only raise risk. A feature without a direction has no worst end: it is used
only if it was always observed in training, and a row that lacks it receives no score.

Where nobody gains by hiding, as in a table from elsewhere, the setting ``keep_gaps`` uses such features with their
gaps: a missing value stays missing, and each component gives it a risk of its own. A category is always used that way.
A declared special code is no amount. With a direction it is placed at the value whose risk is nearest to its own, so
that hiding it never pays; without one it is placed at the median and has a column of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from data_contracts.errors import ConfigurationRefused
from models.components.levels import LevelSettings, level_risks, risk_of_positions
from models.components.special_codes import position_of_equal_risk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Direction = Literal[-1, 0, 1]
Treatment = Literal["one_sided", "two_sided", "free", "gaps_kept", "category", "set_aside"]
WhySetAside = Literal[
    "named in the settings",
    "no known value",
    "the same value in every row",
    "no declared direction",
    "no declared direction and missing values",
    "category where gaps are not kept",
]

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


def _is_absent(value: object) -> bool:
    """Return whether an optional part of a document is not written, so that documents without it keep their bytes."""
    return value is None or value == ()


class FeatureFacts(BaseModel):
    """The declared part of a model feature: its name, its place and its expected effect.

    ``direction`` is +1 where a higher value raises the probability of default, -1 where it lowers it, 0 where neither
    is claimed. ``family`` groups features that say nearly the same; by default it is the name without its windows.
    ``levels`` are the sorted texts of a category, None for numbers: the matrix holds the position of a text among them.
    ``special_codes`` are values of a number that are no amounts, such as -9 for "never late".
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    pillar: str
    family: str
    unit: str
    direction: Direction
    title_en: str
    title_zh: str
    levels: tuple[str, ...] | None = Field(default=None, exclude_if=_is_absent)
    special_codes: tuple[float, ...] = Field(default=(), exclude_if=_is_absent)


class EncodingSettings(BaseModel):
    """How features may enter a model.

    Attributes:
        two_sided: features whose risk grows with the distance from the training median.
        set_aside: features that the model must not use.
        free_features: what to do with a feature without a direction: use it with its gaps; use it if it was always
            observed and refuse rows without it; or set it aside. Categories are used only with ``keep_gaps``.
        levels: how the risk of a category's levels is estimated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    two_sided: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    free_features: Literal["keep_gaps", "use_if_always_observed", "set_aside"] = "use_if_always_observed"
    levels: LevelSettings = LevelSettings()


class ModelFeature(FeatureFacts):
    """A feature as a model uses it, with the range seen in training.

    ``lower`` and ``upper`` are the finite extremes of the training window, in the feature's unit. ``step`` is how far
    beyond the worst of them a missing value is placed. ``centre`` is the reference of a two-sided feature; for
    ``gaps_kept`` and ``category`` it is what a missing value counts as if none was missing in training, and None if
    some were. ``special_positions`` are the values of special codes. ``level_risks`` has one risk for each
    level and last that of a rare or unseen one. A ``set_aside`` feature keeps its column in the matrix and has no
    effect.
    """

    treatment: Treatment
    lower: float
    upper: float
    step: float = Field(gt=0)
    centre: float | None = None
    special_positions: tuple[float, ...] = Field(default=(), exclude_if=_is_absent)
    level_risks: tuple[float, ...] = Field(default=(), exclude_if=_is_absent)

    @model_validator(mode="after")
    def _orderly(self) -> Self:
        if self.treatment != "set_aside" and len(self.special_positions) != len(self.special_codes):
            raise ValueError("a feature has one position for each special code")
        if (self.treatment == "category") != bool(self.level_risks):
            raise ValueError("a category, and nothing else, has risks of levels")
        if self.level_risks and len(self.level_risks) != len(self.levels or ()) + 1:
            raise ValueError("a category has one risk for each level and one for all others")
        if len(set(self.levels or ())) != len(self.levels or ()):
            raise ValueError("levels of a category must differ")
        return self

    @property
    def columns(self) -> tuple[tuple[str, Direction], ...]:
        """Name and direction of the feature's encoded columns."""
        if self.treatment == "set_aside":
            return ()
        if self.treatment == "two_sided":
            return ((f"{self.name}__below", 1), (f"{self.name}__above", 1))
        if self.treatment == "one_sided":
            return ((self.name, self.direction),)
        return ((self.name, 0), *((f"{self.name}__is_{code:g}", 0) for code in self.special_codes))

    def encode(self, values: FloatArray) -> tuple[FloatArray, ...]:
        """Return the encoded columns of ``values`` (n,); NaN and infinities count as missing.

        Missing stays NaN only without a worst end: for a ``free`` feature, and where gaps are kept.
        """
        if self.treatment == "set_aside":
            return ()
        finite = np.isfinite(values)
        if self.treatment == "category":
            risk = risk_of_positions(values, self.level_risks)
            return (np.where(finite, risk, np.nan if self.centre is None else self.centre),)
        placed = self._placed(values)
        clipped = np.clip(np.where(finite, placed, self.lower), self.lower, self.upper)
        if self.treatment == "one_sided":
            worst = self.upper + self.step if self.direction > 0 else self.lower - self.step
            return (np.where(finite, clipped, worst),)
        if self.treatment == "two_sided":
            return self._distances(clipped, finite)
        missing = self.centre if self.treatment == "gaps_kept" and self.centre is not None else np.nan
        is_code = [(values == code).astype(np.float64) for code in self.special_codes]
        return (np.where(finite, clipped, missing), *is_code)

    def _placed(self, values: FloatArray) -> FloatArray:
        """Return values with special codes at their positions."""
        placed = values
        for code, position in zip(self.special_codes, self.special_positions, strict=True):
            placed = np.where(values == code, position, placed)
        return placed

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


def fit_encoding(
    X: FloatArray,
    facts: Sequence[FeatureFacts],
    settings: EncodingSettings,
    y: npt.NDArray[np.integer] | None = None,
) -> tuple[ModelFeature, ...]:
    """Return one model feature per column of the training matrix ``X`` (n, p), in the order of ``facts``.

    The outcomes ``y`` (n,) are needed for categories and special codes only.

    Raises:
        ConfigurationRefused: special codes are declared where they have no meaning.
    """
    if X.ndim != 2 or X.shape[1] != len(facts):
        raise ValueError(f"matrix of shape {X.shape} does not have the {len(facts)} columns of the feature set")
    return tuple(_fit_feature(X[:, index], fact, settings, y) for index, fact in enumerate(facts))


def why_set_aside(values: FloatArray, fact: FeatureFacts, settings: EncodingSettings) -> WhySetAside | None:
    """Return why a feature with the training values (n,) is not used, or None if it is used."""
    known = values[np.isfinite(values)]
    if fact.name in settings.set_aside:
        return "named in the settings"
    if known.size == 0 or np.isin(known, fact.special_codes).all():
        return "no known value"
    is_directed = fact.levels is None and (fact.name in settings.two_sided or fact.direction != 0)
    return None if is_directed else _why_free_feature_set_aside(known, values.size, fact, settings)


def _why_free_feature_set_aside(
    known: FloatArray, rows: int, fact: FeatureFacts, settings: EncodingSettings
) -> WhySetAside | None:
    if settings.free_features == "set_aside":
        return "no declared direction"
    if settings.free_features == "keep_gaps":
        is_constant = known.size == rows and np.ptp(known) == 0.0
        return "the same value in every row" if is_constant else None
    if fact.levels is not None:
        return "category where gaps are not kept"
    return None if known.size == rows else "no declared direction and missing values"


def _treatment(values: FloatArray, fact: FeatureFacts, settings: EncodingSettings) -> Treatment:
    if why_set_aside(values, fact, settings) is not None:
        return "set_aside"
    if fact.levels is not None:
        return "category"
    if fact.name in settings.two_sided:
        return "two_sided"
    if fact.direction != 0:
        return "one_sided"
    return "gaps_kept" if settings.free_features == "keep_gaps" else "free"


def _fit_feature(
    values: FloatArray, fact: FeatureFacts, settings: EncodingSettings, y: npt.NDArray[np.integer] | None
) -> ModelFeature:
    treatment = _treatment(values, fact, settings)
    if fact.special_codes and (treatment in ("two_sided", "category")):
        raise ConfigurationRefused(
            f"column {fact.name!r} has special codes, but is a category or two-sided",
            "declare special codes only for columns of numbers with one direction or none",
        )
    observed = values[np.isfinite(values) & ~np.isin(values, fact.special_codes)]
    fitted: dict[str, object] = {"treatment": treatment, **_range(observed)}
    if treatment == "two_sided" or (treatment == "gaps_kept" and np.isfinite(values).all()):
        fitted["centre"] = float(np.median(observed))
    if treatment == "category":
        fitted |= _fitted_levels(values, fact, settings, _needed(y))
    elif fact.special_codes and treatment != "set_aside":
        fitted["special_positions"] = _special_positions(values, fact, _needed(y))
    return ModelFeature.model_validate(fact.model_dump() | fitted)


def _range(observed: FloatArray) -> dict[str, float]:
    if observed.size == 0:
        return {"lower": 0.0, "upper": 0.0, "step": 1.0}
    lower, upper = float(observed.min()), float(observed.max())
    size = max(abs(lower), abs(upper))
    step = max(_STEP_SHARE_OF_RANGE * (upper - lower), _STEP_SHARE_OF_SIZE * size) if upper > lower else max(1.0, size)
    return {"lower": lower, "upper": upper, "step": step}


def _needed(y: npt.NDArray[np.integer] | None) -> npt.NDArray[np.integer]:
    if y is None:
        raise ValueError("categories and special codes need the outcomes")
    return y


def _fitted_levels(
    values: FloatArray, fact: FeatureFacts, settings: EncodingSettings, y: npt.NDArray[np.integer]
) -> dict[str, object]:
    risks = level_risks(values, y, len(fact.levels or ()), settings.levels)
    return {"level_risks": risks, "centre": risks[-1] if np.isfinite(values).all() else None}


def _special_positions(values: FloatArray, fact: FeatureFacts, y: npt.NDArray[np.integer]) -> tuple[float, ...]:
    is_amount = np.isfinite(values) & ~np.isin(values, fact.special_codes)
    amounts = values[is_amount]
    if fact.direction == 0:
        return (float(np.median(amounts)),) * len(fact.special_codes)
    return tuple(
        position_of_equal_risk(amounts, y[is_amount], fact.direction, y[values == code]) for code in fact.special_codes
    )


def encoded_columns(features: Sequence[ModelFeature]) -> tuple[tuple[str, Direction], ...]:
    """Return name and direction of the encoded columns of all features, in order.

    Direction +1 may only raise risk, -1 may only lower it, 0 is free.
    """
    return tuple(column for feature in features for column in feature.columns)


def encode_matrix(features: Sequence[ModelFeature], X: FloatArray, order: Literal["C", "F"] = "C") -> FloatArray:
    """Return encoded columns (n, q) of ``X`` (n, p): clipped to the training range, missing beyond its worst end.

    ``order`` is how the result is stored: row by row, or column by column, which is faster to fill.
    """
    if X.ndim != 2 or X.shape[1] != len(features):
        raise ValueError(f"matrix of shape {X.shape} does not have the model's {len(features)} columns")
    encoded = np.empty((len(X), sum(len(feature.columns) for feature in features)), order=order)
    place = 0
    for i, feature in enumerate(features):
        for column in feature.encode(X[:, i]):
            encoded[:, place] = column
            place += 1
    return encoded
