"""Two deliveries ingested onto a disk too small for the second, run as a program in its own mount namespace.

unshare --mount --map-root-user python small_disk.py FIRST SECOND FOLDER BATCH_BYTES; prints JSON. Exits with code 77
where mounting is not allowed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from pipelines.runs.stages import Place, current_run, read_manifest
from tests.factories.faults.disk_faults import in_a_child, typed
from tests.faults.conftest import PROFILE, profile_of

CANNOT_MOUNT = 77


def mount(folder: Path, options: str) -> bool:
    """Mount a disk in memory on a folder, or change its size; return whether that was allowed."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def ingest(raw: Path, out: Path, batch_bytes: int) -> list[str]:
    """Run ``passport ingest`` over a delivery; return its exit code and lines."""
    profile = profile_of(raw, batch_bytes=batch_bytes)

    def work() -> str:
        with mock.patch("pipelines.profiles.load_profile", return_value=profile):
            return typed("ingest", "--out", out)

    return in_a_child(work).said.splitlines()


def outputs(out: Path) -> dict[str, str]:
    """Return the digests of the files of the current, complete run."""
    found: dict[str, str] = read_manifest(current_run(Place(PROFILE, out), "ingest"))["outputs"]
    return found


def main(first: Path, second: Path, folder: Path, batch_bytes: int) -> None:
    """Ingest the first delivery, then the second on the same disk, then the second again on a larger disk."""
    out = folder / "out"
    if not mount(folder, "size=256k"):
        sys.exit(CANNOT_MOUNT)
    said = {"first": ingest(first, out, batch_bytes)}
    before = outputs(out)
    said["second"] = ingest(second, out, batch_bytes)
    is_kept = outputs(out) == before
    left_over = [path.name for path in (out / PROFILE / "ingest").glob(".run-*")]
    mount(folder, "remount,size=64m")
    said["again"] = ingest(second, out, batch_bytes)
    sys.stdout.write(json.dumps({**said, "is_kept": is_kept, "left_over": left_over, "outputs": outputs(out)}))


if __name__ == "__main__":
    os.environ["KEYS_DIR"] = str(Path(sys.argv[1]).parent / "keys")
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
