"""Ingest, features and scores of a few made-up firms, run as a program so that its environment can be varied.

python tiny_pipeline.py RAW BUNDLE OUT THREADS WORKERS
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

import pyarrow as pa

from features.build import BuildSettings, build_features
from features.catalogue import load_feature_set
from pipelines.ingest.batches import workers as batch_reading
from pipelines.profiles import load_profile
from pipelines.runs.publish import write_parquet
from pipelines.runs.stages import Place
from pipelines.score.command import ScoreOptions, score_command
from tests.factories.invoice_world import AS_OF
from tests.factories.raw_files import ingest_settings, ingested_and_written
from tests.factories.scoring import KEYS


def main(raw: Path, bundle: Path, out: Path, threads: int, workers: int) -> None:
    """Write ``ingest/``, ``features/`` and ``score/`` below ``out``."""
    settings = ingest_settings(worker_count=workers, batch_bytes=2**24 if workers == 1 else 2**12)
    with mock.patch.object(batch_reading, "SMALL_DELIVERY_BYTES", 0):  # more processes than so few files would get
        result = ingested_and_written(raw, settings, out / "ingest")
    sellers = sorted(set(result.tables["trade_invoice"]["seller_id"].to_pylist()))
    observations = pa.table({"seller_id": sellers, "as_of": pa.array([AS_OF] * len(sellers), pa.date32())})
    feature_set = load_feature_set("trade_invoice")
    matrix = build_features(result.tables, observations, feature_set, settings=BuildSettings(threads=threads))
    write_parquet(out / "features" / "matrix.parquet", matrix.table)
    profile = load_profile("demo").model_copy(update={"ingest": settings})
    options = ScoreOptions(
        out=out / "score",
        profile=profile,
        place=Place("demo", Path("nowhere")),
        issued_on=AS_OF,
        bundle=bundle,
        as_of=AS_OF,
        passport_count=2,
        unpromoted=True,
        threads=threads,
    )
    with mock.patch.object(ScoreOptions, "keys", return_value=KEYS):
        score_command(raw, options)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(Path(given[0]), Path(given[1]), Path(given[2]), int(given[3]), int(given[4]))
