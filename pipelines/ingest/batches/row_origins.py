"""The rows of many files of one source as one table, with the file and physical row of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.lineage import Origin, ReadResult, empty_quarantine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from pipelines.ingest.batches.file_reading import ReadGroup
    from pipelines.ingest.deliveries.manifest import DeliveredFile

StringDictionary = pa.dictionary(pa.int32(), pa.string())

_DUPLICATE_FIELDS: list[pa.Field[Any]] = [
    pa.field("source", StringDictionary),
    pa.field("source_file", StringDictionary),
    pa.field("source_sha256", StringDictionary),
    pa.field("source_row", pa.int64()),
    pa.field("reason", StringDictionary),
]
DUPLICATE_SCHEMA = pa.schema(_DUPLICATE_FIELDS)
"""One row for each row that repeats something already delivered."""


class Gathered:
    """The rows of several files in order of file and line, each with an ordinal that leads back to its file.

    The ordinal is the column ``row_order``. ``facts`` holds the facts of every file, in order.
    """

    def __init__(self, groups: Sequence[ReadGroup], files: Sequence[DeliveredFile]) -> None:
        self.groups, self.files = tuple(groups), tuple(files)
        self.facts = tuple(sorted((one for group in groups for one in group.facts), key=lambda one: one.number))
        counts = [group.rows.num_rows for group in groups]
        file_of = np.concatenate([np.zeros(0, dtype=np.int64), *(group.file_of for group in groups)])
        physical_row = np.concatenate([np.zeros(0, dtype=np.int64), *(group.physical_row for group in groups)])
        # Rows of one file keep their order, because they are all in one group.
        self._order = np.argsort(file_of, kind="stable")
        self.file_of = file_of[self._order].astype(np.int32)
        self._physical_row = physical_row[self._order]
        self._group_of = np.repeat(np.arange(len(groups)), counts)[self._order]
        self._first_of_group = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def as_one_read(self, contract: CompiledContract) -> ReadResult:
        """Return the text rows of all files, with the columns that ``data_contracts.mapping`` describes."""
        rows = pa.concat_tables([group.rows for group in self.groups]).combine_chunks()
        if (self._order != np.arange(rows.num_rows)).any():
            in_order: Values = pa.array(self._order)
            rows = rows.take(in_order)
        ordinal = pa.array(np.arange(rows.num_rows, dtype=np.int64))
        rows = with_column(rows, "source_row", pa.array(self._physical_row, pa.int64()))
        if "source_item" not in rows.column_names:
            rows = rows.append_column("source_item", pa.array(np.zeros(rows.num_rows, dtype=np.int64)))
        file_of: Values = pa.array(self.file_of)
        covered_from: Values = pa.array([file.covered_from for file in self.files], pa.date32())
        covered_to: Values = pa.array([file.covered_to for file in self.files], pa.date32())
        delivered_at: Values = pa.array([file.delivered_at for file in self.files], pa.timestamp("us", "UTC"))
        for name, values in (
            ("row_order", ordinal),
            ("file_order", file_of),
            ("source_file", self._names(self.file_of)),
            ("source_sha256", self._digests(self.file_of)),
            ("delivered_for", _repeated([file.seller for file in self.files], self.file_of)),
            ("account", _repeated([file.account for file in self.files], self.file_of)),
            ("covered_from", covered_from.take(file_of)),
            ("covered_to", covered_to.take(file_of)),
            ("delivered_at", delivered_at.take(file_of)),
        ):
            rows = rows.append_column(name, values)
        origin = Origin(contract.identity, None, None, self._originals, self._places)
        return ReadResult(rows, empty_quarantine(), rows.num_rows, (), origin)

    def located_duplicates(self, duplicates: pa.Table, contract: CompiledContract) -> pa.Table:
        """Return duplicates (``row_order``, ``reason``) in row order as DUPLICATE_SCHEMA."""
        duplicates = duplicates.sort_by("row_order")
        ordinals = duplicates["row_order"].to_numpy()
        columns = [
            _repeated([contract.identity], np.zeros(len(ordinals), dtype=np.int32)),
            *self._places(ordinals.tolist()),
            duplicates["reason"].cast(pa.string()).dictionary_encode().combine_chunks(),
        ]
        return pa.Table.from_arrays(columns, schema=DUPLICATE_SCHEMA)

    def _places(self, ordinals: Sequence[int]) -> tuple[Values, Values, Values]:
        """Return file, digest and physical row of rows."""
        wanted = np.asarray(ordinals, dtype=np.int64)
        file_of = self.file_of[wanted]
        return self._names(file_of), self._digests(file_of), pa.array(self._physical_row[wanted], pa.int64())

    def _names(self, file_of: Values) -> Values:
        return _repeated([one.name for one in self.facts], file_of)

    def _digests(self, file_of: Values) -> Values:
        return _repeated([one.sha256 for one in self.facts], file_of)

    def _originals(self, ordinals: Sequence[int]) -> list[bytes | None]:
        wanted = np.asarray(ordinals, dtype=np.int64)
        found: list[bytes | None] = [None] * len(wanted)
        group_of = self._group_of[wanted]
        for number in np.unique(group_of):
            places = np.flatnonzero(group_of == number)
            group = self.groups[number]
            within = self._order[wanted[places]] - self._first_of_group[number]
            rows = group.rows["source_row"].to_numpy()[within].tolist()
            for place, original in zip(places, group.original_of(rows), strict=True):
                found[place] = original
        return found


def _repeated(values: Sequence[str | None], file_of: Values) -> Values:
    """Return the value of each row's file as a dictionary column."""
    encoded: Values = pa.array(values, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(pa.array(file_of)), encoded.dictionary)
