"""Replacement of ``ingest_in_partitions`` in a reading process that must fail on the way.

The environment defines the fault, since the process is a fresh interpreter. ``SPILL_TROUBLE`` holds a kind of fault and
the number of the disk call at which it happens. ``SPILL_NOTES`` names a file that gets a line each time it happens.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from pipelines.ingest.batches.partitions import PartitionedRequest, ingest_in_partitions
from pipelines.ingest.batches.spilled_result import SpilledResult
from tests.factories.faults.disk_faults import DiskCall, failing_at, full_from, watched_disk

# More than the limit that a reading process has in these tests.
_TOO_MUCH_MEMORY = 2**33


def ingest_in_trouble(request: PartitionedRequest) -> SpilledResult:
    """Ingest in partitions with the fault."""
    kind, _, number = os.environ["SPILL_TROUBLE"].partition(" ")
    notes = Path(os.environ["SPILL_NOTES"])

    def before(call: DiskCall) -> None:
        if call.number != int(number):
            return
        is_first = not notes.exists()
        _note(notes, kind)
        if kind == "caller_killed":
            os.kill(os.getppid(), signal.SIGKILL)
        if kind == "killed" or (kind == "killed_once" and is_first):
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "greedy":
            bytearray(_TOO_MUCH_MEMORY)

    troubles = {"full": full_from(int(number)), "failing": failing_at(int(number))}
    with watched_disk(troubles.get(kind, before)) as kinds:
        result = ingest_in_partitions(request)
    if kind == "none":
        _note(notes, str(len(kinds)))
    return result


def _note(notes: Path, word: str) -> None:
    notes.write_text((notes.read_text() if notes.exists() else "") + f"{word}\n")
