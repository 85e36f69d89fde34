"""The rows of one table as chunks, in memory or on disk, so that a large table is never held whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.ingest.spill.parquet import GroupedParquet
from pipelines.ingest.spill.spill_file import SpilledRows, SpillFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Arrow bytes that the chunks of a run take in memory before further chunks go to disk.
MOST_HELD_BYTES = 256 * 2**20


@dataclass(frozen=True)
class ChunkedRows:
    """The rows of a table as chunks in order."""

    schema: pa.Schema
    parts: tuple[pa.Table | SpilledRows, ...] = ()

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return sum(part.num_rows for part in self.parts)

    def chunks(self) -> Iterator[pa.Table]:
        """Yield the rows in order, chunk by chunk."""
        for part in self.parts:
            if isinstance(part, SpilledRows):
                yield from part.chunks()
            else:
                yield part

    def whole(self) -> pa.Table:
        """Return all rows as one table."""
        kept = [chunk for chunk in self.chunks() if chunk.num_rows]
        if not kept:
            return self.schema.empty_table()
        return pa.concat_tables(kept).unify_dictionaries().combine_chunks()

    def write(self, path: Path) -> None:
        """Write all rows as Parquet; the bytes do not depend on the chunks."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with GroupedParquet(path, self.schema, dictionaries=True) as file:
            for chunk in self.chunks():
                file.write(chunk)


class ChunkKeeper:
    """Keeps chunks in memory up to a limit, and spills the others to disk."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held_bytes = self._stored_count = 0

    def folder_beyond(self, byte_count: int) -> Path | None:
        """Return None if that many bytes more may be held in memory, else an empty folder to spill them to."""
        if self._folder is None or self._held_bytes + byte_count <= MOST_HELD_BYTES:
            self._held_bytes += byte_count
            return None
        folder = self._folder / f"beyond-{self._stored_count:06}"
        folder.mkdir()
        self._stored_count += 1
        return folder

    def kept(self, table: pa.Table) -> pa.Table | SpilledRows:
        """Return a chunk as it is kept; without a folder it stays in memory."""
        if self._folder is None or self._held_bytes + table.nbytes <= MOST_HELD_BYTES:
            self._held_bytes += table.nbytes
            return table
        path = self._folder / f"kept-{self._stored_count:06}.arrow"
        self._stored_count += 1
        with SpillFile(path, table.schema) as store:
            slices = store.add(table)
        return SpilledRows(path, table.schema, tuple((number,) for number in slices), store.rows)
