"""Find the raw files with their sellers and periods, from the delivery manifest or from a known layout."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from data_contracts.definition.compiler import source_contract
from data_contracts.definition.templates import PREFIX
from data_contracts.digest import sha256_bytes, sha256_file
from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.mapping.days.day_order import DayOrder
from data_contracts.sources.registry import known_source, mapped_sources
from pipelines.ingest.deliveries.archives import OpenArchives, entries_of, is_archive, require_size
from pipelines.ingest.deliveries.reference_lists import rows_of_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime

    from pipelines.profiles.ingest_settings import CoveragePeriod, IngestSettings

MANIFEST_FILE = "deliveries.csv"
MANIFEST_SOURCE = "delivery_manifest"
CONSENT_SOURCE = f"{PREFIX}consent"

CUMCM_FIRM_FILES = ("firms_with_credit_record.csv", "firms_without_credit_record.csv")
CUMCM_INVOICE_ZIPS = (
    "with_record_purchase_invoices.zip",
    "with_record_sales_invoices.zip",
    "without_record_purchase_invoices.zip",
    "without_record_sales_invoices.zip",
)


@dataclass(frozen=True)
class Origin:
    """The record that states what a file covers; the lineage of its coverage rows."""

    source: str
    file: str
    sha256: str | None
    row: int


@dataclass(frozen=True)
class DeliveredFile:
    """One file to read.

    Attributes:
        name: path below the raw folder; for a file in an archive ``<archive>/<path in the archive>``.
        source: name of its source.
        container: the zip or gz that contains it, or None.
        size_bytes: its size, used to form batches.
        group: files of one group are read in one batch, because rows may repeat across them.
        seller: the seller it was delivered for, or None if it names several.
        account: store or site, or None.
        covered_from, covered_to, delivered_at: the period it covers, and the time of delivery.
        listed_sha256: the digest that it, or its archive, must have; None if none is stated.
        evidence: the record that states all this.
        date_order: the order of day and month in its days, or None if it is not stated.
    """

    name: str
    source: str
    container: str | None
    size_bytes: int
    group: str
    seller: str | None
    account: str | None
    covered_from: date
    covered_to: date
    delivered_at: datetime
    listed_sha256: str | None
    evidence: Origin
    date_order: DayOrder | None = None


class DatedFile(Protocol):
    """What decides which of two files speaks later: its name, source, group and time of delivery."""

    @property
    def name(self) -> str:
        """Path below the raw folder."""

    @property
    def source(self) -> str:
        """Name of its source."""

    @property
    def group(self) -> str:
        """Files of one group may repeat each other's rows."""

    @property
    def delivered_at(self) -> datetime:
        """Time of delivery."""


@dataclass(frozen=True)
class Deliveries:
    """The files to read, in order of source, group and name, and the names of unlisted files."""

    files: tuple[DeliveredFile, ...]
    unlisted: tuple[str, ...]


def find_deliveries(raw_dir: Path, settings: IngestSettings) -> Deliveries:
    """Return the files of a raw folder, in the layout that the settings name.

    Raises:
        InputRefused: the folder or its manifest is missing or broken, or a listed file is missing.
        ConfigurationRefused: the settings name an unknown source.
    """
    unknown = sorted(set(settings.sources) - set(mapped_sources()))
    if unknown:
        raise ConfigurationRefused(f"there is no source {unknown[0]!r}", f"use only {', '.join(mapped_sources())}")
    if not raw_dir.is_dir():
        raise InputRefused(
            file=str(raw_dir),
            rule="no such folder",
            remedy="name the folder that holds the raw files, or set DATA_DIR to the folder above it; docs/data.md "
            "says where to get the files of the shipped profiles",
        )
    if settings.layout == "cumcm2020c":
        if settings.coverage is None:
            raise ConfigurationRefused(
                "layout cumcm2020c needs a coverage period", "set ingest.coverage to the period of the sample"
            )
        found = _cumcm_deliveries(raw_dir, settings.coverage)
    else:
        found = _listed_deliveries(raw_dir)
    wanted = settings.sources or mapped_sources()
    if settings.consent != "not_required":  # the consents decide which files may be read
        wanted = (*wanted, CONSENT_SOURCE)
    files = (_with_date_order(file, settings.date_order) for file in found.files if file.source in wanted)
    kept = sorted(files, key=lambda file: (file.source, file.group, file.name))
    return Deliveries(tuple(kept), found.unlisted)


def _with_date_order(file: DeliveredFile, order: DayOrder | None) -> DeliveredFile:
    return file if file.date_order is not None else replace(file, date_order=order)


def read_deliveries(raw_dir: Path, files: Sequence[DeliveredFile]) -> Iterator[tuple[DeliveredFile, bytes]]:
    """Yield each file with its bytes, in order; an archive is opened once for all its files.

    Raises:
        InputRefused: a file is missing, too large, broken, or does not have its listed digest.
    """
    checked: set[str] = set()
    with OpenArchives(raw_dir) as archives:
        for file in files:
            require_size(file.name, file.size_bytes)
            if file.container is None:
                data = _bytes_of(raw_dir, file)
                _require_listed_digest(file, sha256_bytes(data))
            else:
                if file.container not in checked:
                    _require_listed_digest(file, sha256_file(raw_dir / file.container))
                    checked.add(file.container)
                data = archives.read(file.container, file.name.removeprefix(f"{file.container}/"))
            yield file, data


@contextlib.contextmanager
def open_delivery(raw_dir: Path, file: DeliveredFile) -> Iterator[BinaryIO]:
    """Open a file of any size that is not in an archive.

    Raises:
        InputRefused: the file is missing, or does not have its listed digest.
    """
    try:
        opened = (raw_dir / file.name).open("rb")
    except FileNotFoundError as error:
        raise _absent(file.name, file.evidence) from error
    with opened:
        if file.listed_sha256 is not None:
            _require_listed_digest(file, sha256_file(raw_dir / file.name))
        yield opened


def _bytes_of(raw_dir: Path, file: DeliveredFile) -> bytes:
    try:
        return (raw_dir / file.name).read_bytes()
    except FileNotFoundError as error:
        raise _absent(file.name, file.evidence) from error


def _require_listed_digest(file: DeliveredFile, sha256: str) -> None:
    if file.listed_sha256 not in {None, sha256}:
        raise InputRefused(
            file=file.container or file.name,
            rule=f"the file's SHA-256 differs from the one in row {file.evidence.row} of {file.evidence.file}",
            remedy="deliver the file again, or correct the manifest",
        )


def _listed_deliveries(raw_dir: Path) -> Deliveries:
    path = raw_dir / MANIFEST_FILE
    if not path.is_file():
        raise InputRefused(
            file=MANIFEST_FILE,
            rule=f"the folder {raw_dir} has no delivery manifest",
            remedy=f"add {MANIFEST_FILE} with one row per file",
        )
    data = path.read_bytes()
    evidence_digest = sha256_bytes(data)
    listed = [_listed_file(raw_dir, row, evidence_digest) for row in rows_of_list(data, MANIFEST_SOURCE, MANIFEST_FILE)]
    files: list[DeliveredFile] = []
    hidden: list[str] = []
    for file in listed:
        inside, left_out = _unpacked(raw_dir, file)
        files += inside
        hidden += left_out
    known = {file.name for file in listed} | {MANIFEST_FILE}
    present = (entry.relative_to(raw_dir).as_posix() for entry in raw_dir.rglob("*") if entry.is_file())
    return Deliveries(tuple(files), tuple(sorted([*hidden, *(name for name in present if name not in known)])))


def _unpacked(raw_dir: Path, file: DeliveredFile) -> tuple[list[DeliveredFile], list[str]]:
    """Return a listed file, or the files in it if it is an archive, and the names of hidden files."""
    if not is_archive(file.name):
        return [file], []
    entries = entries_of(raw_dir / file.name, file.name)
    inside = [
        replace(file, name=f"{file.name}/{entry.name}", container=file.name, size_bytes=entry.size_bytes)
        for entry in entries
        if not entry.is_hidden
    ]
    return inside, [f"{file.name}/{entry.name}" for entry in entries if entry.is_hidden]


def _listed_file(raw_dir: Path, row: dict[str, Any], evidence_digest: str) -> DeliveredFile:
    evidence = Origin(source_contract(MANIFEST_SOURCE).identity, MANIFEST_FILE, evidence_digest, row["source_row"])
    name, source = row["file_name"], row["delivered_source"]
    if source not in mapped_sources():
        raise InputRefused(
            file=MANIFEST_FILE,
            row=evidence.row,
            column="Source",
            rule=f"there is no source {source!r}",
            remedy=f"use one of {', '.join(mapped_sources())}",
        )
    if row["delivered_for"] is None and known_source(source).mapping.needs_seller:
        raise InputRefused(
            file=MANIFEST_FILE,
            row=evidence.row,
            column="Seller ref",
            rule=f"files of {source} do not name their seller, and neither does the manifest",
            remedy="fill in the seller",
        )
    path = raw_dir / name
    if not path.is_file() or not path.resolve().is_relative_to(raw_dir.resolve()):
        raise _absent(name, evidence)
    return DeliveredFile(
        name=name,
        source=source,
        container=None,
        size_bytes=path.stat().st_size,
        group=row["delivered_for"] or "",
        seller=row["delivered_for"],
        account=row["account"],
        covered_from=row["covered_from"],
        covered_to=row["covered_to"],
        delivered_at=row["delivered_on"],
        listed_sha256=row["file_sha256"],
        evidence=evidence,
        date_order=None if row["date_order"] is None else DayOrder(row["date_order"]),
    )


def _absent(name: str, evidence: Origin) -> InputRefused:
    return InputRefused(
        file=name,
        rule=f"the file is listed in row {evidence.row} of {evidence.file} but is not in the folder",
        remedy="deliver the file, or remove it from the manifest",
    )


def _cumcm_deliveries(raw_dir: Path, coverage: CoveragePeriod) -> Deliveries:
    files = [_cumcm_file(raw_dir, name, coverage) for name in CUMCM_FIRM_FILES]
    unlisted: list[str] = []
    for container in CUMCM_INVOICE_ZIPS:
        _require_of_sample(raw_dir, container)
        for entry in entries_of(raw_dir / container, container):
            name = f"{container}/{entry.name}"
            if PurePosixPath(entry.name).suffix == ".csv":
                files.append(_implied("vat_invoices", name, container, entry.size_bytes, coverage))
            else:
                unlisted.append(name)
    known = {*CUMCM_FIRM_FILES, *CUMCM_INVOICE_ZIPS}
    unlisted += [entry.name for entry in raw_dir.iterdir() if entry.is_file() and entry.name not in known]
    return Deliveries(tuple(files), tuple(sorted(unlisted)))


def _cumcm_file(raw_dir: Path, name: str, coverage: CoveragePeriod) -> DeliveredFile:
    _require_of_sample(raw_dir, name)
    return _implied("cumcm_firms", name, None, (raw_dir / name).stat().st_size, coverage)


def _require_of_sample(raw_dir: Path, name: str) -> None:
    if not (raw_dir / name).is_file():
        raise InputRefused(
            file=name,
            rule=f"missing from the folder {raw_dir}",
            remedy="download the complete sample, see docs/data.md",
        )


def _implied(source: str, name: str, container: str | None, size_bytes: int, coverage: CoveragePeriod) -> DeliveredFile:
    """Return a file of a layout without a manifest: it is evidence of its own coverage and names its firms."""
    return DeliveredFile(
        name=name,
        source=source,
        container=container,
        size_bytes=size_bytes,
        group="" if container is None else PurePosixPath(name).stem,
        seller=None,
        account=None,
        covered_from=coverage.period_from,
        covered_to=coverage.period_to,
        delivered_at=coverage.delivered_at,
        listed_sha256=None,
        evidence=Origin(known_source(source).contract.identity, name, None, 1),
    )
