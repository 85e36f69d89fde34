"""The rows of many files of one source as one table, with the way back from each row to its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from data_contracts.lineage import Origin, ReadResult, empty_quarantine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.arrow import Values
    from data_contracts.contract import CompiledContract
    from pipelines.deliveries import DeliveredFile

StringDictionary = pa.dictionary(pa.int32(), pa.string())

DUPLICATE_SCHEMA = pa.schema(
    [
        pa.field("source", StringDictionary),
        pa.field("source_file", StringDictionary),
        pa.field("source_sha256", StringDictionary),
        pa.field("source_row", pa.int64()),
        pa.field("reason", StringDictionary),
    ]
)
"""One row for each row that repeats something already delivered."""


class Gathered:
    """The rows of several files, each with an ordinal that leads back to its file and physical row.

    While rows are sorted, ``source_row`` holds the ordinal, which is unique over all files; ``located`` and
    ``with_physical_rows`` put the physical row back.
    """

    def __init__(self, reads: Sequence[ReadResult], files: Sequence[DeliveredFile]) -> None:
        self.reads, self.files = tuple(reads), tuple(files)
        counts = [read.rows.num_rows for read in reads]
        self.file_of = np.repeat(np.arange(len(reads), dtype=np.int32), counts)
        physical = [read.rows["source_row"].to_numpy() for read in reads]
        self._physical_row = np.concatenate([np.zeros(0, dtype=np.int64), *physical])
        self._file_names = [read.origin.source_file for read in reads]
        self._digests = [read.origin.source_sha256 for read in reads]

    def as_one_read(self, contract: CompiledContract) -> ReadResult:
        """Give the text rows of all files, each with what is known of its file (``data_contracts.sources.mapping``)."""
        rows = pa.concat_tables([read.rows for read in self.reads]).combine_chunks()
        ordinal = pa.array(np.arange(rows.num_rows, dtype=np.int64))
        rows = rows.set_column(rows.column_names.index("source_row"), "source_row", ordinal)
        if "source_item" not in rows.column_names:
            rows = rows.append_column("source_item", pa.array(np.zeros(rows.num_rows, dtype=np.int64)))
        covered_to: Values = pa.array([file.covered_to for file in self.files], pa.date32())
        for name, values in (
            ("row_order", ordinal),
            ("file_order", pa.array(self.file_of)),
            ("source_file", _repeated(self._file_names, self.file_of)),
            ("source_sha256", _repeated(self._digests, self.file_of)),
            ("delivered_for", _repeated([file.seller for file in self.files], self.file_of)),
            ("account", _repeated([file.account for file in self.files], self.file_of)),
            ("covered_to", covered_to.take(pa.array(self.file_of))),
        ):
            rows = rows.append_column(name, values)
        origin = Origin(contract.identity, None, None, self._originals)
        return ReadResult(rows, empty_quarantine(), rows.num_rows, (), origin)

    def with_physical_rows(self, rows: pa.Table) -> pa.Table:
        """Give rows with their physical row as ``source_row``."""
        physical = self._physical_row[rows["row_order"].to_numpy()]
        return rows.set_column(rows.column_names.index("source_row"), "source_row", pa.array(physical, pa.int64()))

    def located(self, records: pa.Table) -> pa.Table:
        """Give records whose ``source_row`` is an ordinal with file, digest and physical row instead."""
        ordinals = records["source_row"].to_numpy()
        for name, values in (
            ("source_file", _repeated(self._file_names, self.file_of[ordinals])),
            ("source_sha256", _repeated(self._digests, self.file_of[ordinals])),
            ("source_row", pa.array(self._physical_row[ordinals], pa.int64())),
        ):
            records = records.set_column(records.column_names.index(name), name, values)
        return records

    def located_duplicates(self, duplicates: pa.Table, contract: CompiledContract) -> pa.Table:
        """Give duplicates (``row_order``, ``reason``) in row order as DUPLICATE_SCHEMA."""
        duplicates = duplicates.sort_by("row_order")
        ordinals = duplicates["row_order"].to_numpy()
        identity = np.zeros(len(ordinals), dtype=np.int32)
        columns = [
            _repeated([contract.identity], identity),
            _repeated(self._file_names, self.file_of[ordinals]),
            _repeated(self._digests, self.file_of[ordinals]),
            pa.array(self._physical_row[ordinals], pa.int64()),
            duplicates["reason"].cast(pa.string()).dictionary_encode().combine_chunks(),
        ]
        return pa.Table.from_arrays(columns, schema=DUPLICATE_SCHEMA)

    def _originals(self, ordinals: Sequence[int]) -> list[bytes | None]:
        wanted = np.asarray(ordinals, dtype=np.int64)
        found: list[bytes | None] = [None] * len(wanted)
        file_of = self.file_of[wanted]
        for file in np.unique(file_of):
            places = np.flatnonzero(file_of == file)
            rows = [int(row) for row in self._physical_row[wanted[places]]]
            for place, original in zip(places, self.reads[file].origin.original_of(rows), strict=True):
                found[place] = original
        return found


def _repeated(values: Sequence[str | None], file_of: Values) -> Values:
    """Give the value of each row's file as a dictionary column."""
    encoded: Values = pa.array(values, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(pa.array(file_of)), encoded.dictionary)
