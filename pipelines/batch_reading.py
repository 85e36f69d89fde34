"""Batches of raw files read in child processes; a file that ends its process is found and named."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from data_contracts.errors import InputRefused, PassportError
from pipelines.confinement import MEBIBYTE, Call, ChildEnded, Limits, confined, confined_each
from pipelines.ingest_batch import BatchRequest, BatchResult, ingest_batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.deliveries import DeliveredFile
    from pipelines.ingest_settings import IngestSettings

# Below this it takes longer to start a second process than to read.
SMALL_DELIVERY_BYTES = 24 * MEBIBYTE


def read_batches(requests: Sequence[BatchRequest], settings: IngestSettings) -> Iterator[BatchResult]:
    """Give the result of each batch in order, read by as many child processes as pay.

    Raises:
        InputRefused: a file is not its source's, or ended the process that read it; names the file.
    """
    calls = [_call(request, settings) for request in requests]
    is_small = sum(file.size_bytes for request in requests for file in request.files) < SMALL_DELIVERY_BYTES
    try:
        yield from confined_each(calls, process_count=1 if is_small else settings.worker_count)
    except ChildEnded as ended:
        raise _refusal(ended, settings) from ended


def limits_of(settings: IngestSettings, size_bytes: int = 0) -> Limits:
    """Give what a process that reads so many bytes may use: for each batch begun the seconds of one."""
    batches = max(math.ceil(size_bytes / settings.batch_bytes), 1)
    return Limits(settings.worker_memory_mib, settings.worker_seconds * batches)


def _call(request: BatchRequest, settings: IngestSettings) -> Call[BatchResult]:
    return Call(ingest_batch, (request,), limits_of(settings, sum(file.size_bytes for file in request.files)))


def _refusal(ended: ChildEnded, settings: IngestSettings) -> InputRefused:
    request: BatchRequest = ended.call.arguments[0]
    files, ended = _culprits(request, ended, settings)
    others = f" and {len(files) - 1} more of {request.source}" if len(files) > 1 else ""
    return InputRefused(
        file=f"{files[0].name}{others}",
        rule=ended.reason,
        remedy="look for abnormal size or form, or raise worker_memory_mib or worker_seconds",
    )


def _culprits(
    request: BatchRequest, ended: ChildEnded, settings: IngestSettings
) -> tuple[tuple[DeliveredFile, ...], ChildEnded]:
    """Give the file that ends a process by itself, found by halving; several where only together they do."""
    files = request.files
    while len(files) > 1:
        middle = len(files) // 2
        for half in (files[:middle], files[middle:]):
            try:
                confined(_call(replace(request, files=half), settings))
            except ChildEnded as again:
                files, ended = half, again
                break
            except PassportError:  # refused for a reason of its own, which is another matter
                continue
        else:
            return files, ended
    return files, ended
