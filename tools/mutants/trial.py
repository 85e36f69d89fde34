"""Try mutants in a copy of the checkout: a mutant is noticed if the tests of its module fail or take far too long."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from data_contracts.errors import ConfigurationRefused
from tools.mutants.worker import LIBRARIES, run_tests

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.mutants.changes import Mutant

NO_TESTS: Final = 5


class Outcome(StrEnum):
    """What the tests said about a mutant."""

    NOTICED = "noticed"
    TIMED_OUT = "timed_out"
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Workplace:
    """A copy of the checkout in which modules may be changed."""

    folder: Path
    checkout: Path

    def run(self, tests: Sequence[str], limit: float | None = None) -> int | None:
        """Return the exit code of these tests, or None if they took longer than the limit in seconds."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([*LIBRARIES, run_tests.__module__])
        process = context.Process(target=run_tests, args=(str(self.folder), str(self.checkout), tuple(tests)))
        process.start()
        process.join(limit)
        if process.exitcode is None and process.pid is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
            return None
        return process.exitcode

    def usual_seconds(self, tests: Sequence[str]) -> float:
        """Return how long these tests take without a mutant; they have to pass."""
        started = time.monotonic()
        if self.run(tests):
            raise ConfigurationRefused(f"{' '.join(tests)}: these tests fail without a mutant", "make them pass first")
        return time.monotonic() - started

    def outcome(self, mutant: Mutant, tests: Sequence[str], limit: float) -> Outcome:
        """Return what the tests say about a mutant, and put the module back."""
        path = self.folder / mutant.path
        original = path.read_bytes()
        try:
            _replace(path, mutant.source.encode())
            code = self.run(tests, limit)
        finally:
            _replace(path, original)
        if code is None:
            return Outcome.TIMED_OUT
        return Outcome.NOTICED if code else Outcome.SURVIVED


def _replace(path: Path, content: bytes) -> None:
    """Write a module and drop what was compiled: Python knows a change only by size and whole seconds."""
    path.write_bytes(content)
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def copied_checkout(checkout: Path, folder: Path) -> Workplace:
    """Copy the files that git keeps or would keep."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)  # noqa: S603 - our own
    for name in filter(None, listed.stdout.split("\0")):
        if (checkout / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(checkout / name, folder / name)
    return Workplace(folder, checkout)
