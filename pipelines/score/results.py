"""The results of a scoring run: score files, passports, the wording of reasons and a summary, in one folder."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from data_contracts.digest import sha256_bytes
from data_contracts.progress import SILENT, counted
from features.catalogue import feature_set_names, load_feature_set
from models.components.oracle import by_lightgbm
from pipelines.passports.issuing import chosen_rows, issue_passports, write_passports
from pipelines.passports.passport import UNKNOWN_VERSION, Evidence
from pipelines.runs.publish import json_bytes, read_parquet, write_json
from pipelines.runs.stages import GROUND, digest_of_code
from pipelines.score.applicant_features import deliveries_by_seller, known_coverage
from pipelines.score.chunk_files import (
    ALL_FORMATS,
    SCORES_FILE,
    ChunkFolder,
    ScoreCounts,
    join_chunks,
    score_in_chunks,
)
from pipelines.score.claims import claims_at, with_claims
from pipelines.score.scorer import OwnWayRefused, ScoringContext, refuse_unequal_sample, score_chunk
from pipelines.signing.keys import keyed_digest

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from data_contracts.progress import Progress
    from models.registry.bundle import BundleMeta
    from pipelines.passports.terms import PassportTerms
    from pipelines.profiles.score_settings import ScoringLimits
    from pipelines.runs.score_formats import ScoreFormat
    from pipelines.score.inputs import ScoreInput
    from pipelines.score.model import ScoringModel

log = logging.getLogger(__name__)

CODE: Final = (
    *("data_contracts", "features", "models"),
    *("pipelines/ingest", "pipelines/validate", "pipelines/features", "pipelines/register"),
    *(
        "pipelines/passports",
        "pipelines/reports",
        "pipelines/score",
        "pipelines/score_rows.py",
        "pipelines/score_codes.py",
    ),
    *GROUND,
)
SUMMARY_FILE: Final = "summary.json"
REASONS_FILE: Final = "reasons.json"


@dataclass(frozen=True)
class ScoreJob:
    """Everything that decides the results of one run.

    ``secret`` authenticates the chunk files, so that nobody without it can slip scores into a run. ``terms`` are those
    of the passports to issue, or None for no passports; ``passport_count`` None means all.
    """

    model: ScoringModel
    rows: ScoreInput
    secret: bytes = field(repr=False)
    limits: ScoringLimits
    issued_on: date
    chunk_rows: int
    with_reasons: bool = True
    formats: tuple[ScoreFormat, ...] = ALL_FORMATS
    terms: PassportTerms | None = field(default=None, repr=False)
    passport_count: int | None = None

    @property
    def key(self) -> str:
        """Digest of everything that decides a score; it identifies the chunk files of an interrupted run."""
        content = {
            "bundle": self.model.bundle.digest,
            "version": self.model.version,
            "rows": dict(self.rows.digests),
            "read_with": dict(self.rows.read_with),
            "limits": self.limits.model_dump(mode="json"),
            "issued_on": self.issued_on.isoformat(),
            "with_reasons": self.with_reasons,
            "chunk_rows": self.chunk_rows,
            "as_of": self.rows.as_of.isoformat() if self.rows.as_of else None,
            "code": digest_of_code(CODE),
        }
        return sha256_bytes(json_bytes(content))[:16]


@dataclass(frozen=True)
class Written:
    """What was written: the rows by status, the number of passports, and notes in words."""

    counts: ScoreCounts
    passports: int
    notes: tuple[str, ...] = ()


def write_results(job: ScoreJob, chunks: Path, folder: Path, progress: Progress = SILENT) -> Written:
    """Score every row into ``folder``, resuming from the files in ``chunks``, then issue the requested passports."""
    bundle = job.model.bundle
    parts = ChunkFolder(chunks, bytes.fromhex(keyed_digest(job.secret, "chunks of scores", chunks.name)))
    scored, notes = _scored_chunks(job, parts, progress)
    titles = {feature.name: feature.title_en for feature in bundle.model.features}
    counts = join_chunks(parts, scored, titles, folder, job.formats)
    scores = folder / SCORES_FILE
    passports = 0
    if job.terms is not None:
        identities = read_parquet(scores, ["seller_id", "as_of", "status"])
        chosen = chosen_rows(identities, job.passport_count)
        evidence = _evidence(job, identities.take(pa.array(chosen, pa.int64())))
        issued = issue_passports(scores, chosen, bundle, evidence, job.terms)
        passports = write_passports(counted(issued, "passports issued", len(chosen), progress), folder)
    write_json(folder / REASONS_FILE, bundle.dictionary.model_dump(mode="json"))
    written = Written(counts, passports, notes)
    write_json(folder / SUMMARY_FILE, summary(job, written))
    return written


def _scored_chunks(job: ScoreJob, parts: ChunkFolder, progress: Progress) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Score every chunk; all of them by LightGBM itself if our own way through the trees differs on a sample."""
    bundle = job.model.bundle
    context = ScoringContext(bundle, job.limits, job.issued_on, job.model.version, job.with_reasons)
    try:
        return _scored_with(context, job, parts, progress), ()
    except OwnWayRefused as refused:
        note = f"scored by LightGBM, without the fast way through the trees: {refused}"
        log.warning(note)
    parts.clear()
    context = replace(context, bundle=bundle._replace(model=by_lightgbm(bundle.model)))
    return _scored_with(context, job, parts, progress), (note,)


def _scored_with(context: ScoringContext, job: ScoreJob, parts: ChunkFolder, progress: Progress) -> tuple[Path, ...]:
    def score(chunk: pa.Table) -> pa.Table:
        refuse_unequal_sample(context, chunk)
        scored = score_chunk(context, chunk)
        reconcile = job.rows.reconcile if job.with_reasons and job.rows.coverage is not None else None
        return scored if reconcile is None else with_claims(scored, reconcile)

    progress.start("applicants scored", job.rows.rows)
    return score_in_chunks(job.rows.chunks(job.chunk_rows), score, parts, progress)


def summary(job: ScoreJob, written: Written) -> dict[str, object]:
    """Return the summary of a run as JSON values: model, counts, digests and notes."""
    meta = job.model.bundle.meta
    return {
        "rows": written.counts.rows,
        "by_status": dict(written.counts.by_status),
        "by_code": dict(written.counts.by_code),
        "passports": written.passports,
        "issued_on": job.issued_on.isoformat(),
        "model_name": meta.model_name,
        "model_version": job.model.version,
        "bundle_sha256": job.model.bundle.digest,
        "promotion": job.model.promotion,
        "evidence": meta.evidence,
        "is_synthetic": meta.is_synthetic,
        "with_reasons": job.with_reasons,
        "digests": dict(job.rows.digests),
        "notes": [*job.rows.notes, *written.notes],
    }


def _evidence(job: ScoreJob, chosen: pa.Table) -> Evidence:
    """Return what is known about the data behind the chosen rows (seller_id, as_of), as of the date of each."""
    rows = job.rows
    version, promotion = feature_set_version(job.model.bundle.meta), job.model.promotion
    if rows.coverage is None:
        return Evidence(rows.digests, None, rows.pillar_tables, version, promotion=promotion)
    delivered = deliveries_by_seller(known_coverage(rows.coverage, chosen.select(["seller_id", "as_of"])))
    claims = None
    if rows.reconcile is not None:
        claims = {seller: found for (seller, _), found in claims_at(rows.reconcile, chosen).items()}
    return Evidence(rows.digests, delivered, rows.pillar_tables, version, claims, promotion, rows.related)


def feature_set_version(meta: BundleMeta) -> str:
    """Return the version of a model's feature set, or UNKNOWN_VERSION if the installed set differs."""
    if meta.feature_set not in feature_set_names():
        return UNKNOWN_VERSION
    feature_set = load_feature_set(meta.feature_set)
    return feature_set.version if feature_set.digest == meta.feature_set_digest else UNKNOWN_VERSION
