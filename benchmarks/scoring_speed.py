"""Speed and memory of batch scoring on a ready matrix, beside plain ``Booster.predict`` in the same run.

Makes a synthetic matrix and a synthetic model of a given size and times these tasks in turns, so a slower machine slows
all of them: the booster alone on a matrix in memory (scores, and contributions of the first rows, from which those of
all are reckoned), and our scorer from a bundle and Parquet to Parquet, without and with reasons. Ratios are taken round
by round, in one process and after one round that does not count, so libraries are loaded. Writes JSON; asserts nothing.

    python benchmarks/scoring_speed.py --name scoring_speed_500x31 --trees 500 --leaves 31 --features 80
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
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from pipelines.runs.score_formats import ScoreFormat
from pipelines.score.applicants import read_applicants
from pipelines.score.chunk_files import ChunkFolder, join_chunks, score_in_chunks
from pipelines.score.scorer import ScoringContext, score_chunk

if TYPE_CHECKING:
    from collections.abc import Callable

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
    contribution_rows: int


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
    chunks = ChunkFolder(out / "parts", b"key of the issuer")
    parts = score_in_chunks(applicants.chunks(size.chunk_rows), lambda chunk: score_chunk(context, chunk), chunks)
    join_chunks(chunks, parts, {}, out, [ScoreFormat.PARQUET])


def encoded_rows(folder: Path, model: CreditModel) -> np.ndarray:
    """Return the applicants as the matrix that the booster takes."""
    table = pq.read_table(folder / "applicants.parquet")
    X = np.column_stack([table[name].to_numpy() for name in model.feature_names])
    return np.ascontiguousarray(model.encode(X))


def predict_once(component: LightGbmComponent, encoded: np.ndarray, size: Size, *, contributions: bool) -> float:
    """Return CPU seconds of ``Booster.predict`` alone on a matrix in memory, for scores or contributions."""
    rows = encoded[: size.contribution_rows] if contributions else encoded
    wanted = {"pred_contrib": True} if contributions else {"raw_score": True}
    started = time.process_time()
    component.booster.predict(rows, num_threads=size.threads, **wanted)
    return (time.process_time() - started) * len(encoded) / len(rows)


def scoring_seconds(folder: Path, size: Size, *, with_reasons: bool) -> float:
    """Return CPU seconds from the applicant file and the bundle to the scores."""
    started = time.process_time()
    with tempfile.TemporaryDirectory(dir=folder) as out:
        score_once(folder, size, with_reasons=with_reasons, out=Path(out))
    return time.process_time() - started


def rounds(folder: Path, size: Size) -> dict[str, list[float]]:
    """Return the CPU seconds of all tasks, taken in turns, ``repeats`` times after one turn that does not count."""
    model = load_bundle(folder / "bundle", [KEY.public_key()], size.threads).model
    component, encoded = model.components[0], encoded_rows(folder, model)
    if not isinstance(component, LightGbmComponent):
        raise TypeError("the benchmark's model must be a booster")
    tasks: dict[str, Callable[[], float]] = {
        "predict": lambda: predict_once(component, encoded, size, contributions=False),
        "without_reasons": lambda: scoring_seconds(folder, size, with_reasons=False),
        "predict_contributions": lambda: predict_once(component, encoded, size, contributions=True),
        "with_reasons": lambda: scoring_seconds(folder, size, with_reasons=True),
    }
    turns = [{name: task() for name, task in tasks.items()} for _ in range(size.repeats + 1)]
    return {name: [turn[name] for turn in turns[1:]] for name in tasks}


def peak_memory(task: str, folder: Path, size: Size) -> dict[str, float]:
    """Return the peak memory of one task in a process of its own, in MiB."""
    command = [sys.executable, __file__, "--task", task, "--folder", str(folder), "--size", json.dumps(asdict(size))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_task(task: str, folder: Path, size: Size) -> dict[str, float]:
    """Run the task that ``peak_memory`` asks for."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    scoring_seconds(folder, size, with_reasons=task == "with_reasons")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"peak_mib": round(peak), "peak_over_imports_mib": round(peak - before)}


def measure(size: Size, *, with_memory: bool) -> dict[str, Any]:
    """Write the world, take all rounds, and measure memory if it is wanted."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_world(folder, size)
        found = rounds(folder, size)
        ours = ("without_reasons", "with_reasons") if with_memory else ()
        memory = {task: peak_memory(task, folder, size) for task in ours}
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "size": asdict(size),
        "machine": {"python": platform.python_version(), "processor": platform.processor() or platform.machine()},
        "data": "synthetic",
        "median_ratios_of_cpu_seconds": {
            "without_reasons to Booster.predict alone": _ratio(found["without_reasons"], found["predict"]),
            "with_reasons to pred_contrib alone": _ratio(found["with_reasons"], found["predict_contributions"]),
        },
        "cpu_seconds": {task: [round(one, 3) for one in seconds] for task, seconds in found.items()},
        "memory": memory,
    }


def _ratio(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Return the median, the lowest and the highest ratio, round by round."""
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    return {
        "median": round(statistics.median(ratios), 3),
        "lowest": round(min(ratios), 3),
        "highest": round(max(ratios), 3),
    }


def main() -> None:
    """Parse, measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--features", type=int, default=60)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--leaves", type=int, default=15)
    parser.add_argument("--chunk-rows", type=int, default=8192)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--contribution-rows", type=int, default=2000)
    parser.add_argument("--memory", action="store_true", help="also measure peak memory, in processes of their own")
    parser.add_argument("--name", default="scoring_speed")
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
        contribution_rows=given.contribution_rows,
    )
    found = measure(size, with_memory=given.memory)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / f"{given.name}.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps({"ratios": found["median_ratios_of_cpu_seconds"], "memory": found["memory"]}, indent=1))


if __name__ == "__main__":
    main()
