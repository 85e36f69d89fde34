"""Stage: check the promotion gates; make the candidate champion in the registry and the ledger if all pass."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from data_contracts.digest import sha256_file
from data_contracts.errors import GateFailed, IntegrityRefused, InternalFault
from data_contracts.progress import SILENT
from models.evaluation.audit import ModelAudit, audit_model
from models.registry.bundle import Bundle, load_bundle
from models.registry.gates import BundleEvidence, GateEvidence, GateResult, failed_gates, run_gates
from models.registry.mlflow_registry import (
    CHAMPION,
    RegisteredVersion,
    Registry,
    VersionRecord,
    register_bundle,
    set_alias,
)
from models.registry.promotion_ledger import (
    Decision,
    GateLine,
    LedgerEntry,
    append_decision,
    champion_in_force,
    read_ledger,
)
from models.registry.sealed_folder import MANIFEST as BUNDLE_MANIFEST
from pipelines.features.matrix import feature_matrix
from pipelines.runs.publish import read_json, read_parquet, write_json
from pipelines.runs.stages import GROUND, Place, StageInputs, StageOutcome, StageRecord, current_output, run_stage
from pipelines.runs.storage_faults import report_sqlite_faults
from pipelines.signing.keys import KeyRing, load_keys, report_other_keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from data_contracts.progress import Progress
    from models.evaluation.audit import AuditSettings
    from pipelines.profiles import Profile
    from pipelines.profiles.score_settings import RegistrationSettings

CODE: Final = ("data_contracts", "features", "models", "pipelines/features", "pipelines/register", *GROUND)
REGISTRATION_FILE: Final = "registration.json"
LEDGER_FOLDER: Final = "ledger"
DATABASE: Final = "mlflow.db"
_METRIC_PARTS: Final = ("value", "lower", "upper")


@dataclass(frozen=True)
class CandidateFiles:
    """The published files that the gates read."""

    bundle: Path
    evaluation: Path
    matrix: Path
    feature_set: Path

    @classmethod
    def of(cls, place: Place) -> CandidateFiles:
        """Return the current files of a profile."""
        return cls(
            bundle=current_output(place, "train", "bundle"),
            evaluation=current_output(place, "train", "evaluation.json"),
            matrix=current_output(place, "features", "matrix.parquet"),
            feature_set=current_output(place, "features", "feature_set.json"),
        )


@dataclass(frozen=True)
class Judged:
    """A candidate and the results of its gates; ``bundle`` is None if it could not be loaded."""

    bundle: Bundle | None
    bundle_sha256: str
    gates: tuple[GateResult, ...]
    metrics: dict[str, float]

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the failed gates."""
        return failed_gates(self.gates)


def run(profile: Profile, place: Place, progress: Progress = SILENT) -> StageOutcome:
    """Register the current candidate, and promote it if every gate passes.

    Raises:
        GateFailed: at least one gate failed. The refusal is recorded first, and the champion stays.
    """
    files = CandidateFiles.of(place)
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    settings = {
        **profile.registration.model_dump(mode="json"),
        **profile.model_dump(mode="json", include={"model"}),
        "signed_by": keys.did,
    }
    inputs = StageInputs(asdict(files), settings, CODE)

    def work(folder: Path) -> StageRecord:
        judged = judge(files, profile.registration, keys, progress)
        with report_sqlite_faults(place.root / DATABASE), report_other_keys(place):
            document = decide(judged, profile, place, keys)
        write_json(folder / REGISTRATION_FILE, document)
        passed = sum(gate.passed for gate in judged.gates)
        failed = {f"failed {gate}": 1 for gate in judged.failed}
        return StageRecord(len(judged.gates), passed, failed, {"outcome": document["outcome"]})

    outcome = run_stage("register", place, inputs, work)
    document = read_json(outcome.run_dir / REGISTRATION_FILE)
    if outcome.was_current and document["outcome"] == "promoted":
        _promote_again(document, files, profile, place, keys)
    if document["outcome"] == "refused":
        failed = ", ".join(gate["gate"] for gate in document["gates"] if not gate["passed"])
        raise GateFailed(f"not promoted: failed {failed}; see {outcome.run_dir / REGISTRATION_FILE}")
    return outcome


def _promote_again(
    document: Mapping[str, Any], files: CandidateFiles, profile: Profile, place: Place, keys: KeyRing
) -> None:
    """Make a bundle champion again that was promoted before and has been replaced since: a rollback."""
    with report_sqlite_faults(place.root / DATABASE), report_other_keys(place):
        champion = champion_in_force(read_ledger(place.root / LEDGER_FOLDER, keys.public_key), profile.model.name)
        if champion is None or champion.bundle_sha256 != document["bundle_sha256"]:
            decide(judge(files, profile.registration, keys), profile, place, keys)


def judge(files: CandidateFiles, settings: RegistrationSettings, keys: KeyRing, progress: Progress = SILENT) -> Judged:
    """Run every gate on a candidate; evidence that cannot be read or computed fails its gate."""
    document = read_json(files.evaluation) if files.evaluation.is_file() else {}
    evaluation = document.get("evaluation")
    feature_set = read_json(files.feature_set) if files.feature_set.is_file() else {}
    bundle, evidence = _read_bundle(files.bundle, keys)
    gates = run_gates(
        GateEvidence(
            bundle=evidence,
            matrix_sha256=feature_set.get("digest"),
            matrix_names=tuple(feature_set["features"]) if "features" in feature_set else None,
            evaluation=evaluation,
            audit=None if bundle is None else _audited(bundle, files.matrix, settings.audit, progress),
        ),
        settings.gates,
    )
    # The digest of a bundle is that of its manifest, which exists for a refused bundle too.
    manifest = files.bundle / BUNDLE_MANIFEST
    digest = bundle.digest if bundle else sha256_file(manifest) if manifest.is_file() else ""
    return Judged(bundle, digest, gates, champion_metrics(evaluation or {}))


def decide(judged: Judged, profile: Profile, place: Place, keys: KeyRing) -> dict[str, Any]:
    """Record the decision in the ledger and carry it out in the registry; return the outcome as JSON values."""
    registry = registry_of(place, profile.model.name)
    version = None if judged.failed or judged.bundle is None else _registered(judged, judged.bundle, place, registry)
    _write_down(judged, version, profile, place.root / LEDGER_FOLDER, keys)
    if version is not None:
        set_alias(registry, CHAMPION, version.version)
    champion = champion_in_force(read_ledger(place.root / LEDGER_FOLDER, keys.public_key), profile.model.name)
    return {
        "outcome": "refused" if version is None else "promoted",
        "model_name": profile.model.name,
        "bundle_sha256": judged.bundle_sha256,
        "gates": [asdict(gate) for gate in judged.gates],
        "champion": None
        if champion is None
        else {"version": champion.version, "bundle_sha256": champion.bundle_sha256},
    }


def registry_of(place: Place, model_name: str) -> Registry:
    """Return the registry that a profile keeps beside its outputs."""
    database = (place.root / DATABASE).resolve()
    return Registry(f"sqlite:///{database}", model_name, place.root / "mlflow-artifacts")


def champion_metrics(evaluation: dict[str, Any]) -> dict[str, float]:
    """Return the champion's measures and their bounds as one flat mapping, without undefined ones."""
    models = evaluation.get("models") or [{}]
    return {
        name if part == "value" else f"{name}_{part}": float(estimate[part])
        for name, estimate in (models[0].get("measures") or {}).items()
        for part in _METRIC_PARTS
        if estimate.get(part) is not None
    }


def _read_bundle(folder: Path, keys: KeyRing) -> tuple[Bundle | None, BundleEvidence]:
    try:
        bundle = load_bundle(folder, [keys.public_key])
    except IntegrityRefused as error:
        return None, BundleEvidence(str(error), 0, None, ())
    meta, names = bundle.meta, bundle.model.feature_names
    return bundle, BundleEvidence(None, len(bundle.golden.inputs), meta.feature_set_digest, names)


def _audited(bundle: Bundle, matrix: Path, settings: AuditSettings, progress: Progress) -> ModelAudit | None:
    """Audit the model on rows of the current matrix; return None, which fails the gates, if that is impossible."""
    if not matrix.is_file():
        return None
    try:
        rows = feature_matrix(read_parquet(matrix), bundle.model.feature_names)
        return audit_model(bundle.model, rows, settings, progress)
    except (InternalFault, KeyError, ValueError):
        # Contributions that do not add up to the log-odds, a feature missing in the matrix, or no row to score.
        return None


def _registered(judged: Judged, bundle: Bundle, place: Place, registry: Registry) -> RegisteredVersion:
    meta = bundle.meta
    tags = {
        "feature_set": meta.feature_set,
        "feature_set_sha256": meta.feature_set_digest,
        "contracts": " ".join(meta.contracts),
        "code_version": meta.code_version,
        "evidence": meta.evidence,
        "is_synthetic": str(meta.is_synthetic).lower(),
        **{f"data_sha256.{name}": digest for name, digest in meta.data_digests.items()},
        **{f"gate.{gate.gate}": gate.measured for gate in judged.gates},
    }
    record = VersionRecord(bundle.digest, judged.metrics, tags)
    return register_bundle(current_output(place, "train", "bundle"), record, registry)


def _write_down(
    judged: Judged, version: RegisteredVersion | None, profile: Profile, folder: Path, keys: KeyRing
) -> None:
    """Append the decision to the ledger, unless it is there already: a run that was killed must not decide twice."""
    decision = Decision(
        outcome="refused" if version is None else "promoted",
        model_name=profile.model.name,
        version=None if version is None else version.version,
        bundle_sha256=judged.bundle_sha256,
        # The only use of the clock in this stage: a ledger records when somebody decided.
        decided_at=datetime.now(UTC).replace(microsecond=0),
        approver=profile.registration.approver,
        reason=profile.registration.reason,
        gates=tuple(GateLine(gate=g.gate, passed=g.passed, measured=g.measured, limit=g.limit) for g in judged.gates),
    )
    if not _is_written(read_ledger(folder, keys.public_key), decision):
        append_decision(folder, decision, keys.signing_key)


def _is_written(entries: tuple[LedgerEntry, ...], decision: Decision) -> bool:
    """Return whether this bundle is champion already, or its refusal is the last entry on the model."""
    champion = champion_in_force(entries, decision.model_name)
    if decision.outcome == "promoted":
        return champion is not None and champion.bundle_sha256 == decision.bundle_sha256
    last = next((entry for entry in reversed(entries) if entry.model_name == decision.model_name), None)
    return last is not None and all(getattr(last, name) == value for name, value in decision if name != "decided_at")
