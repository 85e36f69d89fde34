"""The result of a batch with its rows in spill files, so that they need not be sent between processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from data_contracts.entities.register_names import NAME_SCHEMA
from pipelines.ingest.spill.spill_file import SpilledRows, SpillFile, without_dictionaries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipelines.ingest.batches.batch import BatchResult
    from pipelines.ingest.consents import SetAsideConsent
    from pipelines.runs.file_counts import FileCounts

# The receiver of a result needs several times its bytes.
MOST_SENT_BYTES: Final = 32 * 2**20
_STRETCH_BYTES: Final = 16 * 2**20


@dataclass(frozen=True)
class SpilledResult:
    """A ``BatchResult`` with its rows in spill files; quarantine and duplicates are by file."""

    tables: Mapping[str, SpilledRows]
    quarantine: Mapping[str, SpilledRows]
    duplicates: Mapping[str, SpilledRows]
    file_counts: tuple[FileCounts, ...]
    sellers_named: dict[str, tuple[str, ...]]
    party_sellers: dict[str, str] = field(default_factory=dict)
    set_aside_consents: tuple[SetAsideConsent, ...] = ()
    company_names: pa.Table = field(default_factory=NAME_SCHEMA.empty_table, repr=False)
    own_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)


def spilled(result: BatchResult, folder: Path) -> SpilledResult:
    """Write the rows of a result to a folder, and return the result without them."""
    return SpilledResult(
        tables={name: _stored(table, folder / f"table-{name}.arrow") for name, table in result.tables.items()},
        quarantine=spilled_by_file(result.quarantine, folder / "quarantine.arrow"),
        duplicates=spilled_by_file(result.duplicates, folder / "duplicates.arrow"),
        file_counts=result.file_counts,
        sellers_named=result.sellers_named,
        party_sellers=result.party_sellers,
        set_aside_consents=result.set_aside_consents,
        company_names=result.company_names,
        own_names=result.own_names,
    )


def size_of(result: BatchResult) -> int:
    """Return the bytes of the rows of a result."""
    rows = (*result.tables.values(), result.quarantine, result.duplicates)
    return sum(table.nbytes for table in rows)


def spilled_by_file(entries: pa.Table, path: Path) -> dict[str, SpilledRows]:
    """Write entries (``source_file``, ``source_row``) to a spill file; return those of each file in order of row."""
    plain = entries.cast(without_dictionaries(entries.schema))
    plain = plain.sort_by([("source_file", "ascending"), ("source_row", "ascending")])
    names = [str(name) for name in plain["source_file"].to_pylist()]
    starts = [place for place, name in enumerate(names) if place == 0 or name != names[place - 1]]
    with SpillFile(path, entries.schema) as store:
        stretches = {
            names[start]: _stretches(plain.slice(start, stop - start), store)
            for start, stop in pairwise([*starts, len(names)])
        }
    return {
        name: SpilledRows(path, entries.schema, found, stop - start)
        for (name, found), (start, stop) in zip(stretches.items(), pairwise([*starts, len(names)]), strict=True)
    }


def _stored(table: pa.Table, path: Path) -> SpilledRows:
    with SpillFile(path, table.schema) as store:
        return SpilledRows(path, table.schema, _stretches(table, store), table.num_rows)


def _stretches(table: pa.Table, store: SpillFile) -> tuple[tuple[int, ...], ...]:
    """Store rows in stretches of a few mebibytes; each is read at once."""
    count = max(table.nbytes // _STRETCH_BYTES, 1)
    places = np.linspace(0, table.num_rows, count + 1).astype(int).tolist()
    return tuple(store.add(table.slice(start, stop - start)) for start, stop in pairwise(places))
