"""Published runs of the stages before registration and scoring, around the small bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from models.registry.mlflow_client import Registry
from models.registry.mlflow_registry import CHAMPION, ModelAddress, RegisteredVersion, ServedModel, version_at
from pipelines.runs.data_gate import gate_notes
from pipelines.runs.publish import write_json, write_parquet
from pipelines.runs.stages import CURRENT, Place, write_manifest
from tests.factories.models import small_credit_model, small_world
from tests.factories.scoring import AS_OF, FEATURES, META, write_small_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from models.registry.bundle import BundleMeta

ROWS = 120
SERVED = ServedModel(
    "pipelines.score.mlflow_model", ("payout",), ("seller_id",), {"issued_on": ""}, {"profile": "demo"}
)
"""How a version is served that no test loads through MLflow."""


def publish(place: Place, stage: str, run_id: str = "run1") -> Path:
    """Return the folder of a current run; call ``record`` once its files are written."""
    folder = place.stage_dir(stage) / run_id
    folder.mkdir(parents=True, exist_ok=True)
    (place.stage_dir(stage) / CURRENT).write_text(f"{run_id}\n")
    record(folder)
    return folder


def record(*runs: Path) -> None:
    """Record the current files of runs as if their stages had written them, with the data gate open."""
    for run_dir in runs:
        write_manifest(run_dir, {"record": {"notes": gate_notes(())}})


def matrix(rows: int = ROWS) -> pa.Table:
    """Return rows of the small world as a feature matrix on one date."""
    X = small_world().dataset.X[:rows]
    features = {name: pa.array(X[:, place], from_pandas=True) for place, name in enumerate(FEATURES)}
    days = pa.array([AS_OF] * rows, pa.date32())
    return pa.table({"seller_id": [f"S{row:06d}" for row in range(rows)], "as_of": days, **features})


def holdout(noise: float = 0.0, rows: int = ROWS) -> pa.Table:
    """Return test predictions of the small model on the rows of ``matrix``, off by some noise in log-odds."""
    dataset = small_world().dataset
    random = np.random.default_rng(5).normal(size=rows)
    log_odds = small_credit_model().log_odds(dataset.X[:rows]) + noise * random
    return pa.table(
        {
            "seller_id": [f"S{row:06d}" for row in range(rows)],
            "as_of": pa.array([AS_OF] * rows, pa.date32()),
            "label": pa.array(dataset.y[:rows], pa.int64()),
            "component_id": [f"C{row:06d}" for row in range(rows)],
            "pd_champion": 1 / (1 + np.exp(-log_odds)),
        }
    )


def estimate(value: float, half_width: float) -> dict[str, float]:
    return {"value": value, "lower": value - half_width, "upper": value + half_width}


def evaluation(auc_gain: float = 0.01, slope: float = 1.0) -> dict[str, Any]:
    """Return the part of ``evaluation.json`` that the gates and the registry read."""
    measures = {"auc": estimate(0.78, 0.03), "calibration_slope": estimate(slope, 0.2)}
    gain = {"other": "scorecard", "measure": "auc", "gain": estimate(auc_gain, 0.005), "detectable_gain": 0.02}
    return {
        "evaluation": {
            "sample": {"bad": 240},
            "models": [{"name": "champion", "measures": measures}],
            "differences": [gain],
            "level": [level("whole"), level("grade"), level("months")],
        },
        "training": {"candidates": [{"name": "linear penalty=4.0", "auc": None, "log_loss": 0.18, "chosen": True}]},
    }


def level(column: str) -> dict[str, Any]:
    """Return a group whose predicted and observed defaults agree."""
    return {"column": column, "part": "below six", "ratio": estimate(1.02, 0.12), "verdict": "agrees"}


def publish_candidate(
    place: Place,
    judged: Mapping[str, Any] | None = None,
    run_id: str = "run1",
    meta: BundleMeta = META,
    noise: float = 0.0,
) -> None:
    """Publish ``features`` and ``train`` as the stages would, with the small bundle as candidate.

    The larger the noise, the worse its test predictions.
    """
    features = publish(place, "features", run_id)
    write_parquet(features / "matrix.parquet", matrix())
    feature_set = {"name": META.feature_set, "version": "1.0.0", "digest": META.feature_set_digest}
    write_json(features / "feature_set.json", {**feature_set, "features": list(FEATURES)})
    train = publish(place, "train", run_id)
    write_small_bundle(train / "bundle", meta)
    write_parquet(train / "holdout.parquet", holdout(noise))
    write_json(train / "evaluation.json", dict(judged or evaluation()))
    record(features, train)


def champion_version(registry: Registry) -> RegisteredVersion | None:
    """Return the version in force, or None when none was ever promoted."""
    return version_at(registry, ModelAddress(registry.model_name, CHAMPION, None))
