"""Stages that are killed, starved or broken at one of their calls to the disk, and what they leave behind."""

from __future__ import annotations

import importlib
import os
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from pipelines.runs.stages import CURRENT, Place, current_output, read_manifest
from tests.factories.faults.disk_faults import DiskCall, Ended, in_a_child, typed, untroubled, watched_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KILLED = -9


@dataclass(frozen=True)
class Scene:
    """A stage about to run.

    Attributes:
        stage: Name of the stage.
        module: Module that runs it.
        start: Folder as it is before the run, with outputs under ``out``; every run gets its own copy.
        profile: Function that returns the profile for a copy.
        around: Context in which the stage runs over a copy.
        beside: Function that returns what else a run over a copy leaves, by name.
    """

    stage: str
    module: str
    start: Path
    profile: Callable[[Path], Any]
    around: Callable[[Path], AbstractContextManager[object]]
    beside: Callable[[Path], Mapping[str, bytes]] = lambda _: {}

    def place(self, folder: Path) -> Place:
        """Return the outputs of a copy."""
        return Place(self.profile(folder).name, folder / "out")

    def run(self, folder: Path) -> None:
        """Run the stage over a copy."""
        with self.around(folder):
            importlib.import_module(self.module).run(self.profile(folder), self.place(folder))

    def copy(self, folder: Path) -> Path:
        """Return a fresh copy of the start."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.start, folder)
        return folder

    def end(self, folder: Path, before: Callable[[DiskCall], None] = untroubled) -> Ended:
        """Run the stage over ``folder`` in a child; if it ends well, its text lists the kinds of its disk calls.

        The clock is stopped, so that two runs can be compared byte by byte.
        """

        def work() -> str:
            with mock.patch("time.perf_counter", return_value=0.0), watched_disk(before) as kinds:
                self.run(folder)
            return " ".join(kinds)

        return in_a_child(work)

    def typed(self, folder: Path, before: Callable[[DiskCall], None]) -> Ended:
        """Run the stage's command over ``folder`` in a child; return its exit code and output."""

        def work() -> str:
            profile = mock.patch("pipelines.profiles.load_profile", return_value=self.profile(folder))
            with mock.patch("time.perf_counter", return_value=0.0), self.around(folder), profile, watched_disk(before):
                return typed(self.stage, "--out", folder / "out")

        code, _, said = in_a_child(work).said.partition("\n")
        return Ended(int(code), said)

    def stored(self, folder: Path) -> dict[str, bytes]:
        """Return every file below the stage's folder, hidden ones too, with its bytes, and what else the run left."""
        root = self.place(folder).stage_dir(self.stage)
        paths = sorted(path for path in root.rglob("*") if not path.is_dir())
        files = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
        return {**files, **self.beside(folder)}

    def require_nothing_half_made(self, folder: Path) -> None:
        """Check that every run with a final name is complete, and that the current one, if any, can be read."""
        root = self.place(folder).stage_dir(self.stage)
        for run_dir in (path for path in root.glob("[!.]*") if path.name != CURRENT):
            assert read_manifest(run_dir)["outputs"].keys() == {
                path.relative_to(run_dir).as_posix()
                for path in run_dir.rglob("*")
                if path.is_file() and path != run_dir / "manifest.json"
            }
        if (root / CURRENT).exists():
            current_output(self.place(folder), self.stage)


def every(step: int) -> int:
    """Return which share of the points to try: each ``step``-th, or all with ``FAULT_POINTS=all``."""
    return 1 if os.environ.get("FAULT_POINTS") == "all" else step


def chosen(kinds: list[str], writes: int) -> list[int]:
    """Return the numbers of all calls except writes, and ``writes`` of the writes, evenly spread with both ends."""
    numbers = [number for number, kind in enumerate(kinds, start=1) if kind == "write"]
    if len(numbers) > writes:
        numbers = [numbers[round(place * (len(numbers) - 1) / (writes - 1))] for place in range(writes)]
    return sorted({*numbers, *(number for number, kind in enumerate(kinds, start=1) if kind != "write")})
