"""Settings of labels, leak check and training, in a module that is light to import."""

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

    ``data_until`` is the last day the default records cover. A default is taken to be on record
    ``reporting_lag_days`` after it happened, so an observation is mature when both have passed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_until: dt.date
    performance_days: int = Field(default=365, gt=0)
    reporting_lag_days: int = Field(default=0, ge=0)


class LeakSettings(BaseModel):
    """When a feature is taken for a leak.

    ``largest_probability``: a pure group counts only if chance would make it this rarely. A group of defaulters only
    must have ``fewest_rows`` rows and ``value_share`` of all defaulters where it is one value, ``tail_share`` where it
    is an end of the range; a value of non-defaulters only must have ``good_share`` of them. ``auc_limit`` is compared
    with the lower bound of the feature's own AUC, ``standard_errors`` below the estimate.
    ``reviewed`` names features that people have looked at and found honest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    largest_probability: float = Field(default=1e-6, gt=0, lt=1)
    fewest_rows: int = Field(default=8, ge=1)
    value_share: float = Field(default=0.2, gt=0, le=1)
    tail_share: float = Field(default=0.6, gt=0, le=1)
    good_share: float = Field(default=0.5, gt=0, le=1)
    auc_limit: float = Field(default=0.9, gt=0.5, lt=1)
    standard_errors: float = Field(default=3.0, gt=0)
    reviewed: tuple[str, ...] = ()


class TrainingSettings(BaseModel):
    """How a candidate is trained.

    ``champion``: the kind, or ``auto`` for the simplest kind whose out-of-fold log-loss lies within one standard error
    of the best. ``fold_kind``: by related-party component, or stratified by outcome where every firm is observed once.
    ``fits`` is the budget of booster fits a repeat of the folds; at least one booster is tried whatever the budget.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    champion: Literal["auto", "linear", "scorecard", "gbm", "blend"] = "auto"
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
        """Gives what every booster fit shares, for ``rounds`` rounds or up to the most allowed."""
        return FitSettings(self.seed, self.threads, rounds or self.max_rounds, self.patience)
