"""Applicants compared with the training observations: which variables have moved, and which of them move the PD."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit

from data_contracts.progress import SILENT, counted
from models.evaluation.drift import measure_drift
from models.evaluation.many_tests import holm
from pipelines.monitor.effect import effects
from pipelines.monitor.mix import comparable_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data_contracts.progress import Progress
    from models.components.encoding import FloatArray
    from models.components.model import CreditModel
    from models.evaluation.drift import Drift, DriftSettings
    from models.training.dataset import Dataset
    from pipelines.monitor.effect import Effect
    from pipelines.monitor.mix import Comparable

LOG_ODDS: Final = "log_odds_of_default"


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        comparable: the training observations that were compared, and their weights.
        drifts: of the model's output, then of every feature.
        effects: of every feature, by name; empty if no applicant can be scored.
        probability_change: relative change of the mean probability of default; None if nothing can be scored.
    """

    comparable: Comparable
    drifts: tuple[Drift, ...]
    effects: Mapping[str, Effect]
    probability_change: float | None

    @property
    def alerts(self) -> tuple[str, ...]:
        """Names of the variables with an alert: the model's output, then features by their effect on the mean PD."""
        alerted = [drift.name for drift in self.drifts if drift.alert]
        return tuple(sorted(alerted, key=lambda name: -self._size(name)))

    def _size(self, name: str) -> float:
        return abs(self.effects[name].probability) if name in self.effects else np.inf


def compare(
    model: CreditModel,
    reference: Dataset,
    current: FloatArray,
    judging: tuple[np.datetime64 | None, DriftSettings],
    progress: Progress = SILENT,
) -> Comparison:
    """Compare the scored applicants with the training observations of the same season and age.

    Evidence is counted by seller, not by quarter.

    Args:
        model: the champion.
        reference: the training observations.
        current: features of the applicants (m, p).
        judging: the date of the applicants (None: keep all seasons), and how drift is judged.
        progress: receives the number of features compared.
    """
    day, settings = judging
    names = model.feature_names
    comparable = comparable_rows(reference, names, current, day)
    before, evidence = reference.X[comparable.rows], comparable.evidence
    found = effects(model, before, current, evidence)
    scores = model.log_odds(before), model.log_odds(current)
    drifts = [measure_drift(LOG_ODDS, *scores, evidence, settings)]
    for place, name in enumerate(counted(names, "features compared", len(names), progress)):
        drifts.append(measure_drift(name, before[:, place], current[:, place], evidence, settings))
    weights = np.ones(len(before)) if evidence.weights is None else evidence.weights
    return Comparison(comparable, judged(drifts, found, settings), found, _change(*scores, weights))


def _change(before: FloatArray, after: FloatArray, weights: FloatArray) -> float | None:
    is_known, is_scored = np.isfinite(before), np.isfinite(after)
    if not is_known.any() or not is_scored.any():
        return None
    earlier = np.average(expit(before[is_known]), weights=weights[is_known])
    return float(expit(after[is_scored]).mean() / earlier - 1)


def judged(drifts: Sequence[Drift], found: Mapping[str, Effect], settings: DriftSettings) -> tuple[Drift, ...]:
    """Mark the alerts: drift that chance cannot explain, and that matters.

    Chance is ruled out by the stability index or by the mean contribution, the smaller p-value counting double, after
    Holm's step-down correction (1979). Drift of a feature matters if it changes the mean probability of default by the
    least effect of the settings; drift of the model's output, if its index reaches the smallest index.

    Raises:
        ValueError: there are too few simulations for any p-value to pass the correction.
    """
    if drifts and 2 / (1 + settings.simulations) > settings.family_wise_error / len(drifts):
        raise ValueError(f"{settings.simulations} simulations are too few for {len(drifts)} variables")
    chances = {one.name: _chance(one, found.get(one.name)) for one in drifts}
    adjusted = holm(chances)
    return tuple(
        replace(
            one,
            p_value=chances[one.name],
            alert=adjusted[one.name] <= settings.family_wise_error and _matters(one, found, settings),
        )
        for one in drifts
    )


def _chance(drift: Drift, effect: Effect | None) -> float:
    return drift.p_value if effect is None else min(1.0, 2 * min(drift.p_value, effect.p_value))


def _matters(drift: Drift, found: Mapping[str, Effect], settings: DriftSettings) -> bool:
    effect = found.get(drift.name)
    if effect is None:
        return drift.index >= settings.smallest_index
    return abs(effect.probability) >= settings.least_effect
