"""Training runs of a profile: a list of them, and the comparison of two on the same rows, for ``passport compare``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from data_contracts.digest import sha256_file
from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from models.evaluation import EvaluationSettings, evaluate, evaluate_repeats
from models.registry.sealed_folder import MANIFEST as BUNDLE_MANIFEST
from pipelines.register.stage import REGISTRATION_FILE
from pipelines.runs.publish import read_json, read_parquet
from pipelines.runs.stages import CURRENT, MANIFEST, current_output, current_run, read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from models.evaluation.power import Difference
    from pipelines.runs.stages import Place

STAGE: Final = "train"
HOLDOUT: Final = "holdout.parquet"
EVALUATION: Final = "evaluation.json"
OTHER: Final = "other"
_MEASURE_NAMES: Final = {"auc": "AUC", "brier": "Brier score", "log_loss": "log-loss"}
_VERDICTS: Final = {
    "better": "significantly better",
    "worse": "significantly worse",
    "not_shown": "no significant difference",
    "identical": "the same on every row",
}


@dataclass(frozen=True)
class TrainingRun:
    """A training run that is kept.

    ``is_candidate``: it is the run in force, which ``register`` would take. ``is_champion``: its bundle was promoted
    last. ``kind``: linear, scorecard, gbm or blend. ``measures``: its figures with their intervals, by name.
    """

    folder: Path
    is_candidate: bool
    is_champion: bool
    kind: str
    measures: dict[str, Any]


def training_runs(place: Place) -> tuple[TrainingRun, ...]:
    """Return the training runs of a profile in the order of their names, the candidate last.

    Raises:
        ConfigurationRefused: the profile has not been trained.
        IntegrityRefused: the evaluation of a run was changed.
    """
    candidate = current_run(place, STAGE)
    promoted = _champion_digest(place)
    folders = (entry for entry in place.stage_dir(STAGE).iterdir() if (entry / MANIFEST).is_file())
    return tuple(
        TrainingRun(
            folder=folder,
            is_candidate=folder == candidate,
            is_champion=promoted is not None and sha256_file(folder / "bundle" / BUNDLE_MANIFEST) == promoted,
            kind=str(read_manifest(folder)["record"]["notes"]["champion"]),
            measures=read_json(_unchanged(folder, EVALUATION))["evaluation"]["models"][0]["measures"],
        )
        for folder in sorted(folders, key=lambda folder: (folder == candidate, folder.name))
    )


def compare_runs(place: Place, other: str) -> tuple[Difference, ...]:
    """Compare the candidate with another training run on the same test rows, by paired differences.

    Args:
        place: where the profile's runs are.
        other: name of the other run, or its first characters.

    Returns:
        The gains of the candidate over the other run in AUC, Brier score and log-loss; positive where it is better.

    Raises:
        ConfigurationRefused: there is no such run, or the two were tested on different rows.
        IntegrityRefused: the files of a run were changed.
    """
    candidate = read_parquet(_unchanged(current_run(place, STAGE), HOLDOUT)).to_pandas()
    before = read_parquet(_unchanged(_named_run(place, other), HOLDOUT)).to_pandas()
    keys = ["seller_id", "as_of", *(["repeat"] if "repeat" in candidate.columns else [])]
    _refuse_other_rows(candidate, before, [*keys, "label"], other)
    joined = candidate.merge(before[[*keys, "pd_champion"]], on=keys, suffixes=("", f"_{OTHER}"))
    joined = joined.rename(columns={f"pd_champion_{OTHER}": f"pd_{OTHER}"})
    measured = evaluate_repeats if "repeat" in keys else evaluate
    return measured(joined, EvaluationSettings(baselines=(OTHER,))).differences


def describe_runs(runs: tuple[TrainingRun, ...]) -> list[str]:
    """Return one line per training run: name, kind of model, AUC and calibration slope, and its role."""
    return [_described(run) for run in runs]


def describe_differences(differences: tuple[Difference, ...]) -> list[str]:
    """Return one line per measure: the difference with its interval, what the sample could show, and the verdict."""
    return [
        f"{_MEASURE_NAMES[found.measure]}: {_VERDICTS[found.verdict]}: gain {found.gain.value:+.4f}, "
        f"95 % CI {found.gain.lower:+.4f} to {found.gain.upper:+.4f}; minimum detectable {found.detectable_gain:.4f}"
        for found in differences
    ]


def _described(run: TrainingRun) -> str:
    roles = [name for name, has in (("candidate", run.is_candidate), ("champion", run.is_champion)) if has]
    figures = ", ".join(
        f"{name} {_figure(run.measures[key])}"
        for key, name in (("auc", "AUC"), ("calibration_slope", "calibration slope"))
    )
    role = f" ({' and '.join(roles)})" if roles else ""
    return f"{run.folder.name}: {run.kind}: {figures}{role}"


def _figure(estimate: Mapping[str, Any]) -> str:
    """Return an estimate with its interval; figures that a small sample leaves undefined are called so."""
    if any(estimate[part] is None for part in ("value", "lower", "upper")):
        return "undefined"
    return f"{estimate['value']:.4f} ({estimate['lower']:.4f} to {estimate['upper']:.4f})"


def _named_run(place: Place, name: str) -> Path:
    folder = place.stage_dir(STAGE)
    found = [entry for entry in folder.glob(f"{name}*") if (entry / MANIFEST).is_file()] if name.isalnum() else []
    if len(found) != 1:
        what = "several training runs begin with" if found else "no training run begins with"
        raise ConfigurationRefused(f"{what} {name!r} under {folder}", "passport compare lists the runs")
    return found[0]


def _unchanged(run_dir: Path, name: str) -> Path:
    """Return a file of a run, after comparing its digest with the manifest of the run."""
    path = run_dir / name
    if not path.is_file() or read_manifest(run_dir)["outputs"].get(name) != sha256_file(path):
        raise IntegrityRefused(f"{path} is missing or changed, by the manifest of its run; remedy: train again")
    return path


def _champion_digest(place: Place) -> str | None:
    """Return the digest of the champion's bundle as the register stage last wrote it, or None before any promotion."""
    if not (place.stage_dir("register") / CURRENT).is_file():
        return None
    champion = read_json(current_output(place, "register", REGISTRATION_FILE))["champion"]
    return None if champion is None else str(champion["bundle_sha256"])


def _refuse_other_rows(candidate: pd.DataFrame, before: pd.DataFrame, keys: list[str], other: str) -> None:
    one, two = (frame[keys].sort_values(keys).reset_index(drop=True) for frame in (candidate, before))
    if not one.equals(two):
        raise ConfigurationRefused(
            f"the candidate and run {other} were tested on different rows ({len(one):,} and {len(two):,})",
            "train both with the same data, [observations], [target] and [split]",
        )
