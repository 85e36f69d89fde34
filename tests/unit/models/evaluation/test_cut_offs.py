"""Cut-offs, curves and score distributions say what refusing the worst scores would have meant on the sample."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation import EvaluationSettings, evaluate
from models.evaluation.bootstrap import Outcomes, draw_counts
from models.evaluation.cut_offs import cut_offs, roc_curve, score_distribution
from tests.factories.evaluation import GRADES, holdout

LABEL = np.array([0, 0, 0, 1, 0, 1, 1, 1])
GRADE = ["A", "A", "A", "A", "B", "B", "D", "D"]
OUTCOMES = Outcomes(LABEL, np.arange(8))
ECONOMICS = {"margin": 0.1, "loss_given_default": 0.5}


def test_each_cut_off_states_approvals_defaults_and_profit_by_hand() -> None:
    found = cut_offs(OUTCOMES, GRADE, ("A", "B", "C", "D"), draw_counts(8, 50, 1), ECONOMICS)
    lines = [(one.grade, one.approved, one.default_rate.value, one.defaults_refused.value) for one in found]
    assert lines == [("A", 0.5, 0.25, 0.75), ("B", 0.75, pytest.approx(1 / 3), 0.5), ("D", 1.0, 0.5, 0.0)]
    profits = [one.profit.value for one in found]
    assert profits == pytest.approx([100 * (0.3 - 0.5) / 8, 100 * (0.4 - 1.0) / 8, 100 * (0.4 - 2.0) / 8])
    assert [one.earns_most for one in found] == [True, False, False]


def test_a_better_ranking_refuses_more_defaults_at_the_same_approvals() -> None:
    sample = holdout(rows=3000)
    settings = EvaluationSettings(baselines=("scorecard",), grade_order=GRADES, draws=100)
    evaluation = evaluate(sample, settings)
    refused = [one.defaults_refused.value for one in evaluation.cut_offs]
    assert refused == sorted(refused, reverse=True)
    assert evaluation.cut_offs[-1].approved == 1.0
    for one in evaluation.cut_offs:
        assert one.default_rate.lower <= one.default_rate.value <= one.default_rate.upper
        assert one.defaults_refused.value >= 1 - one.approved


def test_a_lender_with_thin_margins_does_best_with_a_stricter_cut_off() -> None:
    sample = holdout(rows=3000)
    best = []
    for margin in (0.02, 0.08, 0.6):
        settings = EvaluationSettings(grade_order=GRADES, draws=20, margin=margin)
        best.append(next(one.approved for one in evaluate(sample, settings).cut_offs if one.earns_most))
    assert best == sorted(best)
    assert best[0] < best[-1] == 1.0


def test_the_area_below_a_curve_is_the_auc() -> None:
    sample = holdout(rows=2000)
    evaluation = evaluate(sample, EvaluationSettings(baselines=("scorecard", "coin"), draws=20))
    for curve in evaluation.curves:
        area = np.trapezoid(curve.bad_refused, curve.good_refused)
        assert area == pytest.approx(evaluation.model(curve.model).measures["auc"].value, abs=0.003)
        assert (curve.good_refused[0], curve.bad_refused[0]) == (0.0, 0.0)
        assert (curve.good_refused[-1], curve.bad_refused[-1]) == (1.0, 1.0)


def test_tied_predictions_are_refused_together() -> None:
    curve = roc_curve("champion", LABEL, np.array([0.1, 0.1, 0.1, 0.1, 0.4, 0.4, 0.9, 0.9]))
    assert curve.bad_refused == (0.0, 0.5, 0.75, 1.0)
    assert curve.good_refused == (0.0, 0.0, 0.25, 1.0)


def test_the_distribution_holds_every_row_once() -> None:
    log_odds = np.concatenate([np.linspace(-6, 2, 500), [-40.0, 30.0]])
    found = score_distribution((log_odds > -2).astype(np.int64), log_odds)
    assert sum(found.good) == pytest.approx(1.0, abs=1e-4)
    assert sum(found.bad) == pytest.approx(1.0, abs=1e-4)
    assert len(found.edges) == len(found.good) + 1 == len(found.bad) + 1
    alike = score_distribution(np.array([0, 1]), np.array([-2.0, -2.0]))
    assert (sum(alike.good), sum(alike.bad)) == (1.0, 1.0)
