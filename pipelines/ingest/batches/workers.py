"""Read batches of raw files in sandbox processes; find and name a file that ends its process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from data_contracts.errors import InputRefused, PassportError
from data_contracts.reading.delimited.pieces import PIECE_BYTES
from data_contracts.reading.template_files import is_delimited
from data_contracts.sources.registry import known_source
from pipelines.ingest.batches.batch import BatchRequest, BatchResult, ingest_batch
from pipelines.ingest.batches.partitions import PartitionedRequest, ingest_in_partitions
from pipelines.ingest.batches.spilled_result import MOST_SENT_BYTES, SpilledResult, size_of, spilled
from pipelines.ingest.deliveries.archives import LARGEST_FILE_BYTES
from pipelines.profiles.ingest_settings import limits_of
from pipelines.runs.sandbox import MEBIBYTE, Call, ChildEnded, run_each_in_sandbox, run_in_sandbox
from pipelines.runs.storage_faults import MemoryLacking

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipelines.ingest.deliveries.manifest import DeliveredFile
    from pipelines.profiles.ingest_settings import IngestSettings

# Below this, starting a second process takes longer than reading.
SMALL_DELIVERY_BYTES = 24 * MEBIBYTE
# Above this many batches, processing in partitions is no slower; a batch read whole takes fifteen times its bytes.
WHOLE_BATCHES = 3
_START_BYTES = 8


def read_batches(
    requests: Sequence[BatchRequest], settings: IngestSettings, spill: Path | None = None
) -> Iterator[BatchResult | SpilledResult]:
    """Yield the result of each batch in order, read by as many sandbox processes as pay off.

    A batch larger than ``WHOLE_BATCHES`` times ``batch_bytes`` is processed in partitions if its source allows it.
    ``spill`` is the folder of the spill files, which must stay until the results are used; without it no batch is
    partitioned.

    Raises:
        InputRefused: a file does not have the form of its source, is too large, or ended its process; names the file.
    """
    calls = [
        _call(request, settings, None if spill is None else spill / f"batch-{number:06}")
        for number, request in enumerate(requests)
    ]
    is_small = sum(_size_bytes(request) for request in requests) < SMALL_DELIVERY_BYTES
    try:
        yield from run_each_in_sandbox(calls, process_count=1 if is_small else settings.worker_count)
    except ChildEnded as ended:
        raise _refusal(ended, settings, spill) from ended


def _size_bytes(request: BatchRequest) -> int:
    return sum(file.size_bytes for file in request.files)


def _call(request: BatchRequest, settings: IngestSettings, folder: Path | None) -> Call[BatchResult | SpilledResult]:
    limits = limits_of(settings, _size_bytes(request))
    if folder is None:
        _require_size(request)
        return Call(ingest_batch, (request,), limits)
    folder.mkdir(exist_ok=True)
    if not _is_partitioned(request, settings):
        _require_size(request)
        return Call(_ingested, (request, folder), limits)
    partitioned = PartitionedRequest(request, folder, settings.batch_bytes, min(PIECE_BYTES, settings.batch_bytes))
    return Call(ingest_in_partitions, (partitioned,), limits)


def _ingested(request: BatchRequest, folder: Path) -> BatchResult | SpilledResult:
    """Ingest a batch; leave the rows of a large result in the folder."""
    result = ingest_batch(request)
    return result if size_of(result) <= MOST_SENT_BYTES else spilled(result, folder)


def _is_partitioned(request: BatchRequest, settings: IngestSettings) -> bool:
    if _size_bytes(request) <= WHOLE_BATCHES * settings.batch_bytes:
        return False
    source = known_source(request.source)
    return source.mapping.partition_by is not None and all(
        file.container is None and is_delimited(_start_of(request.raw_dir / file.name), source.contract)
        for file in request.files
    )


def _start_of(path: Path) -> bytes:
    """Return the first bytes of a file, or none if it is missing; whoever reads it reports that."""
    try:
        with path.open("rb") as file:
            return file.read(_START_BYTES)
    except OSError:
        return b""


def _require_size(request: BatchRequest) -> None:
    for file in request.files:
        if file.size_bytes > LARGEST_FILE_BYTES:
            in_archive = file.container is not None and known_source(request.source).mapping.partition_by is not None
            raise InputRefused(
                file=file.name,
                rule=f"the file has {file.size_bytes} bytes, more than the {LARGEST_FILE_BYTES} that a file of "
                f"{request.source} may have {'in an archive' if in_archive else 'because it is read whole'}",
                remedy="deliver it unpacked" if in_archive else "split the file",
            )


def _batch_of(call: Call[BatchResult | SpilledResult]) -> BatchRequest:
    request = call.arguments[0]
    return request.batch if isinstance(request, PartitionedRequest) else request


def _refusal(ended: ChildEnded, settings: IngestSettings, spill: Path | None) -> InputRefused:
    request = _batch_of(ended.call)
    files, ended = _culprits(request, ended, settings, spill)
    others = f" and {len(files) - 1} more of {request.source}" if len(files) > 1 else ""
    return InputRefused(
        file=f"{files[0].name}{others}",
        rule=ended.reason,
        remedy="check the file for abnormal size or form, or raise worker_memory_mib or worker_seconds",
    )


def _culprits(
    request: BatchRequest, ended: ChildEnded, settings: IngestSettings, spill: Path | None
) -> tuple[tuple[DeliveredFile, ...], ChildEnded]:
    """Find by halving the file that ends a process by itself; return several if only together they do."""
    files = request.files
    folder = None if spill is None else spill / "culprits"
    while len(files) > 1:
        middle = len(files) // 2
        for half in (files[:middle], files[middle:]):
            try:
                run_in_sandbox(_call(replace(request, files=half), settings, folder))
            except ChildEnded as again:
                files, ended = half, again
                break
            except MemoryLacking:
                raise
            except PassportError:  # refused for another reason
                continue
        else:
            return files, ended
    return files, ended
