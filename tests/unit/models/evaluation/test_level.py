"""The level of predicted default rates is tested overall, by grade and by segment, clustered by related sellers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.evaluation import EvaluationSettings, evaluate
from models.evaluation.bootstrap import Outcomes, draw_counts
from models.evaluation.level import clustered_p_value, judged_together, levels_of_parts, whole_level
from models.evaluation.many_tests import holm
from tests.factories.evaluation import GRADES, holdout, probability_of

if TYPE_CHECKING:
    import pandas as pd

    from models.evaluation import Evaluation
    from models.evaluation.level import Level

SETTINGS = EvaluationSettings(grade_order=GRADES, segment_columns=("main_channel",), draws=300)


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return holdout(rows=3000)


def judged(sample: pd.DataFrame, shift: float = 0.0, where: str | None = None) -> Evaluation:
    """Return the evaluation after the log-odds are shifted, of one channel or of all rows; grades stay."""
    probability = sample["pd_champion"].to_numpy()
    moved = probability_of(np.log(probability / (1 - probability)) + shift)
    chosen = np.ones(len(sample), np.bool_) if where is None else (sample["main_channel"] == where).to_numpy()
    return evaluate(sample.assign(pd_champion=np.where(chosen, moved, probability)), SETTINGS)


def verdicts(levels: tuple[Level, ...], column: str) -> dict[str, str]:
    return {level.part: level.verdict for level in levels if level.column == column}


def test_true_probabilities_agree_overall_in_every_grade_and_in_every_segment(sample: pd.DataFrame) -> None:
    level = judged(sample).level
    assert verdicts(level, "whole") == {"": "agrees"}
    assert set(verdicts(level, "grade").values()) == {"agrees"}
    assert set(verdicts(level, "main_channel").values()) == {"agrees"}


@pytest.mark.parametrize(("shift", "verdict"), [(1.5, "too_high"), (-1.2, "too_low")])
def test_shifted_probabilities_rank_as_well_and_have_the_wrong_level(
    sample: pd.DataFrame, shift: float, verdict: str
) -> None:
    honest, shifted = judged(sample), judged(sample, shift)
    assert shifted.champion.measures["auc"].value == honest.champion.measures["auc"].value
    assert verdicts(shifted.level, "whole") == {"": verdict}
    assert verdict in verdicts(shifted.level, "grade").values()


def test_a_segment_with_too_few_predicted_defaults_is_named_and_the_other_is_not(sample: pd.DataFrame) -> None:
    level = judged(sample, -1.2, "platform").level
    assert verdicts(level, "main_channel") == {"platform": "too_low", "own site": "agrees"}


def test_groups_with_few_defaults_are_not_judged(sample: pd.DataFrame) -> None:
    few = sample.head(60)
    assert set(verdicts(judged(few, 0.0).level, "main_channel").values()) == {"too_few"}


def test_the_whole_sample_is_judged_by_the_interval_of_expected_to_observed(sample: pd.DataFrame) -> None:
    for shift in (0.05, 0.15, 0.25, -0.15, -0.25):
        whole = judged(sample, shift).level[0]
        is_off = not whole.ratio.lower <= 1 <= whole.ratio.upper
        assert (whole.verdict != "agrees") == is_off


def test_copies_of_related_rows_are_no_further_evidence() -> None:
    generator = np.random.default_rng(3)
    label, probability = (generator.random(400) < 0.12).astype(np.int64), np.full(400, 0.1)
    copied = Outcomes(np.tile(label, 4), np.tile(np.arange(400), 4))
    alone = clustered_p_value(Outcomes(label, np.arange(400)), probability)
    assert clustered_p_value(copied, np.tile(probability, 4)) == pytest.approx(alone)
    as_independent = clustered_p_value(Outcomes(np.tile(label, 4), np.arange(1600)), np.tile(probability, 4))
    assert as_independent < alone


def test_a_true_level_is_rejected_about_as_often_as_the_test_allows() -> None:
    generator = np.random.default_rng(11)
    rejected = 0
    for _ in range(400):
        truth = np.repeat(probability_of(generator.normal(-2.0, 1.0, 300)), 3)
        label = np.repeat((generator.random(300) < truth[::3]).astype(np.int64), 3)
        rejected += clustered_p_value(Outcomes(label, np.repeat(np.arange(300), 3)), truth) < 0.05
    assert 8 <= rejected <= 36  # 20 of 400 expected


def test_the_verdicts_of_many_groups_allow_for_their_number() -> None:
    together = alone = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        outcomes = Outcomes((generator.random(10_000) < 0.1).astype(np.int64), np.arange(10_000))
        names = [f"part {row % 50:02d}" for row in range(10_000)]
        levels = levels_of_parts("part", names, outcomes, np.full(10_000, 0.1), np.ones((2, 10_000), np.int64))
        together += any(level.verdict != "agrees" for level in judged_together(levels, 10))
        alone += any(judged_together([level], 10)[0].verdict != "agrees" for level in levels)
    assert together <= 6  # 2 of 40 expected
    assert alone >= 30


def test_a_sample_without_defaults_has_no_verdict() -> None:
    outcomes = Outcomes(np.zeros(50, np.int64), np.arange(50))
    assert whole_level(outcomes, np.full(50, 0.1), draw_counts(50, 20, 1)).verdict == "too_few"


def test_p_values_are_adjusted_as_holm_does() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
