"""Settings of labels, leak check and training, in a module that is quick to import."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.components.binning import BinningSettings
from models.components.encoding import EncodingSettings
from models.components.scale import GradeScale, PointsScale
from models.components.settings import FitSettings


class LabelSettings(BaseModel):
    """The target: default within ``performance_days`` after the observation date.

    ``data_until`` is the last day that the default records cover. A default is assumed to be on record
    ``reporting_lag_days`` after it happened, so an observation is mature when both periods have passed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_until: dt.date
    performance_days: int = Field(default=365, gt=0)
    reporting_lag_days: int = Field(default=0, ge=0)


class LeakWaiver(BaseModel):
    """A person's decision that a feature may be used although the leak check names it.

    It covers samples whose last observation is not after ``until``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    person: str = Field(min_length=1)
    until: dt.date


class LeakSettings(BaseModel):
    """When a feature counts as a leak.

    Attributes:
        largest_probability: a pure group counts only if chance would produce it this rarely.
        fewest_rows: fewest rows of a pure group.
        value_share: share of all defaulters that a group of defaulters must have if it is one value.
        tail_share: share of all defaulters that a group of defaulters must have if it is an end of the range.
        good_share: share of all non-defaulters that a group of non-defaulters must have.
        auc_limit: limit for the lower bound of the feature's own AUC.
        standard_errors: distance of that lower bound below the estimate.
        waivers: features that people have examined and cleared, each with reason, person and last day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    largest_probability: float = Field(default=1e-6, gt=0, lt=1)
    fewest_rows: int = Field(default=8, ge=1)
    value_share: float = Field(default=0.2, gt=0, le=1)
    tail_share: float = Field(default=0.6, gt=0, le=1)
    good_share: float = Field(default=0.5, gt=0, le=1)
    auc_limit: float = Field(default=0.9, gt=0.5, lt=1)
    standard_errors: float = Field(default=3.0, gt=0)
    waivers: tuple[LeakWaiver, ...] = ()

    def waived_at(self, day: dt.date) -> frozenset[str]:
        """Return the features with a waiver that covers observations up to ``day``."""
        return frozenset(waiver.feature for waiver in self.waivers if day <= waiver.until)


class TrainingSettings(BaseModel):
    """How a candidate is trained.

    Attributes:
        champion: kind of the champion; ``auto`` for the simplest kind whose out-of-fold log-loss is within one standard
            error of the best, ``best`` for the best.
        seed: random seed of folds and boosters.
        threads: threads of a fit; they change no result.
        folds: folds of the cross-validation.
        repeats: how often the cross-validation is repeated with other folds.
        fold_kind: folds by related-party component, or stratified by outcome if every firm is observed once.
        fits: budget of booster fits for one repeat of the folds; at least one booster is tried whatever the budget.
        max_rounds: most boosting rounds of a fit.
        patience: rounds without improvement after which a fit stops.
        ablations: whether to fit the champion's kind without each pillar, for comparison.
        encoding: how features may enter a model.
        binning: how finely a scorecard bins its columns.
        leaks: when a feature counts as a leak.
        scale: points scale of the score.
        grades: master scale of the grades.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    champion: Literal["auto", "best", "linear", "scorecard", "gbm", "blend"] = "auto"
    seed: int = 1
    threads: int = Field(default=1, ge=1)
    folds: int = Field(default=4, ge=2)
    repeats: int = Field(default=1, ge=1)
    fold_kind: Literal["component", "stratified"] = "component"
    fits: int = Field(default=24, ge=1)
    max_rounds: int = Field(default=800, ge=1)
    patience: int = Field(default=50, ge=1)
    ablations: bool = True
    encoding: EncodingSettings = EncodingSettings()
    binning: BinningSettings = BinningSettings()
    leaks: LeakSettings = LeakSettings()
    scale: PointsScale = PointsScale()
    grades: GradeScale = GradeScale()

    def fit_settings(self, rounds: int | None = None) -> FitSettings:
        """Return the settings of every booster fit, for ``rounds`` rounds or up to the most allowed."""
        return FitSettings(self.seed, self.threads, rounds or self.max_rounds, self.patience)
