"""The whole pipeline, run once on the small synthetic world with the command a user types."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.profiles import Profile, load_profile
from pipelines.runs.stages import Place, StageRecord, current_run, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PROFILE = "small"
STAGES = ("world", "ingest", "validate", "features", "train", "explain", "register", "score", "watch", "monitor")
IMPORT_LOG = "imports"
"""Folder beside the outputs that says which modules each stage loaded."""
# Variables that a Make running the tests passes to the Make inside a test.
_OF_AN_OUTER_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "PROFILE", "OUT", "VENV", "QUIET", "VERBOSE")


@dataclass(frozen=True)
class FinishedRun:
    """A finished run of all stages of a profile: its outputs, its keys, and what ``make run`` printed."""

    profile: Profile
    place: Place
    keys: Path
    printed: str = ""

    @property
    def trust(self) -> Path:
        """The trust file that names the issuer of its passports."""
        return self.keys / self.profile.name / "trust.json"

    def at(self, stage: str) -> Path:
        """Return the current run folder of a stage."""
        return current_run(self.place, stage)

    def record(self, stage: str) -> StageRecord:
        """Return the row counts of a stage."""
        return StageRecord(**read_manifest(self.at(stage))["record"])


def environment(keys: Path, **more: str) -> dict[str, str]:
    """Return the environment of a single-threaded command with these keys, whatever runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_AN_OUTER_MAKE}
    return {**inherited, "KEYS_DIR": str(keys), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **more}


def import_log(folder: Path) -> dict[str, str]:
    """Return environment variables that make every Python process log in ``folder`` which of our modules it loads."""
    folder.mkdir(parents=True, exist_ok=True)
    witness = CHECKOUT / "tests" / "factories" / "import_log"
    return {"IMPORT_LOG": str(folder), "PYTHONPATH": f"{witness}{os.pathsep}{CHECKOUT}"}


def make(
    out: Path, keys: Path, *arguments: str, profile: str = PROFILE, checkout: Path = CHECKOUT, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run ``make`` with the Python environment of the tests; nothing is installed."""
    ready = f"{sys.prefix}/.run-ready"
    command = ["make", "--no-print-directory", "-o", ready, f"VENV={sys.prefix}", f"PROFILE={profile}", f"OUT={out}"]
    # PYTHONPATH comes before the installed checkout, so that a copy of the checkout runs.
    found = environment(keys, **{"PYTHONPATH": str(checkout), **more})
    return subprocess.run([*command, *arguments], cwd=checkout, env=found, capture_output=True, text=True, check=False)


def finished_run(folder: Path) -> FinishedRun:
    """Return the run under ``folder``."""
    run = FinishedRun(load_profile(PROFILE), Place(PROFILE, folder / "artifacts"), folder / "keys")

    def made() -> str:
        done = make(run.place.out, run.keys, "run", **import_log(folder / IMPORT_LOG))
        assert done.returncode == 0, f"make run exited with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return replace(run, printed=made_once(folder, made))


def made_once(folder: Path, make_it: Callable[[], str]) -> str:
    """Return what ``make_it`` says; the first process that asks calls it, while all others wait for its answer."""
    folder.mkdir(parents=True, exist_ok=True)
    answer, fault = folder / "answer.txt", folder / "fault.txt"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.is_file() and not fault.is_file():
            try:
                answer.write_text(make_it())
            except AssertionError as error:
                fault.write_text(str(error))
    if fault.is_file():
        raise AssertionError(fault.read_text())
    return answer.read_text()


def of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of a test session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
