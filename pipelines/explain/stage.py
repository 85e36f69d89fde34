"""Stage: write the model report and the explanation page of the trained model, in English and Chinese."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from data_contracts.definition.compiler import table_names
from data_contracts.progress import SILENT, counted
from features.catalogue import feature_set_names, load_feature_set
from models.explanation.explain import explain_model
from models.explanation.explanation import ExplainSettings, Explanation
from models.registry.bundle import load_bundle
from pipelines.explain.lie_table import LieSettings, liars_of, lie_table
from pipelines.explain.links import explained_links, links_document
from pipelines.reports.explanation_page import ExplanationSubject, render_explanation_page
from pipelines.reports.model_page import ModelIdentity, render_model_page
from pipelines.reports.rendering import LANGUAGES
from pipelines.runs.data_gate import validated_output
from pipelines.runs.publish import atomic_write_bytes, read_json, read_parquet, write_json
from pipelines.runs.stages import GROUND, Place, StageInputs, StageOutcome, StageRecord, current_output, run_stage
from pipelines.signing.keys import load_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    import pyarrow as pa

    from data_contracts.progress import Progress
    from features.catalogue import FeatureSet
    from features.related_parties import RelatedParties
    from models.components.encoding import FloatArray
    from models.registry.bundle import Bundle, BundleMeta
    from pipelines.profiles import Profile

CODE: Final = (
    *("data_contracts", "features", "models", "pipelines/explain", "pipelines/reports", "pipelines/score_codes.py"),
    *GROUND,
)
KEYS = ["seller_id", "as_of"]
LIES_FILE: Final = "lies.json"
LINKS_FILE: Final = "related_parties.json"


@dataclass(frozen=True)
class ExplainedRows:
    """The held-out rows of a model: seller, as-of date, and features (n, p) in the model's order."""

    seller_id: tuple[str, ...]
    as_of: tuple[date, ...]
    X: FloatArray


def run(profile: Profile, place: Place, progress: Progress = SILENT) -> StageOutcome:
    """Explain the current model on its held-out rows, and write its four pages."""
    files = {
        "bundle": current_output(place, "train", "bundle"),
        "evaluation": current_output(place, "train", "evaluation.json"),
        "judged": current_output(place, "train", "holdout.parquet"),
        "matrix": current_output(place, "features", "matrix.parquet"),
        "tables": validated_output(place, "tables"),
    }
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    settings, lies = ExplainSettings(), LieSettings()

    def work(folder: Path) -> StageRecord:
        bundle = load_bundle(files["bundle"], [keys.public_key])
        judged = read_parquet(files["judged"], columns=KEYS)
        matrix = read_parquet(files["matrix"])
        rows = rows_to_explain(judged, matrix, bundle.model.feature_names)
        explanation = explain_model(bundle.model, rows.X, rows.seller_id, rows.as_of, settings)
        write_json(folder / "explanation.json", explanation.to_dict())
        feature_set = feature_set_here(bundle.meta)
        links = {} if feature_set is None else explained_links(explanation, feature_set, files["tables"], matrix)
        if links:
            write_json(folder / LINKS_FILE, links_document(links))
        told = told_lies(bundle, files["tables"], matrix, lies, progress)
        if told is not None:
            write_json(folder / LIES_FILE, told)
        evaluation = {**read_json(files["evaluation"]), "lies": told}
        for name, page in pages(evaluation, explanation, bundle, links, progress).items():
            atomic_write_bytes(folder / name, page.encode())
        return _record(explanation)

    stated = {**asdict(settings), "lies": lies.model_dump(mode="json"), "signed_by": keys.did}
    return run_stage("explain", place, StageInputs(files, stated, CODE), work)


def told_lies(
    bundle: Bundle, tables: Path, matrix: pa.Table, settings: LieSettings, progress: Progress = SILENT
) -> dict[str, Any] | None:
    """Return the table of lies of a model; None if its features cannot be built here or nothing can be falsified."""
    feature_set = feature_set_here(bundle.meta)
    if feature_set is None:
        return None
    present = {name: tables / f"{name}.parquet" for name in table_names()}
    read = {name: read_parquet(file) for name, file in present.items() if file.is_file()}
    return lie_table(liars_of(bundle.model, feature_set, read, matrix, settings), settings, progress)


def feature_set_here(meta: BundleMeta) -> FeatureSet | None:
    """Return the feature set of a model; None if this installation has none or another of that name."""
    if meta.feature_set not in feature_set_names():
        return None
    feature_set = load_feature_set(meta.feature_set)
    return feature_set if feature_set.digest == meta.feature_set_digest else None


def rows_to_explain(judged: pa.Table, matrix: pa.Table, feature_names: Sequence[str]) -> ExplainedRows:
    """Return the held-out observations (seller_id, as_of) with their features, each observation once.

    Raises:
        ValueError: an observation has no row in the matrix.
    """
    wanted = _dated(judged.select(KEYS).to_pandas()).drop_duplicates().sort_values(KEYS[::-1])
    features = _dated(matrix.select([*KEYS, *feature_names]).to_pandas())
    joined = wanted.merge(features, on=KEYS, how="left", validate="one_to_one", indicator=True)
    absent = int((joined["_merge"] != "both").sum())
    if absent:
        raise ValueError(f"{absent} judged observations have no row in the feature matrix")
    return ExplainedRows(
        seller_id=tuple(str(seller) for seller in joined["seller_id"]),
        as_of=tuple(stamp.date() for stamp in joined["as_of"]),
        X=np.ascontiguousarray(joined[list(feature_names)].to_numpy(dtype=np.float64, na_value=np.nan)),
    )


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]).astype("datetime64[s]"))


def pages(
    evaluation: Mapping[str, Any],
    explanation: Explanation,
    bundle: Bundle,
    links: Mapping[str, RelatedParties],
    progress: Progress = SILENT,
) -> dict[str, str]:
    """Return the model report and the explanation page in every language, by file name.

    Args:
        evaluation: the document that training wrote.
        explanation: explanation of the same model.
        bundle: the model and its description.
        links: the related parties of the sellers shown, by their role on the page.
        progress: receives the number of languages written.
    """
    identity = identity_of(bundle)
    subject = ExplanationSubject(
        name=identity.name,
        version=identity.version,
        bundle_digest=identity.bundle_digest,
        evidence=identity.evidence,
        is_synthetic=identity.is_synthetic,
        points_to_double_odds=bundle.model.scale.points_to_double_odds,
    )
    found = explanation.to_dict()
    written = {}
    for language in counted(LANGUAGES, "languages written", len(LANGUAGES), progress):
        written[f"model.{language}.html"] = render_model_page(evaluation, identity, language)
        written[f"explanation.{language}.html"] = render_explanation_page(found, subject, language, links)
    return written


def identity_of(bundle: Bundle) -> ModelIdentity:
    """Return the identity of a model for the model report, from its verified bundle."""
    meta, model = bundle.meta, bundle.model
    scale = model.scale
    kinds = (component.kind for component in model.components)
    return ModelIdentity(
        name=meta.model_name,
        version=meta.model_version,
        bundle_digest=bundle.digest,
        signed_by=bundle.key_id,
        feature_set=meta.feature_set,
        feature_set_digest=meta.feature_set_digest,
        contracts=meta.contracts,
        data_digests=meta.data_digests,
        code_version=meta.code_version,
        evidence=meta.evidence,
        is_synthetic=meta.is_synthetic,
        trained_from=meta.trained_from,
        trained_until=meta.trained_until,
        valid_until=meta.valid_until,
        components=tuple(zip(kinds, model.weights, strict=True)),
        calibration_slope=model.calibrator.slope,
        calibration_intercept=model.calibrator.intercept,
        scale=(scale.base_score, scale.base_odds, scale.points_to_double_odds),
        grades=tuple(zip(model.grades.names, model.grades.upper_bounds, strict=True)),
        feature_units={feature.name: feature.unit for feature in model.features},
        feature_titles={feature.name: {"en": feature.title_en, "zh": feature.title_zh} for feature in model.features},
    )


def _record(explanation: Explanation) -> StageRecord:
    drawn_out = explanation.population - explanation.refused - explanation.explained
    return StageRecord(
        rows_in=explanation.population,
        rows_kept=explanation.explained,
        set_aside={"not_scorable": explanation.refused, "not_drawn": drawn_out},
        notes={
            "heaviest_feature": explanation.features[0].name,
            "largest_additivity_gap": explanation.additivity.largest_gap,
            "unequal_scores": explanation.additivity.unequal_scores,
        },
    )
