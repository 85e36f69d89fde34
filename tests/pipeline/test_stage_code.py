"""What a stage calls its code is at least what it loads when it really runs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.small_run import CHECKOUT, IMPORT_LOG, PROFILE, STAGES, FinishedRun, environment, import_log

# Loaded to read the command line or a profile: how they are read is in no key, what they say is.
READS_THE_COMMAND = ("pipelines.cli", "pipelines.commands", "pipelines.command_line", "pipelines.index")


def module_files(names: set[str]) -> dict[str, str]:
    """Return the source file of each module below the checkout, by module name; other names are left out."""
    found = {}
    for name in names:
        stem = CHECKOUT.joinpath(*name.split("."))
        path = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
        if path.is_file():
            found[name] = path.relative_to(CHECKOUT).as_posix()
    return found


def loaded(folder: Path, stage: str) -> dict[str, str]:
    return module_files(set((folder / f"{stage}.txt").read_text().split()))


@pytest.fixture(scope="module")
def read_by_a_profile(tmp_path_factory: pytest.TempPathFactory, small_run: FinishedRun) -> set[str]:
    """Return the modules that reading a profile loads: they turn it into settings, whose values are in every key."""
    folder = tmp_path_factory.mktemp("imports")
    code = f"from pipelines.profiles import load_profile; load_profile({PROFILE!r})"
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, cwd=CHECKOUT, env=environment(small_run.keys, **import_log(folder)))
    return set(loaded(folder, "other"))


def code_of(stage: str) -> tuple[str, ...]:
    module = "pipelines.score.results" if stage == "score" else f"pipelines.{stage}.stage"
    folders: tuple[str, ...] = importlib.import_module(module).CODE
    return folders


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_names_the_folder_of_every_module_it_loads(
    stage: str, small_run: FinishedRun, read_by_a_profile: set[str]
) -> None:
    folders = code_of(stage)
    files = loaded(small_run.place.out.parent / IMPORT_LOG, stage)
    assert f"pipelines.{stage}.stage" in files
    unnamed = {
        file
        for name, file in files.items()
        if file not in folders
        and not file.startswith(tuple(f"{folder}/" for folder in folders))
        and name not in read_by_a_profile
        and not name.startswith(READS_THE_COMMAND)
        and not file.endswith("__init__.py")
    }
    assert unnamed == set()


@pytest.mark.parametrize("stage", STAGES)
def test_every_folder_a_stage_names_is_there(stage: str) -> None:
    assert all((CHECKOUT / folder).exists() for folder in code_of(stage))
