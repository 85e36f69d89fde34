"""How far a result depends on undated defaults: recency features, earlier dates, and the sellers to be scored.

A seller that defaulted may have stopped trading because it defaulted. If the date of default is unknown, a feature that
falls silent when trading stops may reveal the default itself. The same training is therefore evaluated again without
those features, and as of earlier dates. The sellers to be scored are also compared with the training sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from data_contracts.progress import SILENT
from models.evaluation import EvaluationSettings, evaluate_repeats
from models.evaluation.drift import DriftSettings, measure_drift
from models.evaluation.estimates import to_json_value
from models.training.candidates import BEST_SINGLE, nested_cross_validation
from pipelines.runs.publish import read_parquet
from pipelines.train.samples import at_date, at_last_date, label, sample_at, with_consent

if TYPE_CHECKING:
    from datetime import date

    from data_contracts.progress import Progress
    from features.catalogue import FeatureSet
    from models.training.dataset import Dataset
    from pipelines.profiles import Profile
    from pipelines.train.samples import LabelledSample, SampleFiles

DAYS_SINCE_LAST_SALE = "invoice_sale_last_days"


def sensitivity(
    sample: LabelledSample, profile: Profile, files: SampleFiles, progress: Progress = SILENT
) -> dict[str, Any]:
    """Return the ``extra`` section of ``evaluation.json`` for a profile whose outcomes have no dates."""
    lasting = [not record.stops_with_trading for record in sample.feature_set.records]
    variants = [
        _variant("all_features", None, sample.dataset, profile, progress),
        _variant("without_recency", None, sample.dataset.columns(np.asarray(lasting)), profile, progress),
    ]
    outcomes, components = read_parquet(files.outcomes), read_parquet(files.components)
    for as_of in profile.observations.earlier_as_of:
        observed = with_consent(at_date(sample.matrix, as_of), profile, files)
        labels = label(profile, observed, outcomes, as_of)
        dataset = sample_at(observed, labels, components, sample.feature_set)
        variants.append(_variant("earlier_date", as_of, dataset, profile, progress))
    return {
        "variants": variants,
        "recency": stopped_trading(sample.dataset, profile.observations.stopped_before, profile),
        "populations": populations(sample, profile),
        "limits": None,
    }


def _variant(code: str, as_of: date | None, dataset: Dataset, profile: Profile, progress: Progress) -> dict[str, Any]:
    """Return the AUC of the champion's recipe and of the best single variable, by repeated cross-validation."""
    if profile.cross_validation is None:
        raise ValueError("a sensitivity analysis needs [cross_validation]")
    plan = profile.cross_validation
    settings = profile.training.model_copy(update={"ablations": False})
    frame = nested_cross_validation(dataset, settings, plan.folds, plan.sensitivity_repeats, progress)
    frame = frame.rename(columns={"champion": "pd_champion", BEST_SINGLE: f"pd_{BEST_SINGLE}"})
    found = evaluate_repeats(frame, EvaluationSettings(baselines=(BEST_SINGLE,)))
    return {
        "code": code,
        "as_of": as_of.isoformat() if as_of else None,
        "rows": dataset.n,
        "bad": int(dataset.y.sum()),
        "auc": to_json_value(found.champion.measures["auc"]),
        "single_auc": to_json_value(found.model(BEST_SINGLE).measures["auc"]),
    }


def stopped_trading(dataset: Dataset, stopped_before: date | None, profile: Profile) -> dict[str, Any] | None:
    """Return the shares of bad and good sellers whose last sale was before a date; None without date or feature."""
    if stopped_before is None or DAYS_SINCE_LAST_SALE not in dataset.feature_names:
        return None
    silent_days = (profile.observations.last_as_of - stopped_before).days
    days = dataset.X[:, dataset.feature_names.index(DAYS_SINCE_LAST_SALE)]
    stopped = ~(days <= silent_days)  # NaN: a seller that never sold has stopped too
    return {
        "date": stopped_before.isoformat(),
        "bad_stopped_share": float(stopped[dataset.y == 1].mean()),
        "good_stopped_share": float(stopped[dataset.y == 0].mean()),
    }


def populations(sample: LabelledSample, profile: Profile) -> dict[str, Any]:
    """Compare the sellers without a recorded outcome with the training sample, feature by feature."""
    last = at_last_date(sample.matrix, profile).to_pandas()
    is_trained = last["seller_id"].isin(sample.dataset.seller_id.tolist()).to_numpy()
    rows = [
        _compared(sample.feature_set, name, last[name].to_numpy(dtype=np.float64, na_value=np.nan), is_trained)
        for name in sample.feature_set.names
    ]
    return {"trained_rows": int(is_trained.sum()), "scored_rows": int((~is_trained).sum()), "features": rows}


def _compared(feature_set: FeatureSet, name: str, values: np.ndarray, is_trained: np.ndarray) -> dict[str, Any]:
    record = feature_set.record(name)
    trained, scored = values[is_trained], values[~is_trained]
    drift = measure_drift(name, trained, scored, len(trained), DriftSettings())
    medians = _median(trained), _median(scored)
    return {
        "name": name,
        "title": {"en": record.title_en, "zh": record.title_zh},
        "unit": record.unit,
        "trained_median": medians[0],
        "scored_median": medians[1],
        "drift": drift.index,
        "critical": drift.critical_value,
    }


def _median(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None
