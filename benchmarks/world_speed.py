"""Seconds, CPU time and memory of writing synthetic worlds, by number of sellers; rows and bytes by source.

Each world is written by its own process into a folder below ``--folder`` and removed after measuring. Memory is the
peak of the resident memory of that process and its descendants, sampled ten times a second; shared pages count in each.
Other work can slow the machine for minutes, so a world of up to 4,000 sellers is written three times, with a larger one
once in between, and the run of median cost counts. Exit code 1 if a limit is broken: cost per event within a factor of
1.5 between any two sizes from 1,000 sellers on, 4,000 sellers in 45 s, 100,000 in 25 minutes and 4 GiB.

    python benchmarks/world_speed.py --out artifacts/benchmarks
    python benchmarks/world_speed.py --sellers 1000,4000,100000 --folder /somewhere/large
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.profiles import load_profile
from simulator.writing import write_world

if TYPE_CHECKING:
    from collections.abc import Sequence

MEBIBYTE = 2**20
FLATNESS = 1.5
SMALLEST_COMPARED = 1_000
LARGEST_REPEATED, ROUNDS = 4_000, 3
LIMITS: dict[int, dict[str, float]] = {
    4_000: {"seconds": 45.0},
    100_000: {"seconds": 25 * 60.0, "peak_mib": 4_096.0},
}
_LOOK_EVERY_SECONDS = 0.1


def write_one(sellers: int, processes: int, folder: Path) -> dict[str, Any]:
    """Write the demonstration's world with a given number of sellers, in the watched process."""
    settings = load_profile("demo").world
    if settings is None:
        raise ValueError("profile demo has no [world]")
    clock, cpu = time.perf_counter(), _cpu_seconds()
    record = write_world(settings.model_copy(update={"seller_count": sellers}), folder, processes)
    return {
        "sellers": sellers,
        "seconds": time.perf_counter() - clock,
        "cpu_seconds": _cpu_seconds() - cpu,
        "record": asdict(record),
    }


def _cpu_seconds() -> float:
    """Return CPU seconds of this process and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def watched(sellers: int, processes: int, folder: Path) -> dict[str, Any]:
    """Write a world in its own process and return its figures with the peak memory of the process tree."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"world-{sellers}-") as name:
        command = [sys.executable, __file__, "--write", str(sellers), "--processes", str(processes), "--folder", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            peak = 0
            while child.poll() is None:
                peak = max(peak, resident_bytes(child.pid))
                time.sleep(_LOOK_EVERY_SECONDS)
            said = child.stdout.read() if child.stdout else ""
        if child.returncode:
            raise RuntimeError(f"writing {sellers} sellers exited with code {child.returncode}")
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        truth = sum(path.stat().st_size for path in (Path(name) / "truth").rglob("*") if path.is_file())
        shutil.rmtree(Path(name) / "raw")
    return _figures(found, peak, truth)


def measured(sizes: Sequence[int], processes: int, folder: Path) -> list[dict[str, Any]]:
    """Return the figures of each size from its run of median cost, with the cost of all its runs; print each run."""
    runs: dict[int, list[dict[str, Any]]] = {sellers: [] for sellers in sizes}
    for number in range(ROUNDS):
        for sellers in sizes:
            if sellers <= LARGEST_REPEATED or number == ROUNDS // 2:
                run = watched(sellers, processes, folder)
                runs[sellers].append(run)
                shown = {name: value for name, value in run.items() if not isinstance(value, dict)}
                print("synthetic world:", ", ".join(f"{name} {value:,}" for name, value in shown.items()), flush=True)
    return [_median(of_size) for of_size in runs.values()]


def _median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    by_cost = sorted(runs, key=lambda run: float(run["cpu_microseconds_a_row"]))
    costs = [run["cpu_microseconds_a_row"] for run in by_cost]
    return {**by_cost[len(by_cost) // 2], "cpu_microseconds_a_row_of_runs": costs}


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants from ``/proc``; 0 once they have ended."""
    total, waiting = 0, [pid]
    while waiting:
        folder = Path("/proc") / str(waiting.pop())
        try:
            total += int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            for task in (folder / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, IndexError):  # the process ended meanwhile
            continue
    return total


def _figures(found: dict[str, Any], peak: int, truth_bytes: int) -> dict[str, Any]:
    record = found["record"]
    rows, size = sum(record["rows"].values()), sum(record["bytes_written"].values())
    return {
        "sellers": found["sellers"],
        "seconds": round(found["seconds"], 2),
        "cpu_seconds": round(found["cpu_seconds"], 2),
        "peak_mib": round(peak / MEBIBYTE),
        "rows": rows,
        "raw_bytes": size,
        "truth_bytes": truth_bytes,
        "cpu_microseconds_a_row": round(found["cpu_seconds"] / rows * 1e6, 3),
        "rows_by_source": record["rows"],
        "bytes_by_source": record["bytes_written"],
        "files_by_source": record["files"],
    }


def verdicts(worlds: list[dict[str, Any]]) -> list[str]:
    """Return the limits that the worlds break, in words."""
    broken = []
    costs = [world["cpu_microseconds_a_row"] for world in worlds if world["sellers"] >= SMALLEST_COMPARED]
    if costs and max(costs) > FLATNESS * min(costs):
        broken.append(f"cost per row differs by a factor of {max(costs) / min(costs):.2f}, limit {FLATNESS}")
    for world in worlds:
        for name, most in LIMITS.get(world["sellers"], {}).items():
            if world[name] > most:
                broken.append(f"{world['sellers']} sellers: {name} {world[name]:g}, limit {most:g}")
    return broken


def main() -> None:
    """Parse, measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    parser.add_argument("--sellers", default="1000,4000")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="folder to write worlds into")
    parser.add_argument("--write", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        print(json.dumps(write_one(given.write, given.processes, given.folder)))
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    worlds = measured([int(text) for text in given.sellers.split(",")], given.processes, given.folder)
    broken = verdicts(worlds)
    found = {
        "data": "synthetic",
        "measured_on": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": {
            "python": platform.python_version(),
            "processor": platform.processor() or platform.machine(),
            "processors": os.cpu_count(),
        },
        "processes": given.processes,
        "worlds": worlds,
        "broken_limits": broken,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "world_speed.json").write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print("\n".join(broken) if broken else "all limits are kept")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
