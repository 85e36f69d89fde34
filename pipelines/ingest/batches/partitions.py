"""Process a batch that is too large for memory in independent partitions.

A mapping names the column that partitions its rows (``SourceMapping.partition_by``). Rows with different values in it
never affect each other, so each partition can be checked and mapped by itself with the same result. Files are read
piece by piece, and the rows are spilled to disk by partition. All rows of a file tell how it writes numbers, so this is
decided before the first partition. Each partition is then processed like any batch. The results are spilled by the
piece that they came from, so that they can be read back in the order of the files.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import string_bytes
from data_contracts.definition.compiler import table_contract
from data_contracts.errors import ConfigurationRefused
from data_contracts.lineage import QUARANTINE_SCHEMA, kept_originals
from data_contracts.mapping.source_mapping import nullable
from data_contracts.privacy import original_sealer
from data_contracts.reading.delimited.pieces import DelimitedPieces
from data_contracts.reading.template_files import delimited_form
from data_contracts.sources.registry import known_source
from data_contracts.values.number_format import NumberEvidence
from pipelines.ingest.batches.batch import mapped_batch, sorted_batch
from pipelines.ingest.batches.file_reading import FileFacts, ReadGroup
from pipelines.ingest.batches.group_warnings import GroupWarnings, without_group_warnings
from pipelines.ingest.batches.row_consents import rows_by_consent, without_contents
from pipelines.ingest.batches.row_origins import DUPLICATE_SCHEMA
from pipelines.ingest.batches.spilled_result import SpilledResult
from pipelines.ingest.deliveries.manifest import open_delivery
from pipelines.ingest.spill.spill_file import SpilledRows, SpillFile, SpillReader
from pipelines.runs.file_counts import FileCounts, require_balance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from data_contracts.arrow import Values
    from data_contracts.lineage import NumberForms, ReadResult
    from data_contracts.sources.registry import Source
    from pipelines.ingest.batches.batch import BatchRequest, BatchResult
    from pipelines.ingest.batches.row_consents import ConsentedRows

# No more than this many bytes of a text decide its partition.
_LONGEST_KEY = 256
_KEY_SEED = 20261122
# A position in a batch combines the number of the file and the physical row in it.
FILE_STEP = 2**40
MOST_PARTITIONS = 4096


@dataclass(frozen=True)
class PartitionedRequest:
    """A batch to process in partitions.

    Attributes:
        batch: the batch; its files are delimited UTF-8 and not in an archive.
        folder: folder of the spill files, which take about twice the size of the raw files.
        partition_bytes: approximate raw bytes of a partition.
        piece_bytes: raw bytes read at a time.
    """

    batch: BatchRequest
    folder: Path
    partition_bytes: int
    piece_bytes: int


def ingest_in_partitions(request: PartitionedRequest) -> SpilledResult:
    """Read, type, screen, check and map the files of a batch, partition by partition.

    The result equals that of ``ingest_batch`` row for row, whatever the sizes of partitions and pieces.

    Raises:
        InputRefused: a file does not have the form of its source.
        ConfigurationRefused: the rows of the source cannot be partitioned.
        InternalFault: the rows do not add up.
    """
    known = known_source(request.batch.source)
    source = replace(known, contract=delimited_form(known.contract))
    with contextlib.ExitStack() as stack:
        text = _Text(request, source, stack)
        found = _Found(request, source, text)
        for partition in range(text.partition_count):
            group = text.group(partition)
            if group is not None:
                found.take(group)
        return found.result()


class _Text:
    """The text rows of all files, spilled by partition, and the facts of the files."""

    def __init__(self, request: PartitionedRequest, source: Source, stack: contextlib.ExitStack) -> None:
        contract = source.contract
        self._files, self._source, self._consents = request.batch.files, source, request.batch.consents
        self._key = _partition_column(source)
        size_bytes = sum(file.size_bytes for file in self._files)
        self.partition_count = min(max(math.ceil(size_bytes / request.partition_bytes), 1), MOST_PARTITIONS)
        self._rows_of: list[list[int]] = [[] for _ in range(self.partition_count)]
        self._lines_of: list[list[int]] = [[] for _ in range(self.partition_count)]
        self._starts: list[int] = []
        self.readers: list[DelimitedPieces] = []
        self._evidence = NumberEvidence(contract, len(self._files))
        text_fields: list[pa.Field[Any]] = [pa.field(column.name, pa.string()) for column in contract.columns]
        place_fields: list[pa.Field[Any]] = [pa.field("source_row", pa.int64()), pa.field("file_of", pa.int32())]
        with (
            SpillFile(request.folder / "text.arrow", pa.schema([*text_fields, *place_fields])) as rows,
            SpillFile(request.folder / "lines.arrow", QUARANTINE_SCHEMA) as lines,
        ):
            for number, delivered in enumerate(self._files):
                file = stack.enter_context(open_delivery(request.batch.raw_dir, delivered))
                reader = DelimitedPieces(file, contract, delivered.name, request.piece_bytes)
                for piece in reader:
                    self._spill(piece, number, rows, lines)
                self.readers.append(reader)
        self._rows = stack.enter_context(SpillReader(rows.path, rows.schema))
        self._lines = stack.enter_context(SpillReader(lines.path, lines.schema))

    @property
    def starts(self) -> NDArray[np.int64]:
        """The positions at which the pieces with rows begin, ascending."""
        return np.array(self._starts, dtype=np.int64)

    @property
    def facts(self) -> tuple[FileFacts, ...]:
        """The facts of the files as a whole."""
        read = enumerate(zip(self._files, self.readers, strict=True))
        return tuple(FileFacts(number, file.name, one.sha256, one.rows_in, one.notes) for number, (file, one) in read)

    @property
    def number_forms(self) -> NumberForms:
        """How each file writes numbers, from all its rows that may be read."""
        return self._evidence.forms()

    def group(self, partition: int) -> ReadGroup | None:
        """Return the rows of a partition as if they had been read from one file, or None if it has none.

        Their original bytes are filled in later (``_FILLED_LATER``), because finding them piece by piece is cheaper.
        """
        if not self._rows_of[partition] and not self._lines_of[partition]:
            return None
        rows = self._rows.read(self._rows_of[partition])
        lines = self._lines.read(self._lines_of[partition])
        file_of = rows["file_of"].to_numpy()
        rows_in = np.bincount(file_of, minlength=len(self._files))
        of_lines = pc.index_in(lines["source_file"].cast(pa.string()), value_set=pa.array(self._names))
        rows_in += np.bincount(of_lines.to_numpy(), minlength=len(self._files))
        facts = tuple(
            replace(one, rows_in=int(count), notes=()) for one, count in zip(self.facts, rows_in, strict=True)
        )
        return ReadGroup(
            rows=rows.drop_columns("file_of"),
            quarantined=_with_digests(lines, of_lines, [one.sha256 for one in facts]),
            file_of=file_of.astype(np.int64),
            physical_row=rows["source_row"].to_numpy(),
            original_of=lambda numbers: [_FILLED_LATER] * len(numbers),
            facts=facts,
        )

    @property
    def _names(self) -> list[str]:
        return [file.name for file in self._files]

    def _spill(self, piece: ReadResult, number: int, rows: SpillFile, lines: SpillFile) -> None:
        first_rows = [table["source_row"][0].as_py() for table in (piece.rows, piece.quarantined) if table.num_rows]
        if not first_rows:
            return
        self._starts.append(number * FILE_STEP + min(first_rows))
        file_of: Values = pa.array(np.full(piece.rows.num_rows, number, dtype=np.int32))
        spec, named = self._source.contract.read_spec, self._source.mapping.named_sellers
        missing = spec.missing_tokens if spec else ()
        partition_of = partitions_of(piece.rows[self._key], missing, self.partition_count)
        consented = rows_by_consent(piece, self._source, self._consents)
        shown = _without_words_of(piece.rows, consented, named.naming if named else ())
        self._evidence.add(shown, number)
        for partition, rows_of_partition in _apart(shown.append_column("file_of", file_of), partition_of):
            self._rows_of[partition] += rows.add(rows_of_partition)
        unread = without_contents(piece.quarantined, consented)
        for partition, rows_of_partition in _apart(unread, unread["source_row"].to_numpy() % self.partition_count):
            self._lines_of[partition] += lines.add(rows_of_partition)


_FALSE: Values = pa.scalar(value=False)
# Marks originals to fill in later: no row is empty, and a row whose bytes must not be kept has null.
_FILLED_LATER = b""


def _without_words_of(rows: pa.Table, consented: ConsentedRows, naming: Sequence[str]) -> pa.Table:
    """Return text rows without the contents of withheld rows: only the seller is spilled to disk."""
    if not consented.withheld.num_rows:
        return rows
    is_withheld: Values = pc.is_in(rows["source_row"], value_set=consented.withheld["source_row"].combine_chunks())
    for place, name in enumerate(rows.column_names):
        if name not in {*naming, "source_row"}:
            rows = rows.set_column(place, name, pc.if_else(is_withheld, pa.scalar(""), rows[name]))
    return rows


def _partition_column(source: Source) -> str:
    key = source.mapping.partition_by
    if key is None:
        raise ConfigurationRefused(f"rows of {source.contract.identity} cannot be partitioned", "read its files whole")
    return key


def _with_digests(lines: pa.Table, file_of: Values, digests: Sequence[str]) -> pa.Table:
    """Return quarantine entries of lines with their file's digest, which is known only once the file is read."""
    values: Values = pa.array(digests, pa.string()).take(file_of)
    place = lines.column_names.index("source_sha256")
    return lines.set_column(place, lines.schema.field(place), values.cast(lines.schema.field(place).type))


def partitions_of(texts: Values, missing: Sequence[str], partition_count: int) -> NDArray[np.int64]:
    """Return the partition number of each text; texts that differ only in surrounding spaces share one.

    Args:
        texts: text column.
        missing: texts that count as missing, like the empty text.
        partition_count: number of partitions.
    """
    trimmed: Values = pc.utf8_trim_whitespace(texts)
    if missing:
        trimmed = pc.if_else(pc.is_in(trimmed, value_set=pa.array(missing, pa.string())), "", trimmed)
    whole = trimmed.combine_chunks() if isinstance(trimmed, pa.ChunkedArray) else trimmed
    shortened: Values = pc.utf8_slice_codeunits(whole, 0, _LONGEST_KEY // 4)
    codes, borders = string_bytes(shortened)
    weights = np.random.default_rng(_KEY_SEED).integers(0, 2**63, _LONGEST_KEY, dtype=np.uint64)
    lengths = np.diff(borders)
    within = np.arange(borders[-1] - borders[0]) - np.repeat(borders[:-1] - borders[0], lengths)
    weighed = (codes[borders[0] : borders[-1]].astype(np.uint64) + np.uint64(1)) * weights[within]
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(weighed, dtype=np.uint64)])
    digests = sums[borders[1:] - borders[0]] - sums[borders[:-1] - borders[0]]
    parts: NDArray[np.int64] = ((digests >> np.uint64(32)) % np.uint64(partition_count)).astype(np.int64)
    return parts


def _apart(table: pa.Table, number_of: NDArray[np.int64]) -> Iterator[tuple[int, pa.Table]]:
    """Yield each number with its rows, in their order."""
    order = np.argsort(number_of, kind="stable")
    in_order = table if (np.diff(order) == 1).all() else table.take(pa.array(order, pa.int64()))
    numbers, starts = np.unique(number_of[order], return_index=True)
    for number, start, stop in zip(numbers, starts, [*starts, len(order)][1:], strict=True):
        yield int(number), in_order.slice(start, stop - start)


class _ByPiece:
    """Spills rows of partitions by the piece that they came from, to read them back in the order of the files."""

    def __init__(self, path: Path, schema: pa.Schema, starts: NDArray[np.int64], file_names: Sequence[str]) -> None:
        self._store, self._starts = SpillFile(path, schema), starts
        self._file_names = list(file_names)
        self._slices: list[list[int]] = [[] for _ in starts]
        self._rows_of_piece = np.zeros(len(starts), dtype=np.int64)

    def add(self, table: pa.Table) -> None:
        """Spill rows with ``source_file`` and ``source_row``."""
        file_of: Values = pc.index_in(table["source_file"].cast(pa.string()), value_set=pa.array(self._file_names))
        places = file_of.to_numpy().astype(np.int64) * FILE_STEP + table["source_row"].to_numpy()
        order = np.argsort(places, kind="stable")
        pieces = np.searchsorted(self._starts, places, side="right") - 1
        if (np.diff(places) < 0).any():
            table, pieces = table.take(pa.array(order, pa.int64())), pieces[order]
        for piece, rows in _apart(table, pieces):
            self._slices[piece] += self._store.add(rows)
            self._rows_of_piece[piece] += rows.num_rows

    def done(self) -> SpilledRows:
        """Return all rows; no rows can be added afterwards."""
        self._store.close()
        return SpilledRows(
            self._store.path, self._store.schema, tuple(map(tuple, self._slices)), self._store.rows, "source_row"
        )

    def by_file(self, rows: SpilledRows) -> dict[str, SpilledRows]:
        """Return the rows of ``done`` by file."""
        found = {}
        for number, name in enumerate(self._file_names):
            first, last = np.searchsorted(self._starts, [number * FILE_STEP, (number + 1) * FILE_STEP])
            count = int(self._rows_of_piece[first:last].sum())
            if count:
                found[name] = replace(rows, stretches=rows.stretches[first:last], num_rows=count)
        return found


class _Found:
    """Collects the results of the partitions."""

    def __init__(self, request: PartitionedRequest, source: Source, text: _Text) -> None:
        self._request, self._text, self._contract = request, text, source.contract
        self._source = replace(source, contract=without_group_warnings(source.contract))
        folder, names = request.folder, [file.name for file in request.batch.files]
        covered = source.mapping.covered_tables
        self._tables = {
            name: _ByPiece(
                folder / f"table-{name}.arrow", nullable(table_contract(name).arrow_schema), text.starts, names
            )
            for name in covered
        }
        self._quarantine = _ByPiece(folder / "records.arrow", QUARANTINE_SCHEMA, text.starts, names)
        self._duplicates = _ByPiece(folder / "duplicates.arrow", DUPLICATE_SCHEMA, text.starts, names)
        self._remarks = GroupWarnings(source.contract, folder, FILE_STEP)
        self._all_counts: list[tuple[FileCounts, ...]] = []
        self._named: dict[str, set[str]] = {}

    def take(self, group: ReadGroup) -> None:
        """Check and map the rows of a partition."""
        batch = self._request.batch
        found = sorted_batch(batch, [group], self._source, self._text.number_forms)
        self._remarks.add(found.found.accepted)
        result = mapped_batch(batch, found)
        self._add(result)

    def _add(self, result: BatchResult) -> None:
        for name, table in result.tables.items():
            self._tables[name].add(table)
        self._quarantine.add(result.quarantine)
        self._duplicates.add(result.duplicates)
        self._all_counts.append(result.file_counts)
        for file, sellers in result.sellers_named.items():
            self._named.setdefault(file, set()).update(sellers)

    def result(self) -> SpilledResult:
        """Return all results in the order of the files."""
        duplicates = self._duplicates.done()
        return SpilledResult(
            tables={name: table.done() for name, table in self._tables.items()},
            quarantine=self._quarantine.by_file(self._with_originals(self._quarantine.done())),
            duplicates=self._duplicates.by_file(duplicates),
            file_counts=tuple(self._counts_of(one) for one in self._text.facts),
            sellers_named={file: tuple(sorted(sellers)) for file, sellers in sorted(self._named.items())},
        )

    def _counts_of(self, facts: FileFacts) -> FileCounts:
        of_partitions = [all_counts[facts.number] for all_counts in self._all_counts]
        remarked = self._remarks.counts_of(facts.number)
        counts = FileCounts(
            source=self._contract.identity,
            file=facts.name,
            sha256=facts.sha256,
            rows_in=facts.rows_in,
            accepted=sum(counts.accepted for counts in of_partitions),
            quarantined=_summed(counts.quarantined for counts in of_partitions),
            duplicates=_summed(counts.duplicates for counts in of_partitions),
            warnings=_summed([*(counts.warnings for counts in of_partitions), remarked]),
            notes=(*facts.notes, *dict.fromkeys(note for counts in of_partitions for note in counts.notes)),
        )
        require_balance(counts)
        return counts

    def _with_originals(self, records: SpilledRows) -> SpilledRows:
        """Return the entries with their original bytes, sealed if the source has personal columns."""
        is_sealed = self._contract.has_personal_columns
        seal = original_sealer(self._request.batch.hmac_key) if is_sealed else bytes
        stretches = []
        with SpillFile(self._request.folder / "quarantine.arrow", QUARANTINE_SCHEMA) as filled:
            for start, chunk in zip(self._text.starts, records.chunks(), strict=True):
                reader = self._text.readers[int(start) // FILE_STEP]
                stretches.append(filled.add(_filled(chunk, reader, seal)))
        return SpilledRows(filled.path, filled.schema, tuple(stretches), filled.rows)


def _filled(records: pa.Table, reader: DelimitedPieces, seal: Callable[[bytes], bytes]) -> pa.Table:
    original: Values = records["original"].combine_chunks()
    is_open: Values = pc.fill_null(pc.equal(original, pa.scalar(_FILLED_LATER, pa.binary())), _FALSE)
    rows: Values = records["source_row"].filter(is_open)
    if not len(rows):
        return records
    kept = kept_originals(reader.original_of(rows.to_pylist())).to_pylist()
    found = [None if one is None else seal(one) for one in kept]
    filled = pc.replace_with_mask(original, is_open, pa.array(found, pa.binary()))
    return records.set_column(records.column_names.index("original"), records.schema.field("original"), filled)


def _summed(counts: Iterable[dict[str, int] | Any]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
