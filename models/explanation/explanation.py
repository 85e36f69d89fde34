"""What an explanation of a model holds: all in points, where points above zero speak for the seller."""

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

    ``largest_sample`` bounds the rows explained (drawn without replacement by ``seed``); ``bins`` the points of a
    dependence curve; ``lines`` the features listed for a single seller before "all others". ``cut_off_probability`` is
    the probability of default nearest to which a seller is shown; None takes the sample's mean. Reasons are tested on
    ``tested_rows``, with values moved at random by ``movement`` of their interquartile range. A feature whose mean
    absolute points are below ``smallest_points`` counts as unused; ``clear_correlation`` is the rank correlation from
    which a dependence counts as clear.
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
    """How much one feature weighs: mean absolute points, and its share of the sum over features."""

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
    """How much a family or a pillar weighs: mean absolute value of its points summed within each row."""

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

    ``correlation`` is the rank correlation between the expected risk (the value, its negative, or its distance from
    ``centre``, by the feature's direction) and the risk contributed; None without a direction or without contribution.
    ``missing_points`` is the mean over rows without the value, None where there are none.
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
    """One feature's issued points for one seller; ``value`` is None where nothing is known."""

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

    ``faithful_share``: of ``reset_rows`` sellers in the riskier half, the share whose risk falls when the family named
    as the first reason against them is set to what is usual among the safer half. ``same_first_share`` and
    ``same_two_share``: of ``moved_rows`` sellers, the share whose first reason against, and whose set of the first two,
    stay when every known value moves a little. None where no row could be tested.
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
    """What a model makes of a population. ``refused`` rows lack a value the model cannot do without."""

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
        """The same as JSON values."""
        found: dict[str, Any] = to_json_value(self)
        return found
