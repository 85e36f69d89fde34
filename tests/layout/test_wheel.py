"""The wheel contains all of the packages and nothing else, and scores where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.signing.keys import KeyRing, trust_file_for
from tests.factories.models import signing_key, small_world, write_small_bundle

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("data_contracts", "features", "lending", "models", "pipelines", "simulator")
BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True)
class Installation:
    """An environment with the wheel and the installed dependencies, but without the checkout."""

    folder: Path

    def run(self, program: str, *arguments: str, cwd: Path) -> str:
        """Run a program of the environment, which must succeed, and return its output."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_"))}
        done = subprocess.run(
            [str(self.folder / "bin" / program), *arguments],
            cwd=cwd,
            env={**inherited, "KEYS_DIR": str(cwd / "keys")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, because files of an earlier build beside the sources would slip into it."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(CHECKOUT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BUILT_FROM:
        shutil.copy2(CHECKOUT / name, folder / "source" / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(folder / "source")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("installation") / "venv"
    python = folder / "bin" / "python"
    commands = [
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
    ]
    if uv := shutil.which("uv"):
        commands = [
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(python), str(wheel)],
        ]
    for command in commands:
        subprocess.run(command, check=True, capture_output=True, text=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # A path file inside a folder that a path file names is not read, so the editable checkout stays unseen.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Installation(folder)


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    present = {
        path.relative_to(CHECKOUT).as_posix()
        for name in PACKAGES
        for path in (CHECKOUT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == present
    for kind in ("odcs.yaml", ".toml", ".j2", ".css", "py.typed"):
        assert any(name.endswith(kind) for name in held), kind


def test_the_installed_packages_are_not_those_of_the_checkout(installation: Installation, tmp_path: Path) -> None:
    code = f"import importlib; [print(importlib.import_module(name).__file__) for name in {PACKAGES!r}]"
    for line in installation.run("python", "-c", code, cwd=tmp_path).splitlines():
        assert Path(line).is_relative_to(installation.folder)
    assert "score" in installation.run("passport", "--help", cwd=tmp_path)


def test_the_installed_command_reads_its_contracts_feature_sets_and_profiles(
    installation: Installation, tmp_path: Path
) -> None:
    written = installation.run("passport", "docs", "--folder", "docs", cwd=tmp_path)
    assert len(written.splitlines()) > 20
    for page in (tmp_path / "docs").rglob("*.md"):
        kept = CHECKOUT / "docs" / page.relative_to(tmp_path / "docs")
        assert page.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8")
    code = (
        "from pipelines.profiles import load_profile as load, shipped_profiles; print(*map(load, shipped_profiles()))"
    )
    said = installation.run("python", "-c", code, cwd=tmp_path)
    assert all(f"name='{name}'" in said for name in ("cumcm2020c", "demo", "small"))


def test_the_installed_command_scores_a_sample_and_issues_passports(installation: Installation, tmp_path: Path) -> None:
    key = signing_key()
    write_small_bundle(tmp_path / "bundle", key)
    trust = trust_file_for(KeyRing(key, bytes(32), is_demonstration=True), "test", date(2020, 1, 1))
    (tmp_path / "trust.json").write_bytes(trust)
    dataset = small_world().dataset
    columns = {name: dataset.X[:50, place] for place, name in enumerate(dataset.feature_names)}
    identity = {"applicant_id": [f"A{row}" for row in range(50)], "seller_id": [f"S{row}" for row in range(50)]}
    as_of = pa.array([date(2024, 12, 31)] * 50, pa.date32())
    pq.write_table(pa.table({**identity, "as_of": as_of, **columns}), tmp_path / "sample.parquet")
    options = [
        "--bundle",
        "bundle",
        "--trust",
        "trust.json",
        "--issued-on",
        "2025-01-15",
        "--passports",
        "2",
        "--unpromoted",
    ]
    said = installation.run("passport", "score", "sample.parquet", *options, "--out", "results", cwd=tmp_path)
    assert "score: 50 rows" in said
    scores = pq.read_table(tmp_path / "results" / "passports.parquet")
    assert scores.num_rows == 50
    assert scores["score"].null_count < 50
    passports = sorted((tmp_path / "results" / "passports").glob("*.json"))
    assert len(passports) == 2
    assert all(path.with_suffix(".zh.html").is_file() for path in passports)
