"""Speed and memory of batch scoring on a ready matrix, beside plain ``Booster.predict`` in the same run.

Makes a synthetic matrix and a synthetic model of a given size and times these tasks in turns, so a slower machine slows
all of them: the booster alone on a matrix in memory (scores, and contributions), and our scorer from Parquet to
Parquet, JSON lines and CSV, without and with reasons. Writes JSON; asserts nothing.

    python benchmarks/scoring_speed.py --out artifacts/benchmarks
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scipy.special import expit

from models.components.calibration import IDENTITY, fit_affine
from models.components.encoding import EncodingSettings, FeatureFacts, encode_matrix, encoded_columns, fit_encoding
from models.components.gbm import GbmParameters, LightGbmComponent, fit_gbm
from models.components.model import CreditModel
from models.components.scale import GradeScale, PointsScale
from models.components.settings import FitSettings
from models.registry.bundle import BundleMeta, bundle_contents, load_bundle, write_bundle
from pipelines.profiles.score_settings import ScoringLimits
from pipelines.score.applicants import read_applicants
from pipelines.score.chunk_files import ChunkFolder, join_chunks, score_in_chunks
from pipelines.score.scorer import ScoringContext, score_chunk

AS_OF = date(2024, 12, 31)
ISSUED_ON = date(2025, 1, 15)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@dataclass(frozen=True)
class Size:
    """Size of the rows and of the model."""

    rows: int
    features: int
    trees: int
    leaves: int
    train_rows: int
    chunk_rows: int
    repeats: int
    threads: int


def synthetic_rows(count: int, features: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a matrix (count, features) with 15 % missing values, and outcomes, one in twenty of them bad."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(count, features))
    logit = -3.2 + 0.5 * X[:, :8].sum(axis=1) / np.sqrt(8) + 0.3 * np.abs(X[:, 8])
    X[generator.random(X.shape) < 0.15] = np.nan
    return X, (generator.random(count) < expit(logit)).astype(np.int8)


def trained_model(size: Size) -> tuple[CreditModel, np.ndarray, np.ndarray]:
    """Return a monotone booster of the given size, calibrated on its own training rows."""
    X, y = synthetic_rows(size.train_rows, size.features, seed=1)
    facts = [
        FeatureFacts(
            name=f"feature_{number:03d}",
            pillar=("sales_health", "user_quality", "supply_chain", "liquidity")[number % 4],
            family=f"feature_{number:03d}",
            unit="ratio",
            direction=1,
            title_en=f"Feature {number}",
            title_zh=f"指标{number}",
        )
        for number in range(size.features)
    ]
    features = fit_encoding(X, facts, EncodingSettings())
    directions = [direction for _, direction in encoded_columns(features)]
    settings = FitSettings(seed=1, threads=2, max_rounds=size.trees, patience=size.trees)
    parameters = GbmParameters(leaves=size.leaves, rows_in_leaf=20, learning_rate=0.02)
    trees = fit_gbm(encode_matrix(features, X), y, directions, parameters, settings)
    raw = CreditModel(features, (trees,), (1.0,), IDENTITY, PointsScale(), GradeScale())
    clusters = np.arange(len(y)).astype(np.str_)
    return replace(raw, calibrator=fit_affine(raw.margin(X), y, clusters)), X[:500], y[:500]


def write_world(folder: Path, size: Size) -> None:
    """Write the applicant file and the bundle."""
    model, X, y = trained_model(size)
    meta = BundleMeta(
        model_name="benchmark",
        model_version="1",
        feature_set="benchmark",
        feature_set_digest="0" * 64,
        contracts=(),
        data_digests={},
        code_version="benchmark",
        evidence="synthetic benchmark",
        is_synthetic=True,
        performance_days=365,
        trained_from=AS_OF,
        trained_until=AS_OF,
    )
    write_bundle(bundle_contents(model, X, y), meta, KEY, folder / "bundle")
    rows, _ = synthetic_rows(size.rows, size.features, seed=2)
    columns = {name: pa.array(rows[:, place], from_pandas=True) for place, name in enumerate(model.feature_names)}
    sellers = [f"S{number:07d}" for number in range(size.rows)]
    days = pa.array([AS_OF] * size.rows, pa.date32())
    pq.write_table(pa.table({"seller_id": sellers, "as_of": days, **columns}), folder / "applicants.parquet")


def score_once(folder: Path, size: Size, *, with_reasons: bool, out: Path) -> None:
    """Score from the applicant file to the score files, as ``passport score`` does."""
    bundle = load_bundle(folder / "bundle", [KEY.public_key()], size.threads)
    applicants = read_applicants(folder / "applicants.parquet", bundle.model.feature_names, None)
    context = ScoringContext(bundle, ScoringLimits(), ISSUED_ON, "1", with_reasons)
    folder = ChunkFolder(out / "parts", b"key of the issuer")
    parts = score_in_chunks(applicants.chunks(size.chunk_rows), lambda chunk: score_chunk(context, chunk), folder)
    join_chunks(folder, parts, {}, out)


def predict_once(folder: Path, size: Size, *, contributions: bool) -> float:
    """Return CPU seconds of ``Booster.predict`` alone on the encoded matrix in memory, for scores or contributions."""
    model = load_bundle(folder / "bundle", [KEY.public_key()], size.threads).model
    table = pq.read_table(folder / "applicants.parquet")
    encoded = model.encode(np.column_stack([table[name].to_numpy() for name in model.feature_names]))
    component = model.components[0]
    if not isinstance(component, LightGbmComponent):
        raise TypeError("the benchmark's model must be a booster")
    component.booster.predict(encoded[:10], num_threads=size.threads)
    started = time.process_time()
    wanted = {"pred_contrib": True} if contributions else {"raw_score": True}
    component.booster.predict(encoded, num_threads=size.threads, **wanted)
    return time.process_time() - started


def child(task: str, folder: Path, size: Size) -> dict[str, float]:
    """Return CPU seconds, wall seconds and peak memory of one task in its own process."""
    command = [sys.executable, __file__, "--task", task, "--folder", str(folder), "--size", json.dumps(asdict(size))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_task(task: str, folder: Path, size: Size) -> dict[str, float]:
    """Run the task that ``child`` asks for."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    clock, cpu = time.perf_counter(), time.process_time()
    if task.startswith("predict"):
        cpu_seconds = predict_once(folder, size, contributions=task == "predict_contributions")
    else:
        with tempfile.TemporaryDirectory(dir=folder) as out:
            score_once(folder, size, with_reasons=task == "with_reasons", out=Path(out))
        cpu_seconds = time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "cpu_seconds": cpu_seconds,
        "clock_seconds": time.perf_counter() - clock,
        "peak_mib": peak,
        "peak_over_imports_mib": peak - before,
    }


def measure(size: Size) -> dict[str, Any]:
    """Run all tasks in turns, ``repeats`` times."""
    tasks = ("predict", "without_reasons", "predict_contributions", "with_reasons")
    found: dict[str, list[dict[str, float]]] = {task: [] for task in tasks}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_world(folder, size)
        for _ in range(size.repeats):
            for task in tasks:
                found[task].append(child(task, folder, size))
    predict = statistics.median(one["cpu_seconds"] for one in found["predict"])
    return {
        "size": asdict(size),
        "machine": {"python": platform.python_version(), "processor": platform.processor() or platform.machine()},
        "data": "synthetic",
        "results": {task: _summary(runs, size.rows, predict) for task, runs in found.items()},
    }


def _summary(runs: list[dict[str, float]], rows: int, predict: float) -> dict[str, object]:
    cpu = statistics.median(one["cpu_seconds"] for one in runs)
    return {
        "rows_per_cpu_second": round(rows / cpu),
        "cpu_seconds_median": round(cpu, 3),
        "times_booster_predict": round(cpu / predict, 2),
        "peak_mib": round(max(one["peak_mib"] for one in runs)),
        "peak_over_imports_mib": round(max(one["peak_over_imports_mib"] for one in runs)),
        "runs": runs,
    }


def main() -> None:
    """Parse, measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=60)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--leaves", type=int, default=15)
    parser.add_argument("--chunk-rows", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        print(json.dumps(run_task(given.task, given.folder, Size(**given.size))))
        return
    size = Size(
        rows=given.rows,
        features=given.features,
        trees=given.trees,
        leaves=given.leaves,
        train_rows=20_000,
        chunk_rows=given.chunk_rows,
        repeats=given.repeats,
        threads=given.threads,
    )
    found = measure(size)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "scoring_speed.json").write_text(json.dumps(found, indent=2) + "\n")
    for task, one in found["results"].items():
        print(task, {name: value for name, value in one.items() if name != "runs"})


if __name__ == "__main__":
    main()
