"""An audit of what a model promises beyond accuracy: reasons add up, signs hold, hiding never pays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from data_contracts.progress import SILENT, counted
from models.components.scale import weight_of_group

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data_contracts.progress import Progress
    from models.components.encoding import FeatureFacts, FloatArray, ModelFeature
    from models.components.model import CreditModel


class AuditSettings(BaseModel):
    """How much to try: rows drawn, pairs of features blanked together, steps of a sweep, and the random seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(default=200, ge=1)
    pairs: int = Field(default=50, ge=0)
    steps: int = Field(default=21, ge=3)
    seed: int = 20_261


@dataclass(frozen=True)
class HeaviestFamily:
    """The family of features that weighs most, and its share of the mean absolute points of all families.

    ``feature`` is its heaviest member.
    """

    family: str
    feature: str
    share: float


@dataclass(frozen=True)
class ModelAudit:
    """Counts of trials and of broken promises.

    ``additivity_error`` is the largest gap between contributions and log-odds. ``unequal_points`` counts rows whose
    issued points miss the score. A hiding trial blanks one feature or a pair in one row; it is a gain if the log-odds
    of default fall. Trials with pairs are also counted separately as joint. A monotone trial moves one feature one step
    towards more risk; it is a break if the log-odds of default fall. ``heaviest_family`` is None if no feature weighs
    anything.
    """

    rows: int
    additivity_error: float
    unequal_points: int
    hiding_trials: int
    hiding_gains: int
    monotone_trials: int
    monotone_breaks: int
    joint_hiding_trials: int = 0
    joint_hiding_gains: int = 0
    heaviest_family: HeaviestFamily | None = None


def audit_model(model: CreditModel, X: FloatArray, settings: AuditSettings, progress: Progress = SILENT) -> ModelAudit:
    """Test the model's promises on rows drawn without replacement from ``X`` (n, p; NaN = missing).

    Rows that the model refuses to score are left out.

    Raises:
        ValueError: no row can be scored.
    """
    scorable = X[~model.missing_required(X)]
    if len(scorable) == 0:
        raise ValueError("no row of the sample can be scored, so nothing can be tested")
    generator = np.random.default_rng(settings.seed)
    chosen = generator.choice(len(scorable), size=min(settings.rows, len(scorable)), replace=False)
    sample = scorable[np.sort(chosen)]
    contributions = model.contributions(sample)
    gap = np.abs(contributions.base + contributions.values.sum(axis=1) - model.log_odds(sample))
    issued = model.issue_points(contributions)
    unequal = issued.score != issued.base_points + issued.points.sum(axis=1)
    single, joint = _hiding(model, sample, settings, generator)
    hiding = (single[0] + joint[0], single[1] + joint[1])
    monotone = _monotone(model, sample, settings.steps, progress)
    heaviest = heaviest_family(model.features, contributions.values)
    return ModelAudit(len(sample), float(gap.max()), int(unequal.sum()), *hiding, *monotone, *joint, heaviest)


def heaviest_family(features: Sequence[FeatureFacts], values: FloatArray) -> HeaviestFamily | None:
    """Return the family with the largest share of the mean absolute contributions ``values`` (n, p); ties in order."""
    families = [feature.family for feature in features]
    weight = {name: weight_of_group(families, name, values) for name in dict.fromkeys(families)}
    total = sum(weight.values())
    if total == 0.0:
        return None
    name = max(weight, key=lambda family: weight[family])
    alone = np.abs(values).mean(axis=0)
    members = [index for index, family in enumerate(families) if family == name]
    member = max(members, key=lambda index: float(alone[index]))
    return HeaviestFamily(name, features[member].name, weight[name] / total)


def _hiding(
    model: CreditModel, sample: FloatArray, settings: AuditSettings, generator: np.random.Generator
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return trials and gains of blanking each feature, and of blanking ``pairs`` random pairs of features."""
    count = sample.shape[1]
    single = [(index,) for index in range(count)]
    pairs = [tuple(generator.choice(count, size=2, replace=False)) for _ in range(settings.pairs if count > 1 else 0)]
    return _blanked(model, sample, single), _blanked(model, sample, pairs)


def _blanked(model: CreditModel, sample: FloatArray, sets: Sequence[tuple[int, ...]]) -> tuple[int, int]:
    """Return trials and gains of blanking each set of columns in every row that has a value in one of them."""
    reported = model.log_odds(sample)
    trials = gains = 0
    for columns in sets:
        hidden = sample.copy()
        hidden[:, list(columns)] = np.nan
        tried = np.isfinite(sample[:, list(columns)]).any(axis=1)
        # A row that may not be scored without the feature is NaN here and counts as no gain.
        gains += int((model.log_odds(hidden) < reported)[tried].sum())
        trials += int(tried.sum())
    return trials, gains


def _monotone(model: CreditModel, sample: FloatArray, steps: int, progress: Progress) -> tuple[int, int]:
    """Return trials and breaks of moving each directed feature step by step towards more risk."""
    trials = breaks = 0
    swept = counted(model.features, "features moved step by step", len(model.features), progress)
    for index, feature in enumerate(swept):
        for grid in _sweeps(feature, steps):
            rows = np.repeat(sample, len(grid), axis=0)
            rows[:, index] = np.tile(grid, len(sample))
            risk = model.log_odds(rows).reshape(len(sample), len(grid))
            breaks += int((np.diff(risk, axis=1) < 0).sum())
            trials += risk.size - len(sample)
    return trials, breaks


def _sweeps(feature: ModelFeature, steps: int) -> Iterator[FloatArray]:
    """Yield values of a feature in order of rising risk, one step beyond the training range; none for a free one."""
    low, high = feature.lower - feature.step, feature.upper + feature.step
    if feature.treatment == "one_sided":
        ends = (low, high) if feature.direction > 0 else (high, low)
        yield np.linspace(*ends, steps)
    elif feature.treatment == "two_sided" and feature.centre is not None:
        yield np.linspace(feature.centre, low, steps)
        yield np.linspace(feature.centre, high, steps)
