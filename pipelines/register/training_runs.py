"""Training runs of a profile: a list of them, and the comparison of two on the same rows, for ``passport compare``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from data_contracts.digest import sha256_file
from data_contracts.errors import ConfigurationRefused
from models.registry.sealed_folder import MANIFEST as BUNDLE_MANIFEST
from pipelines.register.comparison import STAGE, compare_predictions, held_out_predictions, run_of_bundle, unchanged
from pipelines.runs.publish import read_json
from pipelines.runs.stages import MANIFEST, current_run, read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from models.evaluation.power import Difference
    from models.registry.promotion_ledger import LedgerEntry
    from pipelines.runs.stages import Place

EVALUATION: Final = "evaluation.json"
_MEASURE_NAMES: Final = {"auc": "AUC", "brier": "Brier score", "log_loss": "log-loss"}
VERDICTS: Final = {
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


def training_runs(place: Place, champion_sha256: str | None) -> tuple[TrainingRun, ...]:
    """Return the training runs of a profile in the order of their names, the candidate last.

    Args:
        place: where the profile's runs are.
        champion_sha256: bundle of the champion in force; None if there is none.

    Raises:
        ConfigurationRefused: the profile has not been trained.
        IntegrityRefused: the evaluation of a run was changed.
    """
    candidate = current_run(place, STAGE)
    folders = (entry for entry in place.stage_dir(STAGE).iterdir() if (entry / MANIFEST).is_file())
    return tuple(
        TrainingRun(
            folder=folder,
            is_candidate=folder == candidate,
            is_champion=sha256_file(folder / "bundle" / BUNDLE_MANIFEST) == champion_sha256,
            kind=str(read_manifest(folder)["record"]["notes"]["champion"]),
            measures=read_json(unchanged(folder, EVALUATION))["evaluation"]["models"][0]["measures"],
        )
        for folder in sorted(folders, key=lambda folder: (folder == candidate, folder.name))
    )


def compare_runs(
    place: Place, other: str, run: str | None = None, promotions: Sequence[LedgerEntry] = ()
) -> tuple[Difference, ...]:
    """Compare a training run with another on the same test rows, by paired differences.

    Args:
        place: where the profile's runs are.
        other: name of the other run, or its first characters; or the version of a model, as the ledger has it.
        run: the run to compare with the other, named likewise; None for the candidate.
        promotions: entries of the ledger, which say which bundle a version is.

    Returns:
        The gains of the run over the other in AUC, Brier score and log-loss; positive where it is better.

    Raises:
        ConfigurationRefused: there is no such run, or the two were tested on different rows.
        IntegrityRefused: the files of a run were changed.
    """
    first = current_run(place, STAGE) if run is None else _run_of(place, run, promotions)
    second = _run_of(place, other, promotions)
    return compare_predictions(held_out_predictions(first), held_out_predictions(second)).differences


def describe_runs(runs: tuple[TrainingRun, ...]) -> list[str]:
    """Return one line per training run: name, kind of model, AUC and calibration slope, and its role."""
    return [_described(run) for run in runs]


def describe_differences(differences: tuple[Difference, ...]) -> list[str]:
    """Return one line per measure: the difference with its interval, what the sample could show, and the verdict."""
    return [
        f"{_MEASURE_NAMES[found.measure]}: {VERDICTS[found.verdict]}: gain {found.gain.value:+.4f}, "
        f"95 % CI {found.gain.lower:+.4f} to {found.gain.upper:+.4f}; minimum detectable {found.detectable_gain:.4f}"
        for found in differences
    ]


def _described(run: TrainingRun) -> str:
    roles = [name for name, has in (("candidate", run.is_candidate), ("champion", run.is_champion)) if has]
    figures = ", ".join(
        f"{name} {estimate_text(run.measures[key])}"
        for key, name in (("auc", "AUC"), ("calibration_slope", "calibration slope"))
    )
    role = f" ({' and '.join(roles)})" if roles else ""
    return f"{run.folder.name}: {run.kind}: {figures}{role}"


def estimate_text(estimate: Mapping[str, Any] | None) -> str:
    """Return an estimate with its interval; figures that a small sample leaves undefined are called so."""
    if estimate is None or any(estimate.get(part) is None for part in ("value", "lower", "upper")):
        return "undefined"
    return f"{estimate['value']:.4f} ({estimate['lower']:.4f} to {estimate['upper']:.4f})"


def _run_of(place: Place, name: str, promotions: Sequence[LedgerEntry]) -> Path:
    """Return the training run of a version, if there is such a version, else the one with this name."""
    digests = [entry.bundle_sha256 for entry in promotions if entry.version == name]
    if not digests:
        return _named_run(place, name)
    found = run_of_bundle(place, digests[-1])
    if found is None:
        raise ConfigurationRefused(
            f"the training run of version {name} is not kept under {place.stage_dir(STAGE)}",
            "train it again with the same settings and data",
        )
    return found


def _named_run(place: Place, name: str) -> Path:
    folder = place.stage_dir(STAGE)
    found = [entry for entry in folder.glob(f"{name}*") if (entry / MANIFEST).is_file()] if name.isalnum() else []
    if len(found) != 1:
        what = "several training runs begin with" if found else "no training run begins with"
        raise ConfigurationRefused(f"{what} {name!r} under {folder}", "passport compare lists the runs")
    return found[0]
