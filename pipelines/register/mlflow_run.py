"""What MLflow shows of a training: one run with its settings, figures, data, tried settings and pages."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from data_contracts.digest import sha256_file
from models.registry.bundle import load_bundle
from models.registry.mlflow_client import DATABASE
from models.registry.mlflow_registry import ServedModel
from models.registry.mlflow_runs import TrainingRecord, Trial, log_pages, log_training
from models.registry.sealed_folder import MANIFEST as BUNDLE_MANIFEST
from pipelines.register.comparison import kind_in_words
from pipelines.register.registry import registry_of
from pipelines.runs.publish import read_json
from pipelines.runs.stages import Place, current_output
from pipelines.runs.storage_faults import report_sqlite_faults
from pipelines.signing.keys import load_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from models.registry.bundle import Bundle
    from pipelines.profiles import Profile

LOADER_MODULE: Final = "pipelines.score.mlflow_model"
LOADED_IDENTITY: Final = ("seller_id", "as_of")
ISSUED_ON: Final = "issued_on"
_REPORTS: Final = ("model.en.html", "model.zh.html")
_METRIC_PARTS: Final = ("value", "lower", "upper")


def record_training(profile: Profile, place: Place) -> str:
    """Record the current training run of a profile in its registry, unless it is recorded; return MLflow's run id."""
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    bundle = load_bundle(current_output(place, "train", "bundle"), [keys.public_key])
    record = training_record(profile, place, bundle)
    with report_sqlite_faults(place.root / DATABASE):
        return log_training(record, registry_of(place, profile.model.name))


def record_pages(profile: Profile, place: Place) -> bool:
    """Keep the report of the current model with its training run; return whether there is such a run.

    The explanation page stays out: it names sellers, and whoever reads MLflow would read them.
    """
    digest = sha256_file(current_output(place, "train", "bundle") / BUNDLE_MANIFEST)
    pages = [current_output(place, "explain", name) for name in _REPORTS]
    with report_sqlite_faults(place.root / DATABASE):
        return log_pages(digest, pages, registry_of(place, profile.model.name))


def training_record(profile: Profile, place: Place, bundle: Bundle) -> TrainingRecord:
    """Return what MLflow shows of the current training run and its bundle."""
    evaluation = current_output(place, "train", "evaluation.json")
    document = read_json(evaluation)
    kind = kind_in_words(bundle.model)
    settings = profile.model_dump(mode="json", include=set(profile.TRAINING_SECTIONS))
    return TrainingRecord(
        bundle_sha256=bundle.digest,
        metrics=_metrics_of_all(document["evaluation"]["models"]),
        tags=_tags(bundle),
        name=f"{profile.name} {kind} {evaluation.parent.name[:8]}",
        parameters={"champion_kind": kind, **dict(_flat(settings))},
        inputs=bundle.meta.data_digests,
        trials=tuple(_trial(one) for one in document["training"]["candidates"]),
    )


def served_model(profile: Profile, bundle: Bundle) -> ServedModel:
    """Return how MLflow clients load a bundle and score with it."""
    return ServedModel(
        loader_module=LOADER_MODULE,
        columns=bundle.model.feature_names,
        identity=LOADED_IDENTITY,
        parameters={ISSUED_ON: ""},
        metadata={"profile": profile.name, "limits": profile.scoring.limits.model_dump(mode="json")},
    )


def champion_metrics(measures: Mapping[str, Any]) -> dict[str, float]:
    """Return a model's measures and their bounds as one flat mapping, without undefined ones."""
    return {
        name if part == "value" else f"{name}_{part}": float(estimate[part])
        for name, estimate in measures.items()
        for part in _METRIC_PARTS
        if estimate.get(part) is not None
    }


def _metrics_of_all(models: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the champion's measures by their names, and those of the others below the name of each model."""
    champion, *others = models
    figures = champion_metrics(champion["measures"])
    for model in others:
        figures |= {f"{model['name']}/{name}": value for name, value in champion_metrics(model["measures"]).items()}
    return figures


def _tags(bundle: Bundle) -> dict[str, str]:
    meta = bundle.meta
    return {
        "feature_set": meta.feature_set,
        "feature_set_sha256": meta.feature_set_digest,
        "contracts": " ".join(meta.contracts),
        "code_version": meta.code_version,
        "evidence": meta.evidence,
        "is_synthetic": str(meta.is_synthetic).lower(),
        **{f"data_sha256.{name}": digest for name, digest in meta.data_digests.items()},
    }


def _trial(tried: Mapping[str, Any]) -> Trial:
    """Return a trial of the tuning; its name is its kind followed by its settings, such as ``linear penalty=4.0``."""
    kind, *settings = tried["name"].split(" ")
    parameters = {"kind": kind, "chosen": str(tried["chosen"]).lower()}
    for setting in settings:
        if setting.startswith("{"):
            parameters |= {name: str(value) for name, value in json.loads(setting).items()}
        else:
            name, _, value = setting.partition("=")
            parameters[name] = value
    metrics = {name: float(tried[name]) for name in ("auc", "log_loss") if tried[name] is not None}
    return Trial(tried["name"], parameters, metrics)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield settings by dotted name; lists as JSON, and no empty ones."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif value not in (None, [], ""):
            yield f"{prefix}{name}", json.dumps(value) if isinstance(value, list) else str(value)
