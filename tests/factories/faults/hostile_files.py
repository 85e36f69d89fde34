"""What happens to a corrupted file: refused in one line, or read with every row accepted unchanged or set aside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pipelines.ingest.batches.batch
from data_contracts.definition.compiler import source_contract
from data_contracts.digest import sha256_bytes
from data_contracts.errors import InputRefused
from data_contracts.lineage import empty_quarantine
from data_contracts.sources.registry import REFERENCE_LISTS, source_mapping
from pipelines.ingest.batches import row_checks as row_sorting
from pipelines.ingest.batches.batch import BatchRequest, ingest_batch
from pipelines.ingest.deliveries.manifest import DeliveredFile, Origin
from pipelines.ingest.deliveries.reference_lists import RATES_SOURCE, rate_overrides, rows_of_list
from pipelines.runs.file_counts import FileCounts
from tests.factories.files.templates import SELLER
from tests.factories.raw_files import HMAC_KEY

if TYPE_CHECKING:
    import pyarrow as pa


ACCOUNT = "A1"
RECORDED_AT = datetime(2026, 1, 1, tzinfo=UTC)
# Keys of groups are made unique by the account they belong to and the place where the group begins.
_PLACE_IN_FILE = re.compile(r"@[0-9]+$")
# What a row is besides what its file says.
_ABOUT_THE_FILE = ("source_row", "source_item", "row_order", "source_file", "source_sha256", "file_order")


@dataclass(frozen=True)
class Reading:
    """Result of one file: a refusal, or its row counts, accepted rows as typed, and quarantine records."""

    refusal: InputRefused | None = None
    account: FileCounts | None = None
    accepted: tuple[dict[str, Any], ...] = ()
    quarantine: pa.Table | None = None
    duplicates: pa.Table | None = None


def delivered_file(name: str, source: str, size_bytes: int) -> DeliveredFile:
    """Return a file as listed in a manifest."""
    return DeliveredFile(
        name=name,
        source=source,
        container=None,
        size_bytes=size_bytes,
        group=SELLER,
        seller=SELLER,
        account=ACCOUNT,
        covered_from=date(2023, 1, 1),
        covered_to=date(2023, 12, 31),
        delivered_at=datetime(2024, 1, 5, tzinfo=UTC),
        listed_sha256=None,
        evidence=Origin("delivery_manifest@1", "deliveries.csv", None, 2),
    )


def read_spoilt(folder: Path, name: str, source: str) -> Reading:
    """Ingest a file below ``folder``; every fault except a refusal is raised."""
    if source in REFERENCE_LISTS:
        return _read_list(folder / name, source)
    kept: list[row_sorting.SortedRows] = []

    def sort_rows(*arguments: object, **named: object) -> row_sorting.SortedRows:
        kept.append(row_sorting.sort_rows(*arguments, **named))  # type: ignore[arg-type]
        return kept[-1]

    file = delivered_file(name, source, (folder / name).stat().st_size)
    request = BatchRequest(folder, source, (file,), RECORDED_AT, {}, HMAC_KEY)
    try:
        with mock.patch.object(pipelines.ingest.batches.batch, "sort_rows", sort_rows):
            result = ingest_batch(request)
    except InputRefused as refusal:
        return Reading(refusal=refusal)
    (account,) = result.file_counts
    rows = kept[0].accepted
    plain = rows.drop_columns([column for column in _ABOUT_THE_FILE if column in rows.column_names]).to_pylist()
    key = source_mapping(source).group_column
    if key is not None:
        plain = [
            {**row, key: _PLACE_IN_FILE.sub("", row[key].removeprefix(ACCOUNT).removeprefix(":"))} for row in plain
        ]
    return Reading(None, account, tuple(plain), result.quarantine, result.duplicates)


def _read_list(path: Path, source: str) -> Reading:
    """Read a reference list: all its rows, or a refusal for the first bad one."""
    data = path.read_bytes()
    try:
        rows = rows_of_list(data, source, path.name)
        if source == RATES_SOURCE:
            rate_overrides(path, RECORDED_AT)
    except InputRefused as refusal:
        return Reading(refusal=refusal)
    contract = source_contract(source)
    accepted = tuple({name: value for name, value in row.items() if name != "source_row"} for row in rows)
    account = FileCounts(contract.identity, path.name, sha256_bytes(data), rows_in=len(rows), accepted=len(rows))
    nothing = empty_quarantine()
    return Reading(None, account, accepted, nothing, nothing)
