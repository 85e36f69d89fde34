"""Stage: compare the scored applicants with the champion's training population."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import numpy as np

from data_contracts.errors import ConfigurationRefused
from data_contracts.progress import SILENT
from models.evaluation.drift import DriftSettings
from models.registry.bundle import load_bundle
from models.training.dataset import split_out_of_time
from pipelines.monitor.comparison import Comparison, compare
from pipelines.runs.publish import read_json, read_parquet, write_json
from pipelines.runs.stages import GROUND, Place, StageInputs, StageOutcome, StageRecord, current_output, run_stage
from pipelines.signing.keys import load_keys
from pipelines.train.samples import LabelledSample, SampleFiles, labelled_sample

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from data_contracts.progress import Progress
    from models.components.encoding import FloatArray
    from models.training.dataset import Dataset
    from pipelines.profiles import Profile

CODE: Final = ("data_contracts", "features", "models", "pipelines/monitor", "pipelines/train", *GROUND)


def run(profile: Profile, place: Place, progress: Progress = SILENT) -> StageOutcome:
    """Write ``monitor.json``: stability of the model's output and of every feature, alerts first."""
    files = SampleFiles.of(profile, place)
    bundle_dir = current_output(place, "train", "bundle")
    scored_file = current_output(place, "score", "passports.parquet")
    summary_file = current_output(place, "score", "summary.json")
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    settings = DriftSettings()
    decided_by = {**profile.model_dump(mode="json", include=set(profile.TRAINING_SECTIONS)), "drift": asdict(settings)}
    results = {"bundle": bundle_dir, "scores": scored_file, "summary": summary_file}
    inputs = StageInputs({**files.named(), **results}, decided_by, CODE)

    def work(folder: Path) -> StageRecord:
        bundle = load_bundle(bundle_dir, [keys.public_key])
        if read_json(summary_file)["bundle_sha256"] != bundle.digest:
            raise ConfigurationRefused(
                "the applicants were scored with another model than the one trained last",
                f"put the trained model through the gates and score again: passport register and passport score, each "
                f"with --profile {profile.name} --out {place.out}",
            )
        model = bundle.model
        sample = labelled_sample(profile, files)
        reference = training_rows(profile, sample)
        about = {"is_synthetic": profile.is_synthetic, "evidence": profile.evidence}
        day = np.datetime64(profile.observations.last_as_of, "D")
        current, absent = scored_rows(sample.matrix, read_parquet(scored_file), model.feature_names)
        compared = compare(model, reference, current, (day, settings), progress)
        write_json(folder / "monitor.json", {**about, **document(compared, reference, current, settings)})
        alerts = compared.alerts
        set_aside = {"not_in_matrix": absent} if absent else {}
        return StageRecord(len(current) + absent, len(current), set_aside, {"alerts": len(alerts)})

    return run_stage("monitor", place, inputs, work)


def training_rows(profile: Profile, sample: LabelledSample) -> Dataset:
    """Return the observations the champion was trained on."""
    return sample.dataset if profile.split is None else split_out_of_time(sample.dataset, profile.split).train


def scored_rows(matrix: pa.Table, scores: pa.Table, names: tuple[str, ...]) -> tuple[FloatArray, int]:
    """Return the features (n, p) of the scored applicants, and the number of scored rows missing in the matrix."""
    keys = ["seller_id", "as_of"]
    frame = scores.select([*keys, "status"]).to_pandas()
    scored = frame[frame["status"].astype(str) != "refused"][keys]
    found = scored.merge(matrix.select([*keys, *names]).to_pandas(), on=keys, how="inner")
    return found[list(names)].to_numpy(dtype=np.float64, na_value=np.nan), len(scored) - len(found)


def document(
    compared: Comparison, reference: Dataset, current: FloatArray, settings: DriftSettings
) -> dict[str, object]:
    """Return what ``monitor.json`` says of a comparison, the variables with the largest index first."""
    return {
        "reference_rows": reference.n,
        "reference_sellers": len(np.unique(reference.seller_id)),
        "compared_rows": len(compared.comparable.rows),
        "compared_sellers": compared.comparable.evidence.units,
        "is_same_season": compared.comparable.is_same_season,
        "is_age_weighted": compared.comparable.is_age_weighted,
        "scored_rows": len(current),
        "alerts": list(compared.alerts),
        "settings": asdict(settings),
        "score_shift_points": sum(one.points for one in compared.effects.values()) if compared.effects else None,
        "mean_probability_change": compared.probability_change,
        "variables": [
            {
                **asdict(drift),
                "points_shift": None if effect is None else effect.points,
                "probability_effect": None if effect is None else effect.probability,
            }
            for drift in sorted(compared.drifts, key=lambda drift: -drift.index)
            for effect in (compared.effects.get(drift.name),)
        ],
    }
