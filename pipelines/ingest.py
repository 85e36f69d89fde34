"""Stage ``ingest``: raw files into canonical tables, what breaks a contract set aside, every row accounted for."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.compiler import source_contract, table_contract, table_names
from data_contracts.errors import InputRefused, QuarantineLimitExceeded
from data_contracts.lineage import QUARANTINE_SCHEMA
from data_contracts.privacy import require_key
from data_contracts.sources.mapping import nullable
from data_contracts.sources.registry import source_mapping
from data_contracts.templates import PREFIX
from pipelines.accounting import FileAccount, accounting_document, is_withheld, rows_kept_out
from pipelines.batch_reading import limits_of, read_batches
from pipelines.company_matching import matched_companies
from pipelines.confinement import Call, ChildEnded, confined
from pipelines.consents import CONSENT_TABLE, NOBODY_IS_ASKED, Consents, consents_in_force, withheld_files
from pipelines.coverage import COVERAGE_TABLE, coverage_table
from pipelines.deliveries import CONSENT_SOURCE, DeliveredFile, Deliveries, find_deliveries
from pipelines.delivery_log import LOG_FILE, LOGGED_NOTE, DeliveryLog, listed_name, with_changes_noted
from pipelines.describing_lists import rate_overrides
from pipelines.gathering import DUPLICATE_SCHEMA
from pipelines.ingest_batch import BatchRequest, BatchResult, RateOverrides
from pipelines.keys import keyed_digest, load_keys
from pipelines.publish import telling_disk_faults, write_json, write_parquet
from pipelines.stages import StageInputs, StageOutcome, StageRecord, current_run, run_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from data_contracts.arrow import Values
    from pipelines.delivery_log import Evidence
    from pipelines.ingest_settings import IngestSettings
    from pipelines.keys import KeyRing
    from pipelines.profiles import Profile
    from pipelines.stages import Place

log = logging.getLogger(__name__)

STAGE = "ingest"
# Whose its rows are shows from the parties of another source.
LINKS_SOURCE = f"{PREFIX}party_link"
# The folder counts by its content; the others change how the stage works, not what it gives.
_WITHOUT_EFFECT = {
    *("raw_dir", "worker_count", "worker_memory_mib", "worker_seconds"),
    *("batch_bytes", "quarantine_limit_share"),
}


@dataclass(frozen=True)
class IngestResult:
    """What a raw folder gave.

    Attributes:
        tables: canonical tables by name: those its sources feed, and ``source_coverage``; possibly without rows.
        quarantine: rows set aside with the rule they broke (QUARANTINE_SCHEMA).
        duplicates: rows set aside because they repeat another (DUPLICATE_SCHEMA).
        accounting: the account of every file.
    """

    tables: dict[str, pa.Table]
    quarantine: pa.Table
    duplicates: pa.Table
    accounting: tuple[FileAccount, ...]


def ingest_folder(raw_dir: Path, settings: IngestSettings, hmac_key: bytes) -> IngestResult:
    """Read a raw folder into canonical tables.

    The result depends on the files and settings alone, not on the number of processes or the size of batches.

    Raises:
        InputRefused: a file cannot be used at all; names file, row, column, rule and remedy.
        ConfigurationRefused: the key is too short, or the settings make no sense.
        InternalFault: rows do not add up.
    """
    require_key(hmac_key)
    return ingest_files(raw_dir, deliveries_in(raw_dir, settings), settings, hmac_key)


def ingest_files(raw_dir: Path, deliveries: Deliveries, settings: IngestSettings, hmac_key: bytes) -> IngestResult:
    """Read deliveries below a raw folder into canonical tables; otherwise as ``ingest_folder``."""
    require_key(hmac_key)
    rates = settings.exchange_rate_file
    overrides = {} if rates is None else rate_overrides(rates, settings.recorded_at)
    reading = _Reading(raw_dir, settings, overrides, hmac_key)
    read, withheld = _read_what_may_be(reading, deliveries.files)
    results = [result for _, result in read]
    accounts = {account.file: account for result in results for account in result.accounts}
    named = {file: sellers for result in results for file, sellers in result.sellers_named.items()}
    tables = _joined_tables([file.source for file in deliveries.files], results)
    sources = {file.source for file in deliveries.files}
    tables |= matched_companies(sources, [result.company_names for result in results], settings)
    opened = [file for file in deliveries.files if file.name not in withheld]
    tables[COVERAGE_TABLE] = coverage_table(opened, accounts, named, settings.recorded_at)
    unlisted = [FileAccount("", name, "", status="unlisted") for name in deliveries.unlisted]
    return IngestResult(
        tables=tables,
        quarantine=_in_order([result.quarantine for result in results], QUARANTINE_SCHEMA),
        duplicates=_in_order([result.duplicates for result in results], DUPLICATE_SCHEMA),
        accounting=(*accounts.values(), *withheld.values(), *unlisted),
    )


def _read_what_may_be(
    reading: _Reading, files: Sequence[DeliveredFile]
) -> tuple[list[tuple[str, BatchResult]], dict[str, FileAccount]]:
    """Give the results of the files that may be read, in order of source, and the accounts of the others by name."""
    if reading.settings.consent == "not_required":
        return reading.of(files), {}
    first = reading.of([file for file in files if file.source == CONSENT_SOURCE])
    consents = _consents([result for _, result in first], reading.settings)
    reasons = withheld_files(files, consents)
    open_files = [file for file in files if file.name not in reasons and file.source != CONSENT_SOURCE]
    others = reading.of([file for file in open_files if file.source != LINKS_SOURCE], consents)
    seller_of = {party: seller for _, result in others for party, seller in result.party_sellers.items()}
    links = reading.of([file for file in open_files if file.source == LINKS_SOURCE], consents, seller_of)
    withheld = {
        file.name: FileAccount(
            source_contract(file.source).identity, file.name, file.listed_sha256 or "", status=reasons[file.name]
        )
        for file in files
        if file.name in reasons
    }
    return sorted([*first, *others, *links], key=lambda one: one[0]), withheld


def _consents(results: Sequence[BatchResult], settings: IngestSettings) -> Consents:
    accepted = _joined_tables([CONSENT_SOURCE], results)[CONSENT_TABLE]
    return consents_in_force(accepted, [one for result in results for one in result.set_aside_consents], settings)


@dataclass(frozen=True)
class _Reading:
    """What reading any files of a delivery takes."""

    raw_dir: Path
    settings: IngestSettings
    overrides: RateOverrides
    hmac_key: bytes = field(repr=False)

    def of(
        self,
        files: Sequence[DeliveredFile],
        consents: Consents = NOBODY_IS_ASKED,
        seller_of: Mapping[str, str] | None = None,
    ) -> list[tuple[str, BatchResult]]:
        """Give the source and the result of each batch of the files, in their order.

        Args:
            files: the files.
            consents: by which rows of single sellers are withheld.
            seller_of: the sellers that parties are, by reference, as other files say.
        """
        allowed = {source: consents.of_source(source, seller_of or {}) for source in {file.source for file in files}}
        requests = [
            BatchRequest(
                *(self.raw_dir, batch[0].source, batch, self.settings.recorded_at, self.overrides, self.hmac_key),
                consents=allowed[batch[0].source],
            )
            for batch in _batches(files, self.settings.batch_bytes)
        ]
        results = read_batches(requests, self.settings)
        return [(request.source, result) for request, result in zip(requests, results, strict=True)]


def run(profile: Profile, place: Place) -> StageOutcome:
    """Run the stage for a profile: ``tables/``, ``quarantine/``, ``duplicates/`` and ``accounting.json``.

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
        ("data_contracts",),
    )


@dataclass(frozen=True)
class Delivery:
    """Files to ingest, and how.

    ``logged_name`` gives the name under which a file is logged, for the file and its path below ``raw_dir``; ``terms``
    is what was said of the files besides their content and their list.
    """

    raw_dir: Path
    deliveries: Deliveries
    settings: IngestSettings
    keys: KeyRing
    logged_name: Callable[[DeliveredFile, str], str] = listed_name
    terms: Mapping[str, str] = field(default_factory=dict)


def run_delivery(delivery: Delivery, files: Mapping[str, Path], place: Place, code: tuple[str, ...]) -> StageOutcome:
    """Ingest a delivery as a run of the stage, and log what it was given.

    Args:
        delivery: the files to ingest.
        files: what the run depends on besides our own modules.
        place: where it stands.
        code: packages and modules that decide the output besides those of ``own_code``.

    Raises:
        QuarantineLimitExceeded: more rows were quarantined than the settings allow; everything is written first.
        IntegrityRefused: the log of deliveries is not as it was written.
    """
    settings, keys = delivery.settings, delivery.keys
    delivery_log = DeliveryLog(place, keys)
    evidence = delivery_log.evidence(delivery.raw_dir, delivery.deliveries, delivery.logged_name)
    for path in evidence.changed_paths:
        log.warning("evidence changed: %s is another file than when it was last logged", path)
    inputs = StageInputs(
        files={**files, **own_code()},
        settings={
            **_settings_that_count(settings, keys),
            "changed_evidence": dict(evidence.earlier),
            "terms": dict(delivery.terms),
        },
        code=code,
    )

    def work(folder: Path) -> StageRecord:
        result = ingest_files(delivery.raw_dir, delivery.deliveries, settings, keys.hmac_key)
        result = replace(result, accounting=with_changes_noted(result.accounting, evidence))
        write_result(folder, result)
        delivery_log.add(evidence, folder.name, settings.recorded_at)
        return _record(result, evidence)

    outcome = run_stage(STAGE, place, inputs, work)
    if outcome.was_current:
        with telling_disk_faults(place.stage_dir(STAGE)):
            delivery_log.add(evidence, outcome.run_dir.name, settings.recorded_at)
    _refuse_above_limit(outcome, settings)
    return outcome


def _settings_that_count(settings: IngestSettings, keys: KeyRing) -> dict[str, Any]:
    """Give the settings on which the output depends, the key among them: pseudonyms change with it."""
    fingerprint = keyed_digest(keys.hmac_key, "fingerprint of the HMAC key")[:16]
    return {**settings.model_dump(mode="json", exclude=_WITHOUT_EFFECT), "hmac_key_fingerprint": fingerprint}


def _refuse_above_limit(outcome: StageOutcome, settings: IngestSettings) -> None:
    """Raise QuarantineLimitExceeded when more rows were quarantined than the settings allow."""
    share = float(outcome.record.notes["quarantined_share"])
    if share > settings.quarantine_limit_share:
        raise QuarantineLimitExceeded(
            f"{share:.2%} of the rows were quarantined, more than the {settings.quarantine_limit_share:.2%} that the "
            f"profile allows; see {outcome.run_dir / 'accounting.json'}"
        )


def own_code() -> dict[str, Path]:
    """Give the modules besides the contracts on which the stage's output depends."""
    names = (
        "accounting",
        "archives",
        "batch_reading",
        "company_matching",
        "confinement",
        "consents",
        "corrections",
        "coverage",
        "deliveries",
        "delivery_log",
        "describing_lists",
        "gathering",
        "ingest",
        "file_reading",
        "file_rules",
        "ingest_batch",
        "retention",
        "row_consents",
        "row_sorting",
    )
    return {f"code of {name}": Path(__file__).with_name(f"{name}.py") for name in names}


def deliveries_in(raw_dir: Path, settings: IngestSettings) -> Deliveries:
    """Give the files of the folder; its list and zips are as untrusted as what they hold."""
    try:
        return confined(Call(find_deliveries, (raw_dir, settings), limits_of(settings)))
    except ChildEnded as ended:
        raise InputRefused(
            file=str(raw_dir),
            rule=f"its files could not be listed: {ended.reason}",
            remedy="look for a list or zip of abnormal size or form",
        ) from ended


def _batches(files: Sequence[DeliveredFile], batch_bytes: int) -> list[tuple[DeliveredFile, ...]]:
    """Give the files in batches of one source and about equal size; the files of one group stay together."""
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


def _joined_tables(sources: Sequence[str], results: Sequence[BatchResult]) -> dict[str, pa.Table]:
    """Give each canonical table that the sources feed, its parts in order of batches."""
    fed = {name for source in sources for name in source_mapping(source).covered_tables}
    parts: dict[str, list[pa.Table]] = {name: [] for name in table_names() if name in fed}
    for result in results:
        for name, table in result.tables.items():
            parts[name].append(table)
    return {name: _joined(tables, table_contract(name).arrow_schema) for name, tables in parts.items()}


def _joined(parts: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    kept = [part for part in parts if part.num_rows]
    if not kept:
        return nullable(schema).empty_table()
    return pa.concat_tables(kept).unify_dictionaries().combine_chunks()


def _in_order(parts: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    """Give records in order of source, file and row, encoded afresh, so that no trace of the batches is left."""
    plain_types = [entry.type.value_type if pa.types.is_dictionary(entry.type) else entry.type for entry in schema]
    plain = pa.schema([pa.field(entry.name, kind) for entry, kind in zip(schema, plain_types, strict=True)])
    records = pa.concat_tables([part.cast(plain) for part in parts] or [plain.empty_table()])
    return records.sort_by([(name, "ascending") for name in ("source", "source_file", "source_row")]).cast(schema)


def write_result(folder: Path, result: IngestResult) -> None:
    """Write what a raw folder gave: ``tables/``, ``quarantine/`` and ``duplicates/`` by source, ``accounting.json``."""
    for name, table in result.tables.items():
        write_parquet(folder / "tables" / f"{name}.parquet", table)
    for name, records in (("quarantine", result.quarantine), ("duplicates", result.duplicates)):
        identities: Values = pc.unique(records["source"])
        for source in sorted(identities.to_pylist()):
            chosen = (
                records.filter(pc.equal(records["source"], pa.scalar(source))).unify_dictionaries().combine_chunks()
            )
            write_parquet(folder / name / f"{source.partition('@')[0]}.parquet", chosen)
    write_json(folder / "accounting.json", accounting_document(result.accounting))


def _record(result: IngestResult, evidence: Evidence) -> StageRecord:
    rows_in = sum(account.rows_in for account in result.accounting)
    kept_out = sum(rows_kept_out(account.quarantined) for account in result.accounting)
    set_aside: dict[str, int] = {}
    for account in result.accounting:
        for rule_id, rows in account.quarantined.items():
            set_aside[f"quarantined by {rule_id}"] = set_aside.get(f"quarantined by {rule_id}", 0) + rows
        for reason, rows in account.duplicates.items():
            set_aside[reason] = set_aside.get(reason, 0) + rows
    return StageRecord(
        rows_in=rows_in,
        rows_kept=sum(account.accepted for account in result.accounting),
        set_aside=dict(sorted(set_aside.items())),
        notes={
            "files": len(result.accounting),
            "unlisted_files": sum(account.status == "unlisted" for account in result.accounting),
            "files_without_consent": sum(is_withheld(account) for account in result.accounting),
            "files_changed_since_logged": len(evidence.earlier),
            LOGGED_NOTE: LOG_FILE,
            "quarantined_share": (result.quarantine.num_rows - kept_out) / rows_in if rows_in else 0.0,
        },
    )
