"""``evaluation.json``: what a candidate was trained on, how well it performs, and what was tried."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from data_contracts.progress import SILENT
from models.evaluation.audit import audit_model
from models.evaluation.discrimination import auc
from models.training.candidate_notes import DOUBTFUL, SET_ASIDE, WAIVED

if TYPE_CHECKING:
    from data_contracts.progress import Progress
    from models.training.dataset import Dataset
    from pipelines.profiles import Profile
    from pipelines.train.samples import LabelledSample
    from pipelines.train.trained import Trained

SCHEMA_VERSION = "1.0"


def evaluation_document(
    profile: Profile,
    sample: LabelledSample,
    trained: Trained,
    further: dict[str, Any] | None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Return all sections of ``evaluation.json``; ``further`` holds the sensitivity analysis, if there is one."""
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation": trained.evaluation.to_dict(),
        "target": _target(profile),
        "population": {
            "start": sample.start,
            "dropped": sample.dropped,
            "sellers_without_consent": sample.sellers_without_consent,
            "kept": sample.dataset.n,
            "bad": int(sample.dataset.y.sum()),
        },
        "split": _split(profile, sample.dataset, trained),
        "audit": _audit(profile, trained, progress),
        "training": _training(profile, sample, trained),
        "extra": further,
    }


def _target(profile: Profile) -> dict[str, Any]:
    performance = profile.target.performance
    if performance is None:
        return {"kind": "stated_flag", "days_past_due": None, "window_days": None}
    days = profile.target.days_past_due
    return {"kind": "days_past_due", "days_past_due": days, "window_days": performance.performance_days}


def _split(profile: Profile, dataset: Dataset, trained: Trained) -> dict[str, Any] | None:
    if trained.split is None or profile.split is None:
        return None
    test_from = np.datetime64(profile.split.test_from, "D")
    window = np.timedelta64(profile.split.performance_days, "D")
    late, early = dataset.as_of >= test_from, dataset.as_of + window <= test_from
    rest = dataset.rows(~(_among(dataset, trained.split.train) | _among(dataset, trained.split.test)))
    rest_overlaps = (rest.as_of >= test_from) | (rest.as_of + window <= test_from)
    parts = [
        ("train", trained.split.train),
        ("embargo", rest.rows(~rest_overlaps)),
        ("component_overlap", rest.rows(rest_overlaps)),
        ("test", trained.split.test),
    ]
    return {
        "embargo_days": profile.split.performance_days,
        "parts": [_part(name, rows) for name, rows in parts if rows.n],
        "by_date": [
            {
                "as_of": str(as_of),
                "part": "test" if late[at].any() else "train" if early[at].any() else "embargo",
                "rows": int(at.sum()),
                "bad": int(dataset.y[at].sum()),
            }
            for as_of in np.unique(dataset.as_of)
            for at in (dataset.as_of == as_of,)
        ],
    }


def _among(dataset: Dataset, part: Dataset) -> np.ndarray:
    """Return a mask (n,) of the observations that are in a part of the dataset."""
    chosen = set(zip(part.seller_id.tolist(), part.as_of.tolist(), strict=True))
    pairs = zip(dataset.seller_id.tolist(), dataset.as_of.tolist(), strict=True)
    return np.asarray([pair in chosen for pair in pairs], dtype=np.bool_)


def _part(name: str, rows: Dataset) -> dict[str, Any]:
    return {
        "part": name,
        "first_as_of": str(rows.as_of.min()),
        "last_as_of": str(rows.as_of.max()),
        "rows": rows.n,
        "bad": int(rows.y.sum()),
        "sellers": len(np.unique(rows.seller_id)),
        "components": len(np.unique(rows.component_id)),
    }


def _audit(profile: Profile, trained: Trained, progress: Progress) -> dict[str, Any]:
    settings = profile.registration.audit
    sample = trained.train if trained.split is None else trained.split.test
    audit = audit_model(trained.candidate.champion, sample.X, settings, progress)
    directed = sum(feature.direction != 0 for feature in trained.candidate.champion.features)
    return {
        "monotonicity": {
            "features": directed,
            "sellers": audit.rows,
            "steps": settings.steps,
            "violations": audit.monotone_breaks,
        },
        "hiding": {
            "sellers": audit.rows,
            "single": {
                "tried": audit.hiding_trials - audit.joint_hiding_trials,
                "gained": audit.hiding_gains - audit.joint_hiding_gains,
            },
            "joint": {"tried": audit.joint_hiding_trials, "gained": audit.joint_hiding_gains},
            "auc_cost": None,
        },
        "heaviest_family": None if audit.heaviest_family is None else asdict(audit.heaviest_family),
        # Training stops before it starts if a feature looks like a leak, so a finished one has rejected none.
        "leaks": {
            "checked": len(trained.candidate.champion.features),
            "rejected": [],
            "doubts": _named(trained, DOUBTFUL),
            "waived": _named(trained, WAIVED),
        },
    }


def _training(profile: Profile, sample: LabelledSample, trained: Trained) -> dict[str, Any]:

    champion = trained.candidate.champion
    scorable = ~champion.missing_required(trained.train.X)
    fitted = champion.probability(trained.train.X[scorable])
    return {
        "train_auc": auc(trained.train.y[scorable].astype(np.int64), fitted),
        "candidates": [
            {
                "name": f"{trial.kind} {trial.setting}",
                "auc": None,
                "log_loss": trial.log_loss,
                "chosen": trial.kind == trained.candidate.champion_kind
                and trial.log_loss == _best(trained, trial.kind),
            }
            for trial in trained.candidate.tuning
        ],
        "seed": profile.training.seed,
        "features_offered": len(sample.feature_set.names),
        "features_used": trained.candidate.notes["features_used"],
        "features_set_aside": _named(trained, SET_ASIDE),
    }


def _named(trained: Trained, kind: str) -> list[dict[str, str]]:
    """Return the columns with a warning of a kind, each with its reason."""
    warnings = trained.candidate.warnings
    return [{"reason": one.reason, "feature": one.column} for one in warnings if one.kind == kind]


def _best(trained: Trained, kind: str) -> float:
    return min(trial.log_loss for trial in trained.candidate.tuning if trial.kind == kind)
