"""Two models on the same test rows, in pairs: a candidate and the champion that it would replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from data_contracts.digest import sha256_file
from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.evaluation import EvaluationSettings, evaluate, evaluate_repeats
from models.evaluation.estimates import to_json_value
from models.registry.sealed_folder import MANIFEST as BUNDLE_MANIFEST
from pipelines.features.matrix import feature_matrix
from pipelines.runs.publish import read_parquet
from pipelines.runs.stages import MANIFEST, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from models.components.model import CreditModel
    from models.evaluation.power import Difference
    from pipelines.runs.stages import Place

STAGE: Final = "train"
HOLDOUT: Final = "holdout.parquet"
OTHER: Final = "other"
OF_ITS_RUN: Final = "test predictions of its training run"
SCORED_ANEW: Final = "its bundle, scored on the same rows"
_REMEDY: Final = "train both with the same data, [observations], [target] and [split]"


@dataclass(frozen=True)
class Comparison:
    """Two models on the same test rows.

    ``auc`` and ``other_auc`` are estimates with their intervals as JSON values; ``differences`` are positive where the
    first is better. ``basis`` says where the other model's predictions come from.
    """

    rows: int
    bad: int
    auc: dict[str, Any]
    other_auc: dict[str, Any]
    differences: tuple[Difference, ...]
    basis: str


def compare_predictions(first: pd.DataFrame, other: pd.DataFrame, basis: str = OF_ITS_RUN) -> Comparison:
    """Compare the champions of two frames of test predictions, with intervals over related-party components.

    Raises:
        ConfigurationRefused: the two were tested on different rows, or with different outcomes.
    """
    keys = ["seller_id", "as_of", *(["repeat"] if "repeat" in first.columns else [])]
    _refuse_other_rows(first, other, [*keys, "label"])
    joined = first.merge(other[[*keys, "pd_champion"]], on=keys, suffixes=("", f"_{OTHER}"))
    joined = joined.rename(columns={f"pd_champion_{OTHER}": f"pd_{OTHER}"})
    # A model gives no probability where a feature is missing that it cannot do without.
    joined = joined[joined["pd_champion"].notna() & joined[f"pd_{OTHER}"].notna()].reset_index(drop=True)
    if joined["label"].nunique() < 2:
        raise ConfigurationRefused("no defaults, or only defaults, among the rows that both models score", _REMEDY)
    measured = evaluate_repeats if "repeat" in keys else evaluate
    found = measured(joined, EvaluationSettings(baselines=(OTHER,)))
    auc, other_auc = (to_json_value(model.measures["auc"]) for model in found.models)
    return Comparison(found.sample.rows, found.sample.bad, auc, other_auc, found.differences, basis)


def with_predictions_of(model: CreditModel, holdout: pd.DataFrame, matrix: pa.Table) -> pd.DataFrame:
    """Return test rows with the predictions of a model, from the features of the current matrix.

    Raises:
        ConfigurationRefused: the matrix lacks a feature of the model, or a row.
    """
    lacking = sorted(set(model.feature_names) - set(matrix.column_names))
    if lacking:
        raise ConfigurationRefused(f"the feature matrix lacks {', '.join(lacking[:5])}", "build it with these features")
    identity = matrix.select(["seller_id", "as_of"]).to_pandas()
    identity = identity.assign(as_of=pd.to_datetime(identity["as_of"]))
    identity["pd_champion"] = model.probability(feature_matrix(matrix, model.feature_names))
    rows = holdout.drop(columns="pd_champion").assign(as_of=pd.to_datetime(holdout["as_of"]))
    found = rows.merge(identity, on=["seller_id", "as_of"], how="left", indicator=True, validate="one_to_one")
    lost = int(np.sum(found["_merge"] != "both"))
    if lost:
        raise ConfigurationRefused(f"the feature matrix lacks {lost:,} of {len(rows):,} test rows", "train again")
    return found.drop(columns="_merge")


def run_of_bundle(place: Place, bundle_sha256: str) -> Path | None:
    """Return the training run that is kept of a bundle, or None."""
    for folder in sorted(place.stage_dir(STAGE).glob(f"[!.]*/{MANIFEST}")):
        manifest = folder.parent / "bundle" / BUNDLE_MANIFEST
        if manifest.is_file() and sha256_file(manifest) == bundle_sha256:
            return folder.parent
    return None


def held_out_predictions(run_dir: Path) -> pd.DataFrame:
    """Return the test predictions of a training run, unchanged since they were written.

    Raises:
        IntegrityRefused: they are missing or were changed.
    """
    frame: pd.DataFrame = read_parquet(unchanged(run_dir, HOLDOUT)).to_pandas()
    return frame.assign(as_of=pd.to_datetime(frame["as_of"]))


def kind_in_words(model: CreditModel) -> str:
    """Return the kind of a model: gbm, linear, scorecard, or blend for several components."""
    kinds = [component.kind for component in model.components]
    return "blend" if len(kinds) > 1 else {"lightgbm": "gbm"}.get(kinds[0], kinds[0])


def unchanged(run_dir: Path, name: str) -> Path:
    """Return a file of a run, after comparing its digest with the manifest of the run."""
    path = run_dir / name
    if not path.is_file() or read_manifest(run_dir)["outputs"].get(name) != sha256_file(path):
        raise IntegrityRefused(f"{path} is missing or changed, by the manifest of its run; remedy: train again")
    return path


def _refuse_other_rows(first: pd.DataFrame, other: pd.DataFrame, keys: list[str]) -> None:
    one, two = (frame[keys].sort_values(keys).reset_index(drop=True) for frame in (first, other))
    if not one.equals(two):
        raise ConfigurationRefused(f"they were tested on different rows ({len(one):,} and {len(two):,})", _REMEDY)
