"""Command ``passport score``: score an applicant file or a folder of raw exports."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from data_contracts.errors import ConfigurationRefused
from data_contracts.progress import SILENT
from pipelines.ingest.deliveries.unlisted import NOTHING_STATED, Terms
from pipelines.passports.terms import passport_terms
from pipelines.runs.publish import locked
from pipelines.runs.storage_faults import emptied_if_full, report_disk_faults
from pipelines.score.applicants import require_applicant_file
from pipelines.score.chunk_files import ALL_FORMATS
from pipelines.score.inputs import Request, open_input
from pipelines.score.model import ModelChoice, keys_of, load_model, signer_objections
from pipelines.score.results import ScoreJob, write_results
from pipelines.score.results_folder import list_files, refuse_foreign_files, replace_folder, work_folder
from pipelines.signing.keys import HMAC_KEY_VARIABLE, KeyRing, has_keys, load_keys, read_trust_file
from pipelines.signing.ledgers import promotion_ledger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from data_contracts.progress import Progress
    from pipelines.profiles import Profile
    from pipelines.runs.score_formats import ScoreFormat
    from pipelines.runs.stages import Place
    from pipelines.score.chunk_files import ScoreCounts
    from pipelines.score.model import ScoringModel
    from pipelines.score.results import Written


@dataclass(frozen=True)
class ScoreOptions:
    """Options of ``passport score APPLICANTS``.

    Attributes:
        out: folder of the results; it is replaced whole, and only if it holds nothing but unchanged results.
        profile: its limits, terms and keys apply.
        place: location of the profile's tables and registry.
        issued_on: the issue date on the passports; ages are counted from it.
        model: a ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION`` address; if neither this nor ``bundle`` is given,
            the profile's champion.
        bundle: a bundle folder.
        registry: MLflow tracking URI; None for the profile's own.
        trust: trust file of the issuers whose bundles are accepted; None for the profile's own key.
        as_of: date for rows without one, and of raw exports.
        terms: what raw exports do not say themselves, where no list of deliveries does.
        with_reasons: whether points and reasons are computed; passports need them.
        passport_count: how many signed passports to issue; 0 for none, None for all.
        formats: the forms in which scores are written; Parquet is always among them.
        threads: number that a prediction may use; it changes no result.
        environment: variables that name the key files.
        unpromoted: whether passports may be issued with a bundle that no ledger at hand promotes; they say so.
        today: the day on which the command runs; a key revoked by then is not accepted, whatever the day of issue.
    """

    out: Path
    profile: Profile
    place: Place
    issued_on: date
    model: str | None = None
    bundle: Path | None = None
    registry: str | None = None
    trust: Path | None = None
    as_of: date | None = None
    terms: Terms = NOTHING_STATED
    with_reasons: bool = True
    passport_count: int | None = 0
    formats: tuple[ScoreFormat, ...] = ALL_FORMATS
    threads: int = 1
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    unpromoted: bool = False
    today: date = field(default_factory=date.today)

    def keys(self) -> KeyRing:
        """Load the profile's own keys."""
        demonstration = self.profile.is_demonstration
        return load_keys(self.profile.name, is_demonstration=demonstration, environment=self.environment)

    def resume_secret(self) -> bytes:
        """Return the key that authenticates chunk files; a run without keys of its own cannot be resumed."""
        own = HMAC_KEY_VARIABLE in self.environment or has_keys(self.profile.name, self.environment)
        return self.keys().hmac_key if own or self.trust is None else secrets.token_bytes(32)


@dataclass(frozen=True)
class ScoreOutcome:
    """The result of a scoring run: the folder, the counts, the passports issued, and warnings in words."""

    folder: Path
    counts: ScoreCounts
    passports: int
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 if at least one row was scored, 1 if every row was refused."""
        return 0 if self.counts.scored else 1


def score_command(applicants: Path, options: ScoreOptions, progress: Progress = SILENT) -> ScoreOutcome:
    """Score an applicant file (CSV, XLSX, Parquet) or a folder of raw exports.

    An interrupted run resumes when it is started again. The results appear under ``options.out`` all at once.

    Raises:
        InputRefused: the file cannot be used; names file, row, column, rule and remedy.
        ConfigurationRefused: an option, key, model or table is missing or contradicts another.
        IntegrityRefused: the bundle is not what a trusted key signed.
    """
    if not applicants.is_dir():
        # Check this before the model is fetched, which takes longer.
        require_applicant_file(applicants)
    refuse_foreign_files(options.out)
    if options.passport_count != 0 and not options.with_reasons:
        raise ConfigurationRefused("a passport states reasons, and --no-reasons omits them", "leave out --no-reasons")
    profile, model = options.profile, _model(options)
    if options.passport_count != 0 and model.promotion == "not_promoted" and not options.unpromoted:
        raise ConfigurationRefused(
            f"no promotion ledger at hand promotes the bundle {model.bundle.digest[:16]}…, and passports are asked for",
            "score with the champion, or add --unpromoted: the passports will say it",
        )
    limits, bundle = profile.scoring.limits, model.bundle
    names = bundle.model.feature_names
    request = Request(bundle.meta, names, limits, options.place, options.as_of, progress, options.terms)
    order = options.terms.date_order or profile.ingest.date_order
    ingest = profile.ingest.model_copy(update={"date_order": order})
    rows = open_input(applicants, request, ingest, lambda: options.keys().hmac_key)
    job = ScoreJob(
        model=model,
        rows=rows,
        secret=options.resume_secret(),
        limits=limits,
        issued_on=options.issued_on,
        chunk_rows=profile.scoring.chunk_rows,
        with_reasons=options.with_reasons,
        formats=options.formats,
        terms=passport_terms(profile, options.keys(), options.issued_on) if options.passport_count != 0 else None,
        passport_count=options.passport_count,
    )
    with report_disk_faults(options.out), locked(options.out):
        work = work_folder(options.out)
        with emptied_if_full(work):
            written = _publish(job, work, options.out, progress)
    notes = (*rows.notes, *written.notes, *_promotion_notes(model))
    return ScoreOutcome(options.out, written.counts, written.passports, notes)


def _promotion_notes(model: ScoringModel) -> tuple[str, ...]:
    if model.promotion == "champion":
        return ()
    if model.promotion == "earlier_champion":
        return (f"version {model.version} was champion before and is not now, by the promotion ledger",)
    return (f"no promotion ledger at hand promotes the model (version {model.version})",)


def _model(options: ScoreOptions) -> ScoringModel:
    if options.trust is None:
        return load_model(_choice(options, [options.keys().public_key]))
    trust = read_trust_file(options.trust)
    with signer_objections(trust, options.issued_on, options.today):
        return load_model(_choice(options, keys_of(trust, options.issued_on, options.today)))


def _choice(options: ScoreOptions, trusted: Sequence[Ed25519PublicKey]) -> ModelChoice:
    return ModelChoice(
        place=options.place,
        model_name=options.profile.model.name,
        ledger=promotion_ledger(options.place, options.environment),
        bundle=options.bundle,
        address=options.model,
        registry=options.registry,
        trusted=trusted,
        threads=options.threads,
    )


def _publish(job: ScoreJob, work: Path, out: Path, progress: Progress) -> Written:
    """Write into a draft in the work folder, then replace ``out``; the chunk files are kept until then."""
    draft = work / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    written = write_results(job, work / f"chunks-{job.key}", draft, progress)
    list_files(draft)
    replace_folder(draft, out)
    shutil.rmtree(work)
    return written
