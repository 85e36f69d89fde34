"""Stage ``ingest``: read raw files into canonical tables, set bad rows aside, and count every row."""

from __future__ import annotations

import logging
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from data_contracts.definition.templates import PREFIX
from data_contracts.errors import InputRefused, QuarantineLimitExceeded
from data_contracts.privacy import require_key
from data_contracts.progress import SILENT
from data_contracts.sources.registry import known_source
from pipelines.ingest.batches.batch import BatchRequest
from pipelines.ingest.batches.declared_period import require_declared_period
from pipelines.ingest.batches.own_names import merged_names
from pipelines.ingest.batches.workers import read_batches
from pipelines.ingest.company_matching import matched_companies
from pipelines.ingest.consents import CONSENT_TABLE, NOBODY_IS_ASKED, Consents, consents_in_force, withheld_files
from pipelines.ingest.counted_once import counted_once
from pipelines.ingest.coverage import COVERAGE_TABLE, coverage_table
from pipelines.ingest.deliveries.log import LOG_FILE, LOGGED_NOTE, DeliveryLog, listed_name, with_changes_noted
from pipelines.ingest.deliveries.manifest import CONSENT_SOURCE, DeliveredFile, Deliveries, find_deliveries
from pipelines.ingest.deliveries.reference_lists import RateOverrides, rate_overrides
from pipelines.ingest.results import (
    IngestedTables,
    IngestResult,
    KeptBatch,
    all_quarantined,
    all_repeated,
    joined_tables,
    kept_batch,
    write_ingested,
)
from pipelines.ingest.spill.chunked_rows import ChunkedRows, ChunkKeeper
from pipelines.ingest.traffic_once import traffic_once
from pipelines.profiles.ingest_settings import limits_of
from pipelines.runs.file_counts import FileCounts, is_withheld, rows_kept_out
from pipelines.runs.sandbox import Call, ChildEnded, run_in_sandbox
from pipelines.runs.stages import GROUND, StageInputs, StageOutcome, StageRecord, current_run, digest_of_path, run_stage
from pipelines.runs.storage_faults import report_disk_faults
from pipelines.signing.keys import hmac_key_fingerprint, load_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from data_contracts.progress import Progress
    from pipelines.ingest.deliveries.log import Evidence
    from pipelines.profiles import Profile
    from pipelines.profiles.ingest_settings import IngestSettings
    from pipelines.runs.stages import Place
    from pipelines.signing.keys import KeyRing

log = logging.getLogger(__name__)

STAGE = "ingest"
# The log of deliveries is a chained log of the registry.
CODE: Final = ("data_contracts", "models/registry", "pipelines/ingest", *GROUND)
# The sellers of its rows are known only from the parties of another source.
LINKS_SOURCE = f"{PREFIX}party_link"
# Otherwise a folder with many regenerated files would fill the screen.
_CHANGED_FILES_NAMED = 10
_QUARANTINED_BY = "quarantined by "
# The folder is hashed by content; the other settings change how the stage works, not its result.
_WITHOUT_EFFECT = {
    *("raw_dir", "worker_count", "worker_memory_mib", "worker_seconds"),
    *("batch_bytes", "quarantine_limit_share", "exchange_rate_file"),
}


def ingest_folder(
    raw_dir: Path, settings: IngestSettings, hmac_key: bytes, progress: Progress = SILENT
) -> IngestResult:
    """Read a raw folder into canonical tables in memory.

    The result depends only on the files and settings, not on the number of processes or the size of batches.

    Raises:
        InputRefused: a file cannot be used at all; names file, row, column, rule and remedy.
        ConfigurationRefused: the key is too short, or the settings are inconsistent.
        InternalFault: the rows do not add up.
    """
    require_key(hmac_key)
    found = deliveries_in(raw_dir, settings)
    with tempfile.TemporaryDirectory(prefix="ingest-") as spill:
        return ingest_files(raw_dir, found, settings, hmac_key, Workspace(Path(spill), progress)).in_memory()


def ingest_to_score(
    raw_dir: Path, deliveries: Deliveries, settings: IngestSettings, hmac_key: bytes, progress: Progress = SILENT
) -> IngestResult:
    """Read deliveries below a folder like ``ingest_folder``; rows set aside come without their values and bytes."""
    require_key(hmac_key)
    with tempfile.TemporaryDirectory(prefix="ingest-") as spill:
        ingested = ingest_files(raw_dir, deliveries, settings, hmac_key, Workspace(Path(spill), progress))
        return ingested.in_memory(with_originals=False)


@dataclass(frozen=True)
class Workspace:
    """Where reading puts large rows down, and who follows it.

    Attributes:
        spill: folder for rows that are too large for memory; it must exist until the result is written. Without it
            everything is held in memory, and a file larger than a reader takes at once is refused.
        progress: receives the number of bytes read.
    """

    spill: Path | None = None
    progress: Progress = SILENT


IN_MEMORY: Final = Workspace()


def ingest_files(
    raw_dir: Path,
    deliveries: Deliveries,
    settings: IngestSettings,
    hmac_key: bytes,
    workspace: Workspace = IN_MEMORY,
) -> IngestedTables:
    """Read deliveries below a raw folder into canonical tables; otherwise like ``ingest_folder``.

    ``spill`` is a folder for large results, which must stay until they are written. Without it everything is held in
    memory, and files too large to be read whole are refused.
    """
    require_key(hmac_key)
    rates = settings.exchange_rate_file
    overrides = {} if rates is None else rate_overrides(rates, settings.recorded_at)
    reading = _Reading(raw_dir, settings, overrides, hmac_key, workspace)
    workspace.progress.start("bytes read", sum(file.size_bytes for file in deliveries.files))
    batches, withheld = _read_what_may_be(reading, deliveries.files)
    all_counts = {counts.file: counts for batch in batches for counts in batch.result.file_counts}
    require_declared_period(deliveries.files, all_counts, settings.outside_period_limit_share)
    named = {file: sellers for batch in batches for file, sellers in batch.result.sellers_named.items()}
    sources = {file.source for file in deliveries.files}
    matches = matched_companies(sources, [batch.result.company_names for batch in batches], settings)
    opened = [file for file in deliveries.files if file.name not in withheld]
    coverage = coverage_table(opened, all_counts, named, settings.recorded_at)
    unlisted = [FileCounts("", name, "", status="unlisted") for name in deliveries.unlisted]
    tables = joined_tables([file.source for file in deliveries.files], batches)
    once = counted_once(tables, opened, workspace.spill)
    visits = traffic_once(once.tables)
    return IngestedTables(
        tables={
            **visits.tables,
            **{name: ChunkedRows(table.schema, (table,)) for name, table in matches.items()},
            COVERAGE_TABLE: ChunkedRows(coverage.schema, (coverage,)),
        },
        quarantine=all_quarantined(batches),
        duplicates=all_repeated(batches),
        file_counts=(
            *(visits.noted(once.noted(counts)) for counts in all_counts.values()),
            *withheld.values(),
            *unlisted,
        ),
    )


def _read_what_may_be(
    reading: _Reading, files: Sequence[DeliveredFile]
) -> tuple[list[KeptBatch], dict[str, FileCounts]]:
    """Return the results of the files that may be read, in order of source, and the counts of the others."""
    if reading.settings.consent == "not_required":
        return reading.of(files), {}
    first = reading.of([file for file in files if file.source == CONSENT_SOURCE])
    consents = _consents(first, reading.settings)
    reasons = withheld_files(files, consents)
    reading.workspace.progress.advance(sum(file.size_bytes for file in files if file.name in reasons))
    open_files = [file for file in files if file.name not in reasons and file.source != CONSENT_SOURCE]
    others = reading.of([file for file in open_files if file.source != LINKS_SOURCE], consents)
    seller_of = {party: seller for batch in others for party, seller in batch.result.party_sellers.items()}
    links = reading.of([file for file in open_files if file.source == LINKS_SOURCE], consents, seller_of)
    withheld = {
        file.name: FileCounts(
            known_source(file.source).contract.identity, file.name, file.listed_sha256 or "", status=reasons[file.name]
        )
        for file in files
        if file.name in reasons
    }
    return sorted([*first, *others, *links], key=lambda batch: batch.source), withheld


def _consents(batches: Sequence[KeptBatch], settings: IngestSettings) -> Consents:
    accepted = joined_tables([CONSENT_SOURCE], batches)[CONSENT_TABLE].whole()
    return consents_in_force(accepted, [one for batch in batches for one in batch.result.set_aside_consents], settings)


@dataclass(frozen=True)
class _Reading:
    """The input that all batches of a delivery share."""

    raw_dir: Path
    settings: IngestSettings
    overrides: RateOverrides
    hmac_key: bytes = field(repr=False)
    workspace: Workspace = IN_MEMORY

    def of(
        self,
        files: Sequence[DeliveredFile],
        consents: Consents = NOBODY_IS_ASKED,
        seller_of: Mapping[str, str] | None = None,
    ) -> list[KeptBatch]:
        """Return the result of each batch of the files, in order of source.

        Files whose rows are compared with the sellers' names come last, so that the others tell the names.

        Args:
            files: the files.
            consents: the consents that decide which sellers' rows are withheld.
            seller_of: by party reference, the seller that the party is, known from other files.
        """
        asking = [file for file in files if known_source(file.source).mapping.asks_own_names]
        found = self._of([file for file in files if file not in asking], consents, seller_of or {}, {})
        if asking:
            names = merged_names(batch.result.own_names for batch in found)
            found += self._of(asking, consents, seller_of or {}, names)
        return sorted(found, key=lambda batch: batch.source)

    def _of(
        self,
        files: Sequence[DeliveredFile],
        consents: Consents,
        seller_of: Mapping[str, str],
        own_names: Mapping[str, tuple[str, ...]],
    ) -> list[KeptBatch]:
        allowed = {source: consents.of_source(source, seller_of) for source in {file.source for file in files}}
        requests = [
            BatchRequest(
                *(self.raw_dir, batch[0].source, batch, self.settings.recorded_at, self.overrides, self.hmac_key),
                consents=allowed[batch[0].source],
                own_names=own_names,
            )
            for batch in _batches(files, self.settings.batch_bytes)
        ]
        spill = self.workspace.spill
        folder = None if spill is None else Path(tempfile.mkdtemp(dir=spill))
        results = read_batches(requests, self.settings, folder)
        keeper = ChunkKeeper(folder)
        kept = []
        for request, one in zip(requests, results, strict=True):
            kept.append(kept_batch(request.source, one, keeper))
            self.workspace.progress.advance(sum(file.size_bytes for file in request.files))
        return kept


def run(profile: Profile, place: Place, progress: Progress = SILENT) -> StageOutcome:
    """Run the stage for a profile: ``tables/``, ``quarantine/``, ``duplicates/`` and ``row_counts.json``.

    Raises:
        QuarantineLimitExceeded: more rows were quarantined than the profile allows; everything is written first.
    """
    settings = profile.ingest
    raw_dir = settings.raw_dir if settings.raw_dir is not None else current_run(place, "world") / "raw"
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    return run_delivery(
        Delivery(raw_dir, deliveries_in(raw_dir, settings), settings, keys),
        {"raw": raw_dir},
        place,
        progress,
    )


@dataclass(frozen=True)
class Delivery:
    """The files to ingest, with settings and keys.

    ``logged_name`` returns the log name of a file, from the file and its path below ``raw_dir``. ``terms`` holds what
    the caller stated about files that no manifest lists.
    """

    raw_dir: Path
    deliveries: Deliveries
    settings: IngestSettings
    keys: KeyRing
    logged_name: Callable[[DeliveredFile, str], str] = listed_name
    terms: Mapping[str, str] = field(default_factory=dict)


def run_delivery(
    delivery: Delivery, files: Mapping[str, Path], place: Place, progress: Progress = SILENT
) -> StageOutcome:
    """Ingest a delivery as a run of the stage, and log its files.

    Args:
        delivery: the files to ingest.
        files: the paths that the run depends on.
        place: where the run is stored.
        progress: receives the number of bytes read.

    Raises:
        QuarantineLimitExceeded: more rows were quarantined than the settings allow; everything is written first.
        IntegrityRefused: the delivery log was changed.
    """
    settings, keys = delivery.settings, delivery.keys
    delivery_log = DeliveryLog(place, keys)
    evidence = delivery_log.evidence(delivery.raw_dir, delivery.deliveries, delivery.logged_name)
    _warn_of_changes(evidence.changed_paths)
    inputs = StageInputs(
        files=files,
        settings={
            **deciding_settings(settings, keys.hmac_key),
            "changed_evidence": dict(evidence.earlier),
            "terms": dict(delivery.terms),
        },
        code=CODE,
    )

    def work(folder: Path) -> StageRecord:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".spill.") as spill:
            workspace = Workspace(Path(spill), progress)
            ingested = ingest_files(delivery.raw_dir, delivery.deliveries, settings, keys.hmac_key, workspace)
            ingested = replace(ingested, file_counts=with_changes_noted(ingested.file_counts, evidence))
            write_ingested(folder, ingested)
        delivery_log.add(evidence, folder.name, settings.recorded_at)
        return _record(ingested, evidence)

    outcome = run_stage(STAGE, place, inputs, work)
    if outcome.was_current:
        with report_disk_faults(place.stage_dir(STAGE)):
            delivery_log.add(evidence, outcome.run_dir.name, settings.recorded_at)
    _refuse_above_limit(outcome, settings)
    return outcome


def _warn_of_changes(paths: Sequence[str]) -> None:
    """Warn of the first changed files by name; the row counts and the delivery log name all of them."""
    for path in paths[:_CHANGED_FILES_NAMED]:
        log.warning("evidence changed: %s differs from the file last logged under this name", path)
    if len(paths) > _CHANGED_FILES_NAMED:
        more = len(paths) - _CHANGED_FILES_NAMED
        log.warning("evidence changed: %d more files; ledger/deliveries.jsonl names them all", more)


def deciding_settings(settings: IngestSettings, hmac_key: bytes) -> dict[str, Any]:
    """Return what decides the result besides the raw files and the code, as JSON values.

    The HMAC key is among it, as a fingerprint, because pseudonyms change with it, and the exchange rates with their
    digest, because a file may change under the same name.
    """
    rates = settings.exchange_rate_file
    return {
        **settings.model_dump(mode="json", exclude=_WITHOUT_EFFECT),
        "exchange_rates_sha256": None if rates is None else digest_of_path(rates),
        "hmac_key_fingerprint": hmac_key_fingerprint(hmac_key),
    }


def _refuse_above_limit(outcome: StageOutcome, settings: IngestSettings) -> None:
    """Raise QuarantineLimitExceeded if more rows were quarantined than the settings allow."""
    share = float(outcome.record.notes["quarantined_share"])
    if share > settings.quarantine_limit_share:
        rules = {
            reason.removeprefix(_QUARANTINED_BY): rows
            for reason, rows in outcome.record.set_aside.items()
            if reason.startswith(_QUARANTINED_BY)
        }
        rule_id = max(rules, key=lambda one: rules[one] - rows_kept_out({one: rules[one]}))
        raise QuarantineLimitExceeded(
            f"{share:.2%} of the rows were quarantined, more than the {settings.quarantine_limit_share:.2%} that the "
            f"profile allows; most of them, {rules[rule_id]:,}, by the rule {rule_id}; "
            f"see {outcome.run_dir / 'row_counts.json'}"
        )


def deliveries_in(raw_dir: Path, settings: IngestSettings) -> Deliveries:
    """Return the files of the folder; the manifest and archives are untrusted and read in a sandbox."""
    try:
        return run_in_sandbox(Call(find_deliveries, (raw_dir, settings), limits_of(settings)))
    except ChildEnded as ended:
        raise InputRefused(
            file=str(raw_dir),
            rule=f"its files could not be listed: {ended.reason}",
            remedy="check the manifest and archives for abnormal size or form",
        ) from ended


def _batches(files: Sequence[DeliveredFile], batch_bytes: int) -> list[tuple[DeliveredFile, ...]]:
    """Return the files in batches of one source and similar size; a group is never split."""
    batches: list[list[DeliveredFile]] = []
    size, last = 0, None
    for file in files:
        same_group = last is not None and (last.source, last.group) == (file.source, file.group)
        same_source = last is not None and last.source == file.source
        if not batches or not same_source or (size >= batch_bytes and not same_group):
            batches.append([])
            size = 0
        batches[-1].append(file)
        size, last = size + file.size_bytes, file
    return [tuple(batch) for batch in batches]


def _record(result: IngestedTables, evidence: Evidence) -> StageRecord:
    rows_in = sum(counts.rows_in for counts in result.file_counts)
    kept_out = sum(rows_kept_out(counts.quarantined) for counts in result.file_counts)
    quarantined = sum(rows.num_rows for rows in result.quarantine.values())
    set_aside: dict[str, int] = {}
    for counts in result.file_counts:
        for rule_id, rows in counts.quarantined.items():
            reason = f"{_QUARANTINED_BY}{rule_id}"
            set_aside[reason] = set_aside.get(reason, 0) + rows
        for reason, rows in counts.duplicates.items():
            set_aside[reason] = set_aside.get(reason, 0) + rows
    return StageRecord(
        rows_in=rows_in,
        rows_kept=sum(counts.accepted for counts in result.file_counts),
        set_aside=dict(sorted(set_aside.items())),
        notes={
            "files": len(result.file_counts),
            "unlisted_files": sum(counts.status == "unlisted" for counts in result.file_counts),
            "files_without_consent": sum(is_withheld(counts) for counts in result.file_counts),
            "files_changed_since_logged": len(evidence.earlier),
            LOGGED_NOTE: LOG_FILE,
            "quarantined_share": (quarantined - kept_out) / rows_in if rows_in else 0.0,
        },
    )
