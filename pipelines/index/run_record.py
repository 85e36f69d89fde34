"""What a run has left so far, read from its own files. A stage that has not run, or whose files rotted, is said so."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import ConfigurationRefused, IntegrityRefused
from pipelines.index.alert_decisions import read_decisions
from pipelines.index.promotions import Promotions, read_promotions
from pipelines.runs.publish import read_json, read_parquet
from pipelines.runs.stages import CURRENT, StageRecord, current_output, current_run, outdated_inputs, read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from data_contracts.arrow import Values
    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place
    from pipelines.watch.decisions import AlertDecision

STAGES: Final = ("world", "ingest", "validate", "features", "train", "explain", "register", "score", "watch", "monitor")
BUNDLE_MANIFEST: Final = "bundle/manifest.json"
SCORES: Final = "passports.parquet"
REFUSED: Final = "refused"
CONTRADICTED: Final = '"grade":"contradicted"'
_SCORE_COLUMNS: Final = ["status", "grade", "probability_of_default", "claims"]


@dataclass(frozen=True)
class StageRun:
    """The run in force of one stage.

    ``folder`` is None where the stage has not run; ``fault`` says what is wrong where its files are not as they were
    written, and then ``record`` is None. ``outdated_by`` names the stages that have run again since, with another
    result.
    """

    stage: str
    folder: Path | None
    record: StageRecord | None = None
    seconds: float | None = None
    fault: str | None = None
    outdated_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class GradeCount:
    """Scored sellers of one grade and the mean of their probabilities of default."""

    grade: str
    sellers: int
    mean_probability: float


@dataclass(frozen=True)
class Scores:
    """The scored applicants: how many by grade, and how many of them have a claim that another source contradicts."""

    scored: int
    refused: int
    contradicted: int
    grades: tuple[GradeCount, ...]


@dataclass(frozen=True)
class ChampionVersion:
    """The champion in force: its version and the digest of its bundle."""

    version: str
    bundle_sha256: str


@dataclass(frozen=True)
class RunRecord:
    """A profile's run as its files tell it; a document is None where its stage has left none that can be trusted."""

    profile: Profile
    root: Path
    stages: tuple[StageRun, ...]
    promotions: Promotions
    published_at: datetime | None = None
    validation: Mapping[str, Any] | None = None
    evaluation: Mapping[str, Any] | None = None
    audit: Mapping[str, Any] | None = None
    registration: Mapping[str, Any] | None = None
    monitor: Mapping[str, Any] | None = None
    watch: Mapping[str, Any] | None = None
    alert_decisions: tuple[AlertDecision, ...] | None = ()
    summary: Mapping[str, Any] | None = None
    scores: Scores | None = None
    trained_sha256: str | None = None
    feature_titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def stage(self, name: str) -> StageRun | None:
        """Return the run of a stage; None for a stage that the profile does not have."""
        return next((run for run in self.stages if run.stage == name), None)

    @property
    def missing(self) -> tuple[str, ...]:
        """Stages that have not run."""
        return tuple(run.stage for run in self.stages if run.folder is None)

    @property
    def is_champion_trained(self) -> bool:
        """Whether the model trained last, whose evaluation is at hand, is the champion."""
        return self.champion is not None and self.champion.bundle_sha256 == self.trained_sha256

    @property
    def champion(self) -> ChampionVersion | None:
        """The champion in force, as the ledger names it, else the registration."""
        entry = self.promotions.champion(self.profile.model.name)
        if entry is not None:
            return ChampionVersion(str(entry.version), entry.bundle_sha256)
        stated = (self.registration or {}).get("champion")
        return None if stated is None else ChampionVersion(str(stated["version"]), str(stated["bundle_sha256"]))

    @property
    def scored_version(self) -> str | None:
        """The version that scored, where it is not the champion in force."""
        scored = (self.summary or {}).get("bundle_sha256")
        if scored is None or self.champion is None or scored == self.champion.bundle_sha256:
            return None
        return str((self.summary or {})["model_version"])

    @property
    def outdated(self) -> tuple[tuple[str, str], ...]:
        """Stages older than what they were made from, each with the names of the stages that have run again."""
        return tuple((run.stage, ", ".join(run.outdated_by)) for run in self.stages if run.outdated_by)

    @property
    def damaged(self) -> tuple[str, ...]:
        """Stages whose files are not as they were written."""
        return tuple(run.stage for run in self.stages if run.fault is not None)


def read_run(profile: Profile, place: Place) -> RunRecord:
    """Read what the stages of a profile have left; nothing is written, and no key is made."""
    runs, documents = {}, {}
    for stage in STAGES:
        if stage != "world" or profile.world is not None:
            runs[stage], documents[stage] = _stage_run(place, stage)
    evaluation, scores = documents["train"], runs["score"]
    return RunRecord(
        profile=profile,
        root=place.root,
        stages=tuple(runs.values()),
        promotions=read_promotions(profile, place),
        published_at=_published_at(place),
        validation=documents["validate"],
        evaluation=None if evaluation is None else evaluation["evaluation"],
        audit=None if evaluation is None else evaluation.get("audit"),
        registration=documents["register"],
        monitor=documents["monitor"],
        watch=documents["watch"],
        alert_decisions=read_decisions(profile, place),
        summary=documents["score"],
        scores=None if documents["score"] is None or scores.folder is None else read_scores(scores.folder / SCORES),
        trained_sha256=_trained_sha256(runs["train"]),
        feature_titles=_titles(documents["explain"]),
    )


_DOCUMENTS: Final = {
    "validate": "validation.json",
    "train": "evaluation.json",
    "explain": "explanation.json",
    "register": "registration.json",
    "monitor": "monitor.json",
    "watch": "watch.json",
    "score": "summary.json",
}


def _stage_run(place: Place, stage: str) -> tuple[StageRun, Any]:
    """Return the run in force of a stage and its document, each checked against the run's manifest."""
    try:
        folder = current_run(place, stage)
    except ConfigurationRefused:
        return StageRun(stage, None), None
    except IntegrityRefused as error:
        return StageRun(stage, place.stage_dir(stage), fault=str(error)), None
    manifest = read_manifest(folder)
    try:
        names = [name for name in (_DOCUMENTS.get(stage), SCORES if stage == "score" else None) if name]
        paths = [current_output(place, stage, name) for name in names]
    except IntegrityRefused as error:
        return StageRun(stage, folder, fault=str(error)), None
    record, outdated_by = StageRecord(**manifest["record"]), outdated_inputs(place, stage)
    run = StageRun(stage, folder, record, manifest["seconds"], outdated_by=outdated_by)
    return run, read_json(paths[0]) if paths and paths[0].is_file() else None


def read_scores(path: Path) -> Scores:
    """Count the scored applicants of a score table by grade, in the order of rising risk."""
    table = read_parquet(path, _SCORE_COLUMNS)
    is_scored: Values = pc.not_equal(table["status"].cast(pa.string()), pa.scalar(REFUSED))
    scored = table.filter(is_scored)
    is_contradicted: Values = pc.match_substring(scored["claims"], CONTRADICTED)
    contradicted = scored.filter(is_contradicted).num_rows
    return Scores(scored.num_rows, table.num_rows - scored.num_rows, contradicted, _grades(scored))


def _grades(scored: pa.Table) -> tuple[GradeCount, ...]:
    columns = scored.select(["grade", "probability_of_default"])
    probability = "probability_of_default"
    grouped = columns.group_by("grade").aggregate([(probability, "mean"), (probability, "count")])
    rows = sorted(grouped.to_pylist(), key=lambda row: float(row[f"{probability}_mean"]))
    return tuple(GradeCount(row["grade"], row[f"{probability}_count"], row[f"{probability}_mean"]) for row in rows)


def _titles(explanation: Mapping[str, Any] | None) -> dict[str, dict[str, str]]:
    """Return the titles of the model's features by language; empty where nothing was explained."""
    features = () if explanation is None else explanation["features"]
    return {one["name"]: {"en": one["title_en"], "zh": one["title_zh"]} for one in features}


def _trained_sha256(train: StageRun) -> str | None:
    """Return the digest of the trained bundle, which is that of its manifest."""
    if train.folder is None or train.fault is not None:
        return None
    digest: str | None = read_manifest(train.folder)["outputs"].get(BUNDLE_MANIFEST)
    return digest


def _published_at(place: Place) -> datetime | None:
    """Return when a stage's ``CURRENT`` last moved."""
    moved = [path.stat().st_mtime for stage in STAGES if (path := place.stage_dir(stage) / CURRENT).is_file()]
    return datetime.fromtimestamp(max(moved), UTC) if moved else None
