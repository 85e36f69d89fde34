"""What a training run says about its sample: sizes, features used, features set aside and why, suspected leaks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from models.components.encoding import why_set_aside

if TYPE_CHECKING:
    from models.components.encoding import ModelFeature
    from models.settings import TrainingSettings
    from models.training.dataset import Dataset
    from models.training.leaks.check import LeakFinding

log = logging.getLogger(__name__)


class ColumnWarning(NamedTuple):
    """A column that needs a look, and the reason: set aside, suspected to know the outcome, doubtful, or waived."""

    column: str
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"column {self.column!r} is {self.kind}: {self.reason}"


SET_ASIDE: Final = "set aside"
SUSPECTED: Final = "suspected to know the outcome"
DOUBTFUL: Final = "worth a look"
WAIVED: Final = "waived in the leak check"


def column_warnings(
    train: Dataset, settings: TrainingSettings, leaks: tuple[LeakFinding, ...]
) -> tuple[ColumnWarning, ...]:
    """Return a warning for every column set aside, every finding of the leak check and every waiver, in this order."""
    found = []
    for position, fact in enumerate(train.facts):
        reason = why_set_aside(train.X[:, position], fact, settings.encoding)
        if reason is not None:
            found.append(ColumnWarning(fact.name, SET_ASIDE, reason))
    found += [ColumnWarning(leak.feature, SUSPECTED if leak.is_leak else DOUBTFUL, leak.evidence) for leak in leaks]
    waived = settings.leaks.waived_at(train.as_of.max().astype(object)) & set(train.feature_names)
    found += [
        ColumnWarning(one.feature, WAIVED, f"{one.reason} ({one.person}, until {one.until})")
        for one in settings.leaks.waivers
        if one.feature in waived
    ]
    for warning in found:
        log.info("%s", warning)
    return tuple(found)


def candidate_notes(
    train: Dataset, features: tuple[ModelFeature, ...], single: str, warnings: tuple[ColumnWarning, ...]
) -> dict[str, str | int | float]:
    """Return the notes of a candidate: plain values with a name each."""
    treatments = [feature.treatment for feature in features]
    return {
        "training_rows": train.n,
        "training_defaults": int(train.y.sum()),
        "training_components": len(np.unique(train.component_id)),
        "features_used": len(features) - treatments.count("set_aside"),
        "features_set_aside": ", ".join(f.name for f in features if f.treatment == "set_aside"),
        "features_set_aside_because": _by_reason(warnings, SET_ASIDE),
        "features_without_direction": ", ".join(
            f.name for f in features if f.treatment in ("free", "gaps_kept", "category")
        ),
        "features_suspected_leaks": _by_reason(warnings, SUSPECTED),
        "features_to_look_at": _by_reason(warnings, DOUBTFUL),
        "features_waived": _by_reason(warnings, WAIVED),
        "best_single_variable": single,
    }


def _by_reason(all_warnings: tuple[ColumnWarning, ...], kind: str) -> str:
    """Return the columns of each reason of a kind, such as ``no known value: a, b; named in the settings: c``."""
    warnings = [warning for warning in all_warnings if warning.kind == kind]
    reasons = dict.fromkeys(warning.reason for warning in warnings)
    named = {reason: ", ".join(w.column for w in warnings if w.reason == reason) for reason in reasons}
    return "; ".join(f"{reason}: {columns}" for reason, columns in named.items())
