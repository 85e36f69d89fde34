"""The explanation of a model, all in points: positive points count in the seller's favour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from models.evaluation.estimates import to_json_value

if TYPE_CHECKING:
    import datetime

Verdict = Literal["consistent", "weak", "against", "unconstrained", "unused"]
LocalRole = Literal["strongest", "near_cut_off", "weakest"]


@dataclass(frozen=True)
class ExplainSettings:
    """How much to explain.

    Attributes:
        largest_sample: most rows to explain, drawn without replacement.
        bins: points of a dependence curve.
        lines: features listed for a single seller before "all others".
        cut_off_probability: probability of default whose nearest seller is shown; None takes the sample's mean.
        tested_rows: rows on which reasons are tested.
        movement: random shift of values in these tests, as a share of their interquartile range.
        smallest_points: mean absolute points below which a feature counts as unused.
        clear_correlation: rank correlation from which a dependence counts as clear.
        seed: random seed of all draws.
    """

    largest_sample: int = 4000
    bins: int = 10
    lines: int = 8
    cut_off_probability: float | None = None
    tested_rows: int = 400
    movement: float = 0.05
    smallest_points: float = 0.02
    clear_correlation: float = 0.5
    seed: int = 20_243


@dataclass(frozen=True)
class FeatureImportance:
    """How much one feature weighs: its mean absolute points, and its share of the sum over features."""

    name: str
    title_en: str
    title_zh: str
    pillar: str
    family: str
    unit: str
    direction: int
    mean_absolute_points: float
    share: float
    missing_share: float


@dataclass(frozen=True)
class GroupImportance:
    """How much a family or a pillar weighs: the mean absolute value of its points summed within each row."""

    name: str
    features: int
    mean_absolute_points: float
    share: float


@dataclass(frozen=True)
class DependenceBin:
    """Rows of similar feature value: the value's median and ends, and the mean and 10-90 % range of their points."""

    value: float
    lowest: float
    highest: float
    rows: int
    mean_points: float
    low_points: float
    high_points: float


@dataclass(frozen=True)
class Dependence:
    """A feature's points against its value.

    ``correlation`` is the rank correlation between expected risk (the value, its negative, or its distance from
    ``centre``, by the feature's direction) and contributed risk; None without a direction or without a contribution.
    ``missing_points`` is the mean over rows without the value; None if there are none.
    """

    feature: str
    centre: float | None
    bins: tuple[DependenceBin, ...]
    missing_rows: int
    missing_points: float | None
    correlation: float | None
    verdict: Verdict


@dataclass(frozen=True)
class LocalLine:
    """One feature's issued points for one seller; ``value`` is None if it is missing."""

    feature: str
    value: float | None
    points: int


@dataclass(frozen=True)
class LocalExplanation:
    """One seller: ``base_points`` + the points of ``lines`` + ``all_others`` == ``score``, exactly."""

    role: LocalRole
    seller_id: str
    as_of: datetime.date | None
    score: int
    probability: float
    grade: str
    base_points: int
    lines: tuple[LocalLine, ...]
    all_others: int


@dataclass(frozen=True)
class ReasonTests:
    """Whether reasons deserve trust.

    ``faithful_share``: of ``reset_rows`` sellers in the riskier half, the share whose risk falls when the family of the
    first negative reason is set to the median of the safer half. ``same_first_share`` and ``same_two_share``: of
    ``moved_rows`` sellers, the share whose first negative reason, and whose set of the first two, stay the same when
    every known value moves a little. None where no row could be tested.
    """

    reset_rows: int
    faithful_share: float | None
    moved_rows: int
    same_first_share: float | None
    same_two_share: float | None


@dataclass(frozen=True)
class Additivity:
    """Over all rows explained: the largest gap in log-odds, and the rows whose issued points miss the score."""

    rows: int
    largest_gap: float
    unequal_scores: int


@dataclass(frozen=True)
class Explanation:
    """The explanation of a model on a population. ``refused`` counts rows without a value that the model requires."""

    population: int
    refused: int
    explained: int
    base_points: int
    cut_off_probability: float
    features: tuple[FeatureImportance, ...]
    families: tuple[GroupImportance, ...]
    pillars: tuple[GroupImportance, ...]
    dependence: tuple[Dependence, ...]
    local: tuple[LocalExplanation, ...]
    reason_tests: ReasonTests
    additivity: Additivity

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as JSON values."""
        found: dict[str, Any] = to_json_value(self)
        return found
