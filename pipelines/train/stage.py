"""Stage: train, calibrate and evaluate the default model; write the signed bundle."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from data_contracts.definition.compiler import table_contract
from data_contracts.digest import sha256_file
from data_contracts.progress import SILENT
from models.evaluation import EvaluationSettings, evaluate, evaluate_repeats
from models.registry.bundle import BundleMeta, bundle_contents, write_bundle
from models.training.candidates import Candidate, nested_cross_validation, predictions, train_candidate
from models.training.dataset import split_out_of_time, split_random
from models.training.leaks.check import refuse_copies
from pipelines.runs.publish import write_json, write_parquet
from pipelines.runs.stages import GROUND, Place, StageInputs, StageOutcome, StageRecord, digest_of_code, run_stage
from pipelines.signing.keys import load_keys
from pipelines.train.evaluation_document import evaluation_document
from pipelines.train.samples import LabelledSample, SampleFiles, labelled_sample
from pipelines.train.segments import segments_of
from pipelines.train.sensitivity import sensitivity
from pipelines.train.trained import Trained

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from data_contracts.progress import Progress
    from models.training.dataset import Dataset
    from pipelines.profiles import Profile

CODE: Final = ("data_contracts", "features", "models", "pipelines/train", *GROUND)
ABLATION_PREFIX = "without_"


def run(profile: Profile, place: Place, progress: Progress = SILENT) -> StageOutcome:
    """Train on the profile's labelled sample; write the bundle, the predictions and the evaluation."""
    files = SampleFiles.of(profile, place)
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    settings = {**profile.model_dump(mode="json", include=set(profile.TRAINING_SECTIONS)), "signed_by": keys.did}
    settings["consent"] = {"required": profile.ingest.consent, "on": profile.ingest.recorded_at.isoformat()}

    def work(folder: Path) -> StageRecord:
        sample = labelled_sample(profile, files)
        train = train_out_of_time if profile.split else train_repeated
        trained = train(sample, profile, progress)
        write_frame(folder / "holdout.parquet", trained.predictions)
        write_frame(folder / "out_of_fold.parquet", trained.candidate.out_of_fold)
        further = sensitivity(sample, profile, files, progress) if profile.target.kind == "recorded" else None
        write_json(folder / "evaluation.json", evaluation_document(profile, sample, trained, further, progress))
        contents = bundle_contents(trained.candidate.champion, trained.train.X, trained.train.y)
        write_bundle(contents, bundle_meta(profile, sample, trained, files), keys.signing_key, folder / "bundle")
        return _record(sample, trained)

    return run_stage("train", place, StageInputs(files.named(), settings, CODE), work)


def train_out_of_time(sample: LabelledSample, profile: Profile, progress: Progress = SILENT) -> Trained:
    """Train on early dates and some components; evaluate on late dates and the other components."""
    if profile.split is None:
        raise ValueError("an out-of-time split needs [split]")
    split = split_out_of_time(sample.dataset, profile.split)
    refuse_copies(split.train, split.test, profile.training.leaks)
    candidate = train_candidate(split.train, profile.training, progress)
    contrast = split_random(sample.dataset, profile.split)
    # The contrast is about the split and not about tuning: the champion's kind, and the most likely booster.
    plain = profile.training.model_copy(update={"champion": candidate.champion_kind, "ablations": False, "fits": 1})
    recipe = train_candidate(contrast.train, plain, progress, on_leak="skip")
    held_out = judged(candidate, predictions(candidate.models, split.test), split.test, profile)
    random = judged(recipe, predictions({"champion": recipe.champion}, contrast.test), contrast.test, profile)
    evaluation = evaluate(held_out, evaluation_settings(candidate, profile), random)
    return Trained(candidate, split.train, split, held_out, evaluation)


def train_repeated(sample: LabelledSample, profile: Profile, progress: Progress = SILENT) -> Trained:
    """Train on every labelled seller; evaluate by repeated cross-validation with all of training nested inside."""
    if profile.cross_validation is None:
        raise ValueError("repeated cross-validation needs [cross_validation]")
    plan = profile.cross_validation
    candidate = train_candidate(sample.dataset, profile.training, progress)
    frame = nested_cross_validation(sample.dataset, profile.training, plan.folds, plan.repeats, progress)
    names = [name for name in candidate.models if name in frame.columns]
    frame = frame.rename(columns={name: f"pd_{name}" for name in names})
    mean = frame.groupby("seller_id")["pd_champion"].transform("mean")
    frame["grade"] = candidate.champion.grades.grades_of(mean.to_numpy())
    evaluation = evaluate_repeats(frame, evaluation_settings(candidate, profile))
    return Trained(candidate, sample.dataset, None, frame, evaluation)


def judged(candidate: Candidate, frame: pd.DataFrame, dataset: Dataset, profile: Profile) -> pd.DataFrame:
    """Return predictions as the evaluation reads them: ``pd_<model>``, grade and segments.

    Rows that the champion may not score are left out.
    """
    frame = frame.rename(columns={name: f"pd_{name}" for name in candidate.models})
    frame = frame.assign(**segments_of(dataset, profile.segments))
    frame = frame[frame["pd_champion"].notna()].reset_index(drop=True)
    return frame.assign(grade=candidate.champion.grades.grades_of(frame["pd_champion"].to_numpy()))


def evaluation_settings(candidate: Candidate, profile: Profile) -> EvaluationSettings:
    """Return what to evaluate: the champion, the baselines that differ from it, and the ablations."""
    others = [name for name in candidate.baselines if name != candidate.champion_kind or name == "scorecard"]
    return EvaluationSettings(
        baselines=tuple(name for name in others if not name.startswith(ABLATION_PREFIX)),
        ablations=tuple(name for name in others if name.startswith(ABLATION_PREFIX)),
        grade_order=candidate.champion.grades.names,
        segment_columns=tuple(profile.segments) if profile.split else (),
        margin=profile.economics.margin,
        loss_given_default=profile.economics.loss_given_default,
    )


def bundle_meta(profile: Profile, sample: LabelledSample, trained: Trained, files: SampleFiles) -> BundleMeta:
    """Return the description that the bundle carries."""
    days = trained.train.as_of.astype("datetime64[D]").astype(object)
    tables = sorted(path.stem for path in files.outcomes.parent.glob("*.parquet"))
    return BundleMeta(
        model_name=profile.model.name,
        model_version=profile.model.version,
        feature_set=sample.feature_set.name,
        feature_set_digest=sample.feature_set.digest,
        contracts=tuple(table_contract(name).identity for name in tables),
        data_digests={path.name: sha256_file(path) for path in files.named().values()},
        code_version=f"sha256:{digest_of_code(CODE)}",
        evidence=profile.evidence,
        is_synthetic=profile.is_synthetic,
        performance_days=profile.target.performance.performance_days if profile.target.performance else 0,
        trained_from=days.min(),
        trained_until=days.max(),
        valid_until=profile.model.valid_until,
    )


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a data frame as Parquet."""
    write_parquet(path, pa.Table.from_pandas(frame, preserve_index=False))


def _record(sample: LabelledSample, trained: Trained) -> StageRecord:
    champion = trained.evaluation.champion.measures["auc"]
    return StageRecord(
        rows_in=sample.start,
        rows_kept=sample.dataset.n,
        set_aside=sample.dropped,
        notes={
            "champion": trained.candidate.champion_kind,
            "auc": round(champion.value, 4),
            "auc_lower": round(champion.lower, 4),
            "auc_upper": round(champion.upper, 4),
            "sellers_without_training_consent": sample.sellers_without_consent,
            **trained.candidate.notes,
        },
    )
