"""The wheel holds everything a lender needs, and scores away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.keys import KeyRing, trust_file_for
from tests.factories.models import signing_key, small_world, write_small_bundle

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout and unpacked into an empty folder."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "KEYS_DIR": str(folder / "keys")}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_holds_every_contract_profile_set_template_and_text(installed: Path) -> None:
    suffixes = {".yaml", ".toml", ".j2", ".css", ".json", ".typed"}
    packages = ("data_contracts", "features", "models", "pipelines", "simulator")
    wanted = {
        path.relative_to(CHECKOUT)
        for package in packages
        for path in (CHECKOUT / package).rglob("*")
        if path.suffix in suffixes or path.name == "py.typed"
    }
    assert len(wanted) > 40
    assert [str(path) for path in sorted(wanted) if not (installed / path).is_file()] == []


def test_the_wheel_scores_a_sample_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    key = signing_key()
    write_small_bundle(tmp_path / "bundle", key)
    trust = trust_file_for(KeyRing(key, bytes(32), is_demonstration=True), "test", date(2020, 1, 1))
    (tmp_path / "trust.json").write_bytes(trust)
    dataset = small_world().dataset
    columns = {name: dataset.X[:50, place] for place, name in enumerate(dataset.feature_names)}
    identity = {"applicant_id": [f"A{row}" for row in range(50)], "seller_id": [f"S{row}" for row in range(50)]}
    as_of = pa.array([date(2024, 12, 31)] * 50, pa.date32())
    pq.write_table(pa.table({**identity, "as_of": as_of, **columns}), tmp_path / "sample.parquet")
    code = "import models; print(models.__file__); from pipelines.cli import main; main()"
    options = ["--bundle", "bundle", "--trust", "trust.json", "--out", "results"]
    done = run(installed, tmp_path, code, "score", "sample.parquet", *options)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[0]).is_relative_to(installed)
    scores = pq.read_table(tmp_path / "results" / "passports.parquet")
    assert scores.num_rows == 50
    assert scores["score"].null_count < 50
