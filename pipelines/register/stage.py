"""Stage: check the promotion gates; make the candidate champion in the registry and the ledger if all pass."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from data_contracts.digest import sha256_file
from data_contracts.errors import GateFailed, IntegrityRefused, InternalFault
from data_contracts.progress import SILENT
from models.evaluation.audit import ModelAudit, audit_model
from models.registry.bundle import Bundle, load_bundle
from models.registry.gates import BundleEvidence, GateEvidence, GateResult, IncumbentEvidence, failed_gates, run_gates
from models.registry.mlflow_client import DATABASE
from models.registry.promotion_ledger import champion_in_force, incumbent_of, is_rolled_back
from models.registry.sealed_folder import MANIFEST as BUNDLE_MANIFEST
from pipelines.features.matrix import feature_matrix
from pipelines.register.comparison import kind_in_words
from pipelines.register.decision import UNNAMED, Judged, Registrar, Words, decide
from pipelines.register.incumbent import (
    Incumbent,
    Measured,
    Shelf,
    change_document,
    evidence_of,
    measure_incumbent,
)
from pipelines.register.registry import REGISTRATION_FILE
from pipelines.runs.publish import read_json, read_parquet, write_json
from pipelines.runs.stages import GROUND, Place, StageInputs, StageOutcome, StageRecord, current_output, run_stage
from pipelines.runs.storage_faults import report_sqlite_faults
from pipelines.signing.keys import KeyRing, load_keys, report_other_keys
from pipelines.signing.ledgers import promotion_ledger

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.progress import Progress
    from models.evaluation.audit import AuditSettings
    from pipelines.profiles import Profile
    from pipelines.profiles.score_settings import RegistrationSettings

CODE: Final = ("data_contracts", "features", "models", "pipelines/features", "pipelines/register", *GROUND)


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


def run(profile: Profile, place: Place, progress: Progress = SILENT, words: Words = UNNAMED) -> StageOutcome:
    """Register the current candidate, and promote it if every gate passes.

    Raises:
        GateFailed: at least one gate failed. The refusal is recorded first, and the champion stays.
    """
    files = CandidateFiles.of(place)
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    registrar = Registrar(profile, place, keys, promotion_ledger(place, os.environ), words)
    incumbent = incumbent_of_candidate(registrar, files)
    settings = {
        **profile.registration.model_dump(mode="json"),
        **profile.model_dump(mode="json", include={"model"}),
        "signed_by": keys.did,
        "incumbent": None if incumbent is None else incumbent.facts(),
    }
    inputs = StageInputs(asdict(files), settings, CODE)

    def judged() -> Judged:
        return judge_against(incumbent, files, registrar, progress)

    def work(folder: Path) -> StageRecord:
        with report_sqlite_faults(place.root / DATABASE), report_other_keys(place):
            found = judged()
            document = decide(found, registrar)
        write_json(folder / REGISTRATION_FILE, document)
        passed = sum(gate.passed for gate in found.gates)
        failed = {f"failed {gate}": 1 for gate in found.failed}
        return StageRecord(len(found.gates), passed, failed, {"outcome": document["outcome"]})

    outcome = run_stage("register", place, inputs, work)
    document = read_json(outcome.run_dir / REGISTRATION_FILE)
    if outcome.was_current and document["outcome"] == "promoted":
        with report_sqlite_faults(place.root / DATABASE), report_other_keys(place):
            champion = champion_in_force(registrar.entries(), profile.model.name)
            if champion is None or champion.bundle_sha256 != document["bundle_sha256"]:
                # It was promoted before against the same champion, and has been replaced since.
                decide(judged(), registrar)
    if document["outcome"] == "refused":
        failed = ", ".join(gate["gate"] for gate in document["gates"] if not gate["passed"])
        raise GateFailed(f"not promoted: failed {failed}; see {outcome.run_dir / REGISTRATION_FILE}")
    return outcome


def incumbent_of_candidate(registrar: Registrar, files: CandidateFiles) -> Incumbent | None:
    """Return the champion that the candidate would replace, or has replaced, as the ledger names it."""
    with report_other_keys(registrar.place):
        entries = registrar.entries()
    name, digest = registrar.profile.model.name, _digest_of(files.bundle)
    found = incumbent_of(entries, name, digest)
    return None if found is None else Incumbent(found, is_rolled_back(entries, name, digest))


def judge_against(
    incumbent: Incumbent | None, files: CandidateFiles, registrar: Registrar, progress: Progress = SILENT
) -> Judged:
    """Compare a candidate with the champion that it would replace, and run every gate."""
    profile, keys = registrar.profile, registrar.keys
    shelf = Shelf(
        place=registrar.place,
        registry=registrar.registry,
        public_key=keys.public_key,
        matrix=files.matrix,
        is_out_of_time=profile.split is not None,
    )
    measured = Measured() if incumbent is None else measure_incumbent(incumbent, files.bundle.parent, shelf)
    evidence = CandidateEvidence(evidence_of(incumbent, measured), change_document(incumbent, measured))
    return judge(files, profile.registration, keys, evidence, progress)


@dataclass(frozen=True)
class CandidateEvidence:
    """What is known of the champion before, for the gate and for the document."""

    gate: IncumbentEvidence = field(default_factory=IncumbentEvidence)
    before: dict[str, Any] | None = None


def judge(
    files: CandidateFiles,
    settings: RegistrationSettings,
    keys: KeyRing,
    incumbent: CandidateEvidence,
    progress: Progress = SILENT,
) -> Judged:
    """Run every gate on a candidate; evidence that cannot be read or computed fails its gate."""
    document = read_json(files.evaluation) if files.evaluation.is_file() else {}
    evaluation = document.get("evaluation")
    feature_set = read_json(files.feature_set) if files.feature_set.is_file() else {}
    bundle, evidence = _read_bundle(files.bundle, keys)
    gates: tuple[GateResult, ...] = run_gates(
        GateEvidence(
            bundle=evidence,
            matrix_sha256=feature_set.get("digest"),
            matrix_names=tuple(feature_set["features"]) if "features" in feature_set else None,
            evaluation=evaluation,
            audit=None if bundle is None else _audited(bundle, files.matrix, settings.audit, progress),
            incumbent=incumbent.gate,
        ),
        settings.gates,
    )
    return Judged(
        bundle=bundle,
        bundle_sha256=_digest_of(files.bundle),
        kind=None if bundle is None else kind_in_words(bundle.model),
        gates=gates,
        failed=failed_gates(gates),
        measures=((evaluation or {}).get("models") or [{}])[0].get("measures") or {},
        before=incumbent.before,
    )


def _digest_of(bundle: Path) -> str:
    """Return the digest of a bundle, which is that of its manifest and exists for a refused bundle too."""
    manifest = bundle / BUNDLE_MANIFEST
    return sha256_file(manifest) if manifest.is_file() else ""


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
