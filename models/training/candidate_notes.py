"""What a training run says about its sample: sizes, features used, features set aside and why, suspected leaks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.components.encoding import why_set_aside

if TYPE_CHECKING:
    from models.components.encoding import EncodingSettings, ModelFeature
    from models.training.dataset import Dataset
    from models.training.leakage import LeakFinding

log = logging.getLogger(__name__)


class ColumnWarning(NamedTuple):
    """A column that needs a look: set aside, or suspected to know the outcome; and the reason."""

    column: str
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"column {self.column!r} is {self.kind}: {self.reason}"


def column_warnings(
    train: Dataset, settings: EncodingSettings, leaks: tuple[LeakFinding, ...]
) -> tuple[ColumnWarning, ...]:
    """Return a warning for every column that is set aside, then for every suspected leak; in feature order."""
    found = []
    for position, fact in enumerate(train.facts):
        reason = why_set_aside(train.X[:, position], fact, settings)
        if reason is not None:
            found.append(ColumnWarning(fact.name, "set aside", reason))
    found += [ColumnWarning(leak.feature, "suspected to know the outcome", leak.evidence) for leak in leaks]
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
        "features_set_aside_because": _by_reason([w for w in warnings if w.kind == "set aside"]),
        "features_without_direction": ", ".join(
            f.name for f in features if f.treatment in ("free", "gaps_kept", "category")
        ),
        "features_suspected_leaks": _by_reason([w for w in warnings if w.kind != "set aside"]),
        "best_single_variable": single,
    }


def _by_reason(warnings: list[ColumnWarning]) -> str:
    """Return the columns of each reason, such as ``no known value: a, b; named in the settings: c``."""
    reasons = dict.fromkeys(warning.reason for warning in warnings)
    named = {reason: ", ".join(w.column for w in warnings if w.reason == reason) for reason in reasons}
    return "; ".join(f"{reason}: {columns}" for reason, columns in named.items())
