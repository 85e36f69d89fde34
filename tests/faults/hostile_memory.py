"""Ingest of a modest delivery and then of a hostile archive, run as a program to measure the memory of both.

python hostile_memory.py MODEST HOSTILE OUT MEMORY_MIB; prints JSON: the peaks in MiB of this process after each and of
the reading process, and what was said.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from unittest import mock

from pipelines.ingest import stage as ingest
from pipelines.runs import sandbox
from pipelines.runs.stages import Place
from tests.factories.raw_files import ingest_settings
from tests.faults.conftest import PROFILE, profile_of


def peak_mib(process: int | str) -> int:
    """Return the most memory that a process has had, as the system counts it."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def said(raw: Path, out: Path, memory_mib: int) -> str:
    """Ingest a raw folder; return the refusal, or nothing."""
    profile = profile_of(raw)
    profile.ingest = ingest_settings(
        raw_dir=raw, worker_count=1, quarantine_limit_share=1.0, worker_memory_mib=memory_mib
    )
    try:
        ingest.run(profile, Place(PROFILE, out))  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - the test looks at the words
        return f"{type(error).__name__}: {error}"
    return ""


def main(modest: Path, hostile: Path, out: Path, memory_mib: int) -> None:
    """Ingest both, and print the peaks."""
    told = said(modest, out, memory_mib)
    before = peak_mib("self")
    # The reading process of a hostile file may end, so its peak is taken whenever it is looked for.
    told += said(hostile, out, memory_mib)
    children = [peak_mib(child.process.pid) for child in sandbox._warm_children()]
    sys.stdout.write(
        json.dumps({"before": before, "after": peak_mib("self"), "child": max(children, default=0), "said": told})
    )


if __name__ == "__main__":
    given = sys.argv[1:]
    with mock.patch.dict(os.environ, {"KEYS_DIR": str(Path(given[2]).with_name("keys"))}):
        main(Path(given[0]), Path(given[1]), Path(given[2]), int(given[3]))
