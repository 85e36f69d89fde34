"""Sources of rows to score: an applicant file, applicants by ID with tables, or a folder of raw exports."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import table_contract
from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.progress import SILENT
from features.catalogue import load_feature_set
from features.engine.as_of import AsOf
from features.reconciliation.reconcile import ReconciliationSettings, reconcile
from pipelines.features.stage import read_tables
from pipelines.ingest.consents import CONSENT_TABLE, consents_in_force
from pipelines.ingest.deliveries.manifest import MANIFEST_FILE
from pipelines.ingest.deliveries.unlisted import NOTHING_STATED, Terms, could_be_recorded, find_by_content
from pipelines.ingest.set_aside_rows import set_aside_lines
from pipelines.ingest.stage import deciding_settings, deliveries_in, ingest_to_score
from pipelines.profiles.ingest_settings import limits_of
from pipelines.runs.data_gate import validated_output
from pipelines.runs.file_counts import is_withheld
from pipelines.runs.publish import json_bytes
from pipelines.runs.stages import CURRENT, Place, digest_of_path, read_manifest
from pipelines.score.applicant_features import OWN_TABLES, SellerTables, describe_applicants, pillar_tables
from pipelines.score.applicant_parsing import parse_applicants
from pipelines.score.applicants import Applicants, Chunk, require_applicant_file
from pipelines.score.known_history import own_sources, with_known_history
from pipelines.score.related import related_reader
from pipelines.score.scorer import chunked
from pipelines.score.set_aside import set_aside_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from data_contracts.checks.rows import CheckResult
    from data_contracts.progress import Progress
    from features.catalogue import FeatureSet
    from features.related_parties import RelatedParties
    from models.registry.bundle import BundleMeta
    from pipelines.ingest.deliveries.manifest import Deliveries
    from pipelines.passports.passport import Row
    from pipelines.profiles.ingest_settings import IngestSettings
    from pipelines.profiles.score_settings import ScoringLimits
    from pipelines.score.known_history import KnownHistory

COVERAGE: Final = "source_coverage"


@dataclass(frozen=True)
class ScoreInput:
    """Rows to score, and what is known about their origin.

    ``chunks(n)`` yields every row once, at most ``n`` at a time, with all features of the model. ``digests`` holds the
    SHA-256 of what was scored, ``as_of`` the date for rows without one. ``coverage`` is the table ``source_coverage``;
    ``reconcile`` compares the sources of some sellers with each other as of a date and returns rows of
    ``features.reconciliation`` for the last quarter; ``related`` finds the related parties behind the reasons and flags
    of a scored row. All three are None if nothing is known about the sources. ``read_with``
    holds what decides how raw exports are read: settings, the key fingerprint and the digest of the whole folder; with
    others, the same files may yield other rows.
    """

    rows: int
    digests: Mapping[str, str]
    notes: tuple[str, ...]
    chunks: Callable[[int], Iterator[Chunk]] = field(repr=False)
    as_of: date | None = None
    coverage: pa.Table | None = field(default=None, repr=False)
    pillar_tables: Mapping[str, frozenset[str]] | None = None
    reconcile: Callable[[date, Sequence[str]], pa.Table] | None = field(default=None, repr=False)
    related: Callable[[Row], RelatedParties | None] | None = field(default=None, repr=False)
    read_with: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Request:
    """How to describe applicants: the model's features, the limits, the place of known tables, and the date.

    ``terms`` states what raw exports do not say themselves, where no list of deliveries does.
    """

    meta: BundleMeta
    feature_names: tuple[str, ...]
    limits: ScoringLimits
    place: Place
    as_of: date | None = None
    progress: Progress = SILENT
    terms: Terms = NOTHING_STATED


def open_input(path: Path, request: Request, ingest: IngestSettings, hmac_key: Callable[[], bytes]) -> ScoreInput:
    """Open the rows behind a path: a folder of raw exports, a ready feature matrix, or a list of identifiers.

    ``hmac_key`` is called only if raw files are read.

    Raises:
        InputRefused: the path cannot be used; names file, row, column, rule and remedy.
        ConfigurationRefused: needed tables or a date are missing, or the model was trained on other features.
    """
    if path.is_dir():
        return _from_folder(path, request, ingest, hmac_key())
    require_applicant_file(path)
    limits = limits_of(ingest, path.stat().st_size)
    applicants = parse_applicants(path, request.feature_names, request.as_of, limits)
    if applicants.kind == "matrix":
        digests = {"applicant_file": applicants.sha256}
        return ScoreInput(applicants.rows, digests, applicants.notes, applicants.chunks, request.as_of)
    source = tables_in_force(request.place)
    source = replace(source, digests={**source.digests, "applicant_file": applicants.sha256})
    return _from_tables(_whole(applicants), source, request, applicants.notes)


def tables_in_force(place: Place) -> SellerTables:
    """Read the validated tables of a profile, with the digests that its manifest records."""
    folder = validated_output(place, "tables")
    outputs = read_manifest(folder.parent)["outputs"]
    digests = {name.removeprefix("tables/"): digest for name, digest in outputs.items() if name.startswith("tables/")}
    return SellerTables(read_tables(folder), digests)


def feature_set_of(meta: BundleMeta) -> FeatureSet:
    """Load a model's feature set; raise ConfigurationRefused if the installed one differs."""
    feature_set = load_feature_set(meta.feature_set)
    if feature_set.digest != meta.feature_set_digest:
        raise ConfigurationRefused(
            f"the model was trained on another state of feature set '{meta.feature_set}' than this installation has",
            "install the version that trained it, or give a ready feature matrix",
        )
    return feature_set


def described_input(
    applicants: Chunk, source: SellerTables, request: Request, matrix: pa.Table | None = None
) -> ScoreInput:
    """Describe applicants given by ID with features from the tables, or from ``matrix`` if it was built from them."""
    feature_set = feature_set_of(request.meta)
    described = describe_applicants(applicants, source, feature_set, request.limits, matrix)
    return ScoreInput(
        rows=described.num_rows,
        digests=source.digests,
        notes=(),
        chunks=lambda size: chunked(described, size),
        as_of=request.as_of,
        coverage=source.tables.get(COVERAGE),
        pillar_tables=pillar_tables(feature_set),
        reconcile=lambda as_of, sellers: reconcile(
            source.tables, AsOf(as_of), sellers, ReconciliationSettings(last_quarters=1)
        ),
        related=related_reader(feature_set, lambda _: source.tables, described),
    )


def identified(sellers: pa.Array[Any], as_of: date) -> Chunk:
    """Return one applicant per seller, all at one date, in the order given."""
    count = len(sellers)
    return pa.table(
        {
            "source_row": pa.array(range(1, count + 1), pa.int64()),
            "applicant_id": sellers,
            "seller_id": sellers,
            "as_of": pa.array([as_of] * count, pa.date32()),
            "refusals": pa.array([""] * count, pa.string()),
        }
    )


def _from_tables(applicants: Chunk, source: SellerTables, request: Request, notes: tuple[str, ...]) -> ScoreInput:
    return replace(described_input(applicants, source, request), notes=notes)


def _whole(applicants: Applicants) -> Chunk:
    return pa.concat_tables(list(applicants.chunks(max(applicants.rows, 1)))).combine_chunks()


def _from_folder(folder: Path, request: Request, ingest: IngestSettings, hmac_key: bytes) -> ScoreInput:
    """Ingest, validate and describe raw exports; every seller that delivered some is an applicant."""
    if request.as_of is None:
        raise ConfigurationRefused(f"{folder} holds raw exports and no date", "give --as-of DATE")
    ingest, found = _deliveries(folder, request.terms, ingest)
    result = ingest_to_score(folder, found, ingest, hmac_key, request.progress)
    digest = sha256_bytes(json_bytes(sorted([account.file, account.sha256] for account in result.file_counts)))
    checked = _checked(result.tables)
    tables = {name: check.accepted for name, check in checked.items()}
    sellers = _delivering_sellers(tables, folder, withheld=sum(is_withheld(one) for one in result.file_counts))
    broken = (check.quarantined for check in checked.values())
    notes = (*set_aside_note(result, checked), *set_aside_lines((result.quarantine, *broken)))
    surroundings, more = _surroundings(request.place)
    history = _history(surroundings.tables, tables, {str(seller) for seller in sellers.to_pylist()}, ingest)
    source = SellerTables(history.tables, {**surroundings.digests, "raw_exports": digest}, history.withdrawn)
    rows = _from_tables(identified(sellers, request.as_of), source, request, (*notes, *more))
    # The manifest of the folder, or the terms, say whose files they are and which days they cover.
    decided_by = {"folder_sha256": digest_of_path(folder), "terms": request.terms.stated()}
    return replace(rows, read_with={**deciding_settings(ingest, hmac_key), **decided_by})


def _deliveries(folder: Path, terms: Terms, ingest: IngestSettings) -> tuple[IngestSettings, Deliveries]:
    """Return the files of a folder by its list of deliveries, or else by content and terms, and how to read them."""
    if ingest.layout != "deliveries" or (folder / MANIFEST_FILE).is_file():
        return ingest, deliveries_in(folder, ingest)
    found = find_by_content([folder], folder.absolute(), terms, ingest)
    if not found.files:
        raise InputRefused(
            file=str(folder), rule="there are no files to score", remedy="put the seller's exports there"
        )
    recorded_at = max(ingest.recorded_at, *map(could_be_recorded, found.files))
    return ingest.model_copy(update={"sources": (), "recorded_at": recorded_at}), found


def _checked(tables: Mapping[str, pa.Table]) -> dict[str, CheckResult]:
    """Return the check of each table against its contract.

    Our own checks decide, as in the stage ``validate``. That stage also compares them with Great Expectations, which
    takes longer to import than a folder takes to score.
    """
    return {name: check_rows(table, table_contract(name)) for name, table in tables.items()}


def _delivering_sellers(tables: Mapping[str, pa.Table], folder: Path, withheld: int) -> pa.Array[Any]:
    """Return the sellers whose own exports the folder holds, in alphabetical order."""
    coverage = tables[COVERAGE]
    own = pc.is_in(pc.cast(coverage["covered_table"], pa.string()), value_set=pa.array(OWN_TABLES))
    sellers = sorted({str(seller) for seller in coverage.filter(own)["seller_id"].to_pylist()})
    if not sellers and withheld:
        raise InputRefused(
            file=str(folder),
            rule=f"{withheld} of its files may not be read without consent, and no other file shows any trade",
            remedy="deliver the sellers' consents (passport template consent) in the folder, and list them",
        )
    if not sellers:
        raise InputRefused(
            file=str(folder),
            rule="it holds no export of any seller's sales, orders, declarations or invoices",
            remedy="deliver at least one such file for each seller to score",
        )
    return pa.array(sellers, pa.string())


def _surroundings(place: Place) -> tuple[SellerTables, tuple[str, ...]]:
    """Read the tables of known sellers, to find related parties; none if the profile has not run."""
    if not (place.stage_dir("validate") / CURRENT).is_file():
        note = f"no tables found in {place.root}: related parties were searched for in this folder only"
        return SellerTables({}, {}), (note,)
    return tables_in_force(place), ()


def _history(
    known: Mapping[str, pa.Table], new: Mapping[str, pa.Table], sellers: set[str], ingest: IngestSettings
) -> KnownHistory:
    """Add a folder to the known tables; what a seller has withdrawn consent for since does not count."""
    unread = set()
    if ingest.consent != "not_required" and CONSENT_TABLE in new:
        consents = consents_in_force(new[CONSENT_TABLE], (), ingest.model_copy(update={"consent": "where_listed"}))
        named = {pair for pair in own_sources(known.get(COVERAGE)) if pair[0] in sellers}
        unread = {pair for pair in named if consents.of_source(pair[1]).reason(pair[0]) is not None}
    return with_known_history(known, new, sellers, unread)
