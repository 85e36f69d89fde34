"""Stage ``score``: one result per applicant, and signed passports."""

from __future__ import annotations

import functools
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.digest import sha256_file
from data_contracts.entities.party_matches import PARTY_MATCH
from data_contracts.progress import SILENT
from features.graph.signals import SIGNAL_COLUMNS
from features.integrity.rules import columns_read
from features.reconciliation import plausibility, shared_statements
from features.reconciliation.reconcile import latest
from models.registry.promotion_ledger import champion_in_force
from pipelines.passports.terms import passport_terms
from pipelines.register.registry import REGISTRATION_FILE, registry_of
from pipelines.runs.data_gate import validated_output
from pipelines.runs.publish import atomic_write_bytes, read_parquet
from pipelines.runs.stages import Place, StageInputs, StageOutcome, StageRecord, current_output, run_stage
from pipelines.runs.storage_faults import emptied_if_full
from pipelines.score.applicant_features import SellerTables
from pipelines.score.inputs import COVERAGE, Request, described_input, feature_set_of, identified
from pipelines.score.model import champion_model
from pipelines.score.related import related_reader
from pipelines.score.results import CODE, ScoreJob, write_results
from pipelines.score_rows import REFUSED
from pipelines.signing.keys import (
    TRUST_FILE,
    KeyRing,
    hmac_key_fingerprint,
    keys_folder,
    load_keys,
    report_other_keys,
    trust_file_for,
)
from pipelines.signing.ledgers import promotion_ledger
from pipelines.validate.reconciliation import RECONCILIATION_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from data_contracts.arrow import Values
    from data_contracts.progress import Progress
    from pipelines.profiles import Profile
    from pipelines.score.model import ScoringModel
    from pipelines.score.results import Written

CREDIT_RECORD: Final = "credit_record"


def _columns_read() -> dict[str, tuple[str, ...]]:
    """Return the tables that the codes of scored rows are found in, each with its columns."""
    found: dict[str, dict[str, None]] = {}
    shared = {"money_event": shared_statements.COLUMNS_READ}
    for columns in (plausibility.COLUMNS_READ, shared, columns_read()):
        for table, names in columns.items():
            found.setdefault(table, {}).update(dict.fromkeys(names))
    return {table: tuple(names) for table, names in found.items()}


def _tables_read() -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_columns_read(), CREDIT_RECORD, *SIGNAL_COLUMNS, PARTY_MATCH)))


def run(profile: Profile, place: Place, progress: Progress = SILENT) -> StageOutcome:
    """Score the applicants of a profile with its champion, and issue their passports."""
    keys = load_keys(profile.name, is_demonstration=profile.is_demonstration, environment=os.environ)
    files = {
        "coverage": validated_output(place, f"tables/{COVERAGE}.parquet"),
        "reconciliation": validated_output(place, RECONCILIATION_FILE),
        "bundle": current_output(place, "train", "bundle"),
        "matrix": current_output(place, "features", "matrix.parquet"),
        "registration": current_output(place, "register", REGISTRATION_FILE),
        **_files_present(place, {name: f"tables/{name}.parquet" for name in _tables_read()}),
    }
    with report_other_keys(place):
        champion = champion_in_force(promotion_ledger(place, os.environ).read(keys.public_key), profile.model.name)
    settings = {
        "champion": None if champion is None else champion.bundle_sha256,
        **profile.scoring.model_dump(mode="json"),
        **profile.model_dump(mode="json", include={"is_demonstration", "observations", "target"}),
        "signed_by": keys.did,
        "hmac_key_fingerprint": hmac_key_fingerprint(keys.hmac_key),
    }
    chunks = place.stage_dir("score") / ".chunks"

    def work(folder: Path) -> StageRecord:
        registry = registry_of(place, profile.model.name)
        model = champion_model(files["bundle"], champion, registry, [keys.public_key])
        publish_trust_file(profile, keys, os.environ)
        # A run folder is named by the digest of all inputs, settings and code; so are the chunks of a stopped run.
        with emptied_if_full(chunks):
            written = write_results(stage_job(profile, place, keys, model), chunks / folder.name, folder, progress)
        shutil.rmtree(chunks)
        return _record(written, model)

    return run_stage("score", place, StageInputs(files, settings, CODE), work)


def _files_present(place: Place, names: Mapping[str, str]) -> dict[str, Path]:
    """Return the outputs of the stage ``validate`` that exist, by the name of the input; not every profile has all."""
    paths = {name: validated_output(place, file) for name, file in names.items()}
    return {name: path for name, path in paths.items() if path.is_file()}


def stage_job(profile: Profile, place: Place, keys: KeyRing, model: ScoringModel) -> ScoreJob:
    """Build the job of the stage: the profile's applicants, with their features from the current matrix."""
    matrix_file = current_output(place, "features", "matrix.parquet")
    matrix = read_parquet(matrix_file)
    source = stage_tables(place)
    source = replace(source, digests={**source.digests, "matrix.parquet": sha256_file(matrix_file)})
    as_of = profile.observations.last_as_of
    limits = profile.scoring.limits
    request = Request(model.bundle.meta, model.bundle.model.feature_names, limits, place, as_of)
    applicants = identified(stage_sellers(profile, place, matrix), as_of)
    related = related_reader(feature_set_of(model.bundle.meta), functools.partial(stage_links, place), matrix)
    rows = described_input(applicants, source, request, matrix)
    return ScoreJob(
        model=model,
        rows=replace(rows, reconcile=stage_reconciliation(place), related=related),
        secret=keys.hmac_key,
        limits=limits,
        issued_on=profile.scoring.issued_on,
        chunk_rows=profile.scoring.chunk_rows,
        terms=passport_terms(profile, keys, profile.scoring.issued_on),
        passport_count=profile.scoring.passport_count,
    )


def stage_reconciliation(place: Place) -> Callable[[date, Sequence[str]], pa.Table]:
    """Return a reader of the stage ``validate``'s reconciliation, made as of the date the profile scores at."""

    @functools.cache
    def found() -> pa.Table:
        return latest(read_parquet(validated_output(place, RECONCILIATION_FILE)))

    def reconcile(_: date, sellers: Sequence[str]) -> pa.Table:
        table = found()
        asked: Values = pc.is_in(table["seller_id"], value_set=pa.array(sellers, pa.string()))
        return table.filter(asked)

    return reconcile


def stage_links(place: Place, columns: Mapping[str, list[str]]) -> dict[str, pa.Table]:
    """Read these columns of the tables that exist."""
    files = _files_present(place, {name: f"tables/{name}.parquet" for name in columns})
    return {name: read_parquet(file, columns[name]) for name, file in files.items()}


def stage_sellers(profile: Profile, place: Place, matrix: pa.Table) -> Values:
    """Return the sellers that a profile scores, in the order of the matrix at the last as-of date."""
    as_of = pa.scalar(profile.observations.last_as_of, pa.date32())
    current: Values = pc.equal(matrix["as_of"], as_of)
    sellers: Values = matrix.filter(current)["seller_id"].combine_chunks()
    if profile.scoring.applicants == "latest":
        return sellers
    path = validated_output(place, f"tables/{CREDIT_RECORD}.parquet")
    records = read_parquet(path, ["seller_id", "is_default"])
    has_record: Values = pc.is_valid(records["is_default"])
    stated = records.filter(has_record)["seller_id"].combine_chunks()
    return sellers.filter(pc.invert(pc.is_in(sellers, value_set=stated)))


def stage_tables(place: Place) -> SellerTables:
    """Read only the tables that show what each seller delivered and which ledger types are unknown."""
    columns = {COVERAGE: None, **{name: list(read) for name, read in _columns_read().items()}}
    paths = {name: validated_output(place, f"tables/{name}.parquet") for name in columns}
    present = {name: path for name, path in paths.items() if path.is_file()}
    tables = {name: read_parquet(path, columns[name]) for name, path in present.items()}
    return SellerTables(tables, {f"{COVERAGE}.parquet": sha256_file(paths[COVERAGE])})


def publish_trust_file(profile: Profile, keys: KeyRing, environment: Mapping[str, str]) -> None:
    """Write a trust file beside a demonstration's keys, for verifying its passports."""
    path = keys_folder(profile.name, environment) / TRUST_FILE
    if profile.is_demonstration and path.parent.is_dir():
        content = trust_file_for(keys, profile.scoring.issuer_name, profile.scoring.issued_on)
        if not path.is_file() or path.read_bytes() != content:
            atomic_write_bytes(path, content)


def _record(written: Written, model: ScoringModel) -> StageRecord:
    counts = written.counts
    refused = counts.by_status.get(REFUSED, 0)
    notes: dict[str, str | int | float] = {"passports": written.passports, "model_version": model.version}
    notes |= {f"code {code}": count for code, count in counts.by_code.items()}
    return StageRecord(counts.rows, counts.scored, {REFUSED: refused} if refused else {}, notes)
