"""Settings and results of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from models.evaluation.estimates import Estimate, to_json_value

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from models.evaluation.calibration_quality import BrierParts
    from models.evaluation.calibration_tests import CalibrationTests, NeighbouringGrades
    from models.evaluation.cut_offs import Curve, CutOff, ScoreDistribution
    from models.evaluation.level import Level
    from models.evaluation.power import Difference
    from models.evaluation.rates import GradeTable, RateRow
    from models.evaluation.stability import PartResult

Protocol = Literal["out_of_time", "repeated_cross_validation"]
Role = Literal["champion", "baseline", "ablation"]


@dataclass(frozen=True)
class EvaluationSettings:
    """How to evaluate.

    ``champion``, ``baselines`` and ``ablations`` name models; the sample has a column ``pd_<name>`` for each.
    ``segment_columns`` are text columns of the sample; results are broken down by their values. A period or segment
    needs ``smallest_class`` bad and good rows for an AUC, and ``smallest_group`` sellers to be shown by itself.
    ``margin`` is what a loan that is paid earns and ``loss_given_default`` what one in default loses, as shares of the
    amount; the table of cut-offs uses them.
    """

    champion: str = "champion"
    baselines: tuple[str, ...] = ()
    ablations: tuple[str, ...] = ()
    grade_order: tuple[str, ...] = ()
    segment_columns: tuple[str, ...] = ()
    draws: int = 1000
    seed: int = 20_240
    bands: int = 10
    power: float = 0.8
    smallest_class: int = 5
    smallest_group: int = 10
    margin: float = 0.06
    loss_given_default: float = 0.45

    def role_of(self, model: str) -> Role:
        """Return the role of a model: champion, baseline or ablation."""
        if model == self.champion:
            return "champion"
        return "baseline" if model in self.baselines else "ablation"

    @property
    def models(self) -> tuple[str, ...]:
        """Every model to evaluate, champion first."""
        return (self.champion, *self.baselines, *self.ablations)


@dataclass(frozen=True)
class SampleSize:
    """Size of the evaluated sample. ``components`` are the units that the bootstrap draws."""

    rows: int
    bad: int
    sellers: int
    components: int
    repeats: int
    first_as_of: datetime.date | None
    last_as_of: datetime.date | None


@dataclass(frozen=True)
class ModelResult:
    """One model's measures, each with its interval, and the parts of its Brier score.

    An ablation has only the compared measures (AUC, Brier score, log-loss): it serves for its difference.
    ``spread_over_repeats`` is the standard deviation of the AUC over repeats of the cross-validation, that is, the
    effect of the choice of folds alone. None for an out-of-time test.
    """

    name: str
    role: Role
    measures: Mapping[str, Estimate]
    brier_parts: BrierParts
    spread_over_repeats: float | None


@dataclass(frozen=True)
class SegmentResults:
    """Results of the champion by the values of one column."""

    column: str
    parts: tuple[PartResult, ...]


@dataclass(frozen=True)
class Contrast:
    """The champion's recipe under a random split, which flatters: ``optimism`` is how much higher its AUC is."""

    auc: Estimate
    rows: int
    bad: int
    optimism: float


@dataclass(frozen=True)
class Evaluation:
    """The complete evaluation of a candidate: every figure with its interval.

    ``level`` compares predicted with observed defaults: the whole sample first, then each grade and each segment.
    """

    protocol: Protocol
    settings: EvaluationSettings
    sample: SampleSize
    models: tuple[ModelResult, ...]
    differences: tuple[Difference, ...]
    bands: tuple[RateRow, ...]
    grades: GradeTable | None
    periods: tuple[PartResult, ...]
    stability_score: float | None
    segments: tuple[SegmentResults, ...]
    level: tuple[Level, ...]
    cut_offs: tuple[CutOff, ...]
    curves: tuple[Curve, ...]
    distribution: ScoreDistribution
    calibration_tests: CalibrationTests
    neighbouring_grades: tuple[NeighbouringGrades, ...]
    contrast: Contrast | None

    @property
    def champion(self) -> ModelResult:
        """Result of the champion."""
        return self.models[0]

    def model(self, name: str) -> ModelResult:
        """Return the result of a model by name.

        Raises:
            KeyError: the model was not evaluated.
        """
        for result in self.models:
            if result.name == name:
                return result
        raise KeyError(name)

    def difference(self, other: str, measure: str = "auc") -> Difference:
        """Return the champion's gain over a model by name.

        Raises:
            KeyError: the model or measure was not compared.
        """
        for found in self.differences:
            if (found.other, found.measure) == (other, measure):
                return found
        raise KeyError((other, measure))

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as JSON values; an undefined figure is null."""
        found: dict[str, Any] = to_json_value(self)
        return found
