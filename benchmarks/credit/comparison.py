"""Compare contenders over the same folds: measures of each, paired tests against ours, and ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata, t
from sklearn.linear_model import LogisticRegression

from credit.h_measure import h_measure
from models.evaluation.calibration_quality import log_losses, log_odds_of, squared_errors
from models.evaluation.discrimination import auc, ks_of_steps, rank_rows, step_weights
from models.evaluation.many_tests import holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LEVEL = 0.05
MEASURES = ("auc", "ks", "h_measure", "brier", "log_loss", "calibration_slope", "cpu_seconds")
LOWER_IS_BETTER = ("brier", "log_loss")


def fold_measures(y: NDArray[np.int64], probability: NDArray[np.float64], cpu_seconds: float) -> dict[str, float]:
    """Return the measures of one contender on one held-out fold."""
    everyone = np.ones((1, len(y)))
    line = LogisticRegression(C=np.inf, max_iter=1000).fit(log_odds_of(probability)[:, None], y)
    return {
        "auc": auc(y, probability),
        "ks": float(ks_of_steps(step_weights(y, rank_rows(probability), everyone))[0]),
        "h_measure": h_measure(y, probability),
        "brier": float(squared_errors(y, probability).mean()),
        "log_loss": float(log_losses(y, probability).mean()),
        "calibration_slope": float(line.coef_[0, 0]),
        "cpu_seconds": cpu_seconds,
    }


@dataclass(frozen=True)
class Paired:
    """Mean difference to ours with a 95 % interval, and the probability of one as large by chance."""

    mean: float
    low: float
    high: float
    p_value: float


def paired(differences: NDArray[np.float64], test_to_train: float) -> Paired:
    """Return the corrected resampled t-test of the differences of all folds and repeats.

    Folds share training rows, so the plain test finds differences that are none; the variance is raised by the ratio of
    test to training rows (Nadeau and Bengio 2003, doi 10.1023/A:1024068626366).
    """
    count = len(differences)
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    error = spread * np.sqrt(1.0 / count + test_to_train)
    half = float(t.ppf(1 - LEVEL / 2, count - 1)) * error
    p_value = 1.0 if error == 0 and mean == 0 else float(2 * t.sf(abs(mean) / max(error, 1e-300), count - 1))
    return Paired(mean, mean - half, mean + half, p_value)


def compare(folds: Mapping[str, Sequence[Mapping[str, float]]], ours: str, test_to_train: float) -> dict[str, Any]:
    """Return each contender's mean measures, and AUC and log-loss paired with ours, Holm-adjusted over the peers.

    A positive difference is a peer that is better.
    """
    means = {name: {m: float(np.mean([fold[m] for fold in part])) for m in MEASURES} for name, part in folds.items()}
    result: dict[str, Any] = {name: {"mean": measures} for name, measures in means.items()}
    for measure in ("auc", "log_loss"):
        sign = -1.0 if measure in LOWER_IS_BETTER else 1.0
        values = {name: sign * np.array([fold[measure] for fold in part]) for name, part in folds.items()}
        tests = {name: paired(value - values[ours], test_to_train) for name, value in values.items() if name != ours}
        adjusted = holm({name: test.p_value for name, test in tests.items()})
        ranks = rankdata([-means[name][measure] * sign for name in folds])
        for name, rank in zip(folds, ranks, strict=True):
            result[name][f"{measure}_rank"] = float(rank)
        for name, test in tests.items():
            result[name][f"{measure}_better_than_ours"] = {
                "mean": test.mean, "low": test.low, "high": test.high, "p_holm": adjusted[name],
            }  # fmt: skip
    return result
