"""The small synthetic world gone the whole way once, by the command a user types, for every test that needs it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pipelines.profiles import Profile, load_profile
from pipelines.runs.stages import Place, StageRecord, current_run, read_manifest

CHECKOUT = Path(__file__).resolve().parents[2]
PROFILE = "small"
STAGES = ("world", "ingest", "validate", "features", "train", "explain", "register", "score", "monitor")
# What a make that runs the tests tells the make inside a test.
_OF_AN_OUTER_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "PROFILE", "OUT", "VENV")


@dataclass(frozen=True)
class Way:
    """A profile that went the whole way: where its outputs and its keys are. Nobody may change anything there."""

    profile: Profile
    place: Place
    keys: Path

    @property
    def trust(self) -> Path:
        """The trust file that names the issuer of its passports."""
        return self.keys / self.profile.name / "trust.json"

    def at(self, stage: str) -> Path:
        """The run folder in force of a stage."""
        return current_run(self.place, stage)

    def record(self, stage: str) -> StageRecord:
        """What a stage said of its rows."""
        return StageRecord(**read_manifest(self.at(stage))["record"])


def environment(keys: Path, **more: str) -> dict[str, str]:
    """The environment of a command that is to find these keys, single-threaded, whatever ran the tests."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_AN_OUTER_MAKE}
    return {**inherited, "KEYS_DIR": str(keys), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **more}


def make(
    out: Path, keys: Path, *arguments: str, profile: str = PROFILE, checkout: Path = CHECKOUT
) -> subprocess.CompletedProcess[str]:
    """Run ``make`` with the Python environment of the tests, which is taken as it is: nothing is installed."""
    ready = f"{sys.prefix}/.run-ready"
    command = ["make", "--no-print-directory", "-o", ready, f"VENV={sys.prefix}", f"PROFILE={profile}", f"OUT={out}"]
    # An installed checkout is found after what stands on the path, so that a copy of it is what runs.
    found = environment(keys, PYTHONPATH=str(checkout))
    return subprocess.run([*command, *arguments], cwd=checkout, env=found, capture_output=True, text=True, check=False)


def small_way(folder: Path) -> Way:
    """The whole way under ``folder``: made by the first process that asks for it, while all others wait."""
    way = Way(load_profile(PROFILE), Place(PROFILE, folder / "artifacts"), folder / "keys")
    folder.mkdir(parents=True, exist_ok=True)
    answer = folder / "make.txt"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.is_file():
            done = make(way.place.out, way.keys, "run")
            answer.write_text(f"{done.returncode}\n{done.stdout}{done.stderr}")
    code, _, said = answer.read_text().partition("\n")
    if code != "0":
        raise AssertionError(f"make run ended with {code}:\n{said}")
    return way
