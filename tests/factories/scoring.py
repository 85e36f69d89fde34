"""A small signed bundle of the small credit model, and applicants for it."""

from __future__ import annotations

import tempfile
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.registry.bundle import Bundle, BundleMeta, bundle_contents, load_bundle, write_bundle
from pipelines.profiles.score_settings import ScoringLimits
from pipelines.score.scorer import ScoringContext
from pipelines.signing.keys import KeyRing
from tests.factories.models import WORLD_FACTS, small_credit_model, small_world

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS = KeyRing(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), bytes(range(32)), is_demonstration=True)
ISSUED_ON = date(2025, 3, 15)
AS_OF = date(2024, 12, 31)
FEATURES = tuple(fact.name for fact in WORLD_FACTS)

META = BundleMeta(
    model_name="seller-default",
    model_version="1.0.0",
    feature_set="test",
    feature_set_digest="ab" * 32,
    contracts=("money_event@1.0.0", "party_link@1.0.0"),
    data_digests={"matrix.parquet": "cd" * 32},
    code_version="0.1.0",
    evidence="synthetic world",
    is_synthetic=True,
    performance_days=365,
    trained_from=date(2022, 3, 31),
    trained_until=date(2024, 12, 31),
)


def write_small_bundle(folder: Path, meta: BundleMeta = META) -> str:
    dataset = small_world().dataset
    return write_bundle(bundle_contents(small_credit_model(), dataset.X, dataset.y), meta, KEYS.signing_key, folder)


@lru_cache(maxsize=1)
def small_bundle() -> Bundle:
    with tempfile.TemporaryDirectory() as folder:
        write_small_bundle(Path(folder) / "bundle")
        return load_bundle(Path(folder) / "bundle", [KEYS.public_key])


def context(*, with_reasons: bool = True, limits: ScoringLimits | None = None) -> ScoringContext:
    return ScoringContext(small_bundle(), limits or ScoringLimits(), ISSUED_ON, "3", with_reasons)


def applicants(count: int = 40, names: Sequence[str] = FEATURES) -> pa.Table:
    """Return rows of the small world as a chunk of applicants, one seller per row."""
    X = small_world().dataset.X[:count]
    rows = range(count)
    return pa.table(
        {
            "source_row": pa.array([row + 1 for row in rows], pa.int64()),
            "applicant_id": [f"A{row:04d}" for row in rows],
            "seller_id": [f"S{row:06d}" for row in rows],
            "as_of": pa.array([AS_OF for _ in rows], pa.date32()),
            "refusals": ["" for _ in rows],
            **{name: pa.array(X[:, FEATURES.index(name)], from_pandas=True) for name in names},
        }
    )


def with_values(chunk: pa.Table, name: str, values: Sequence[object]) -> pa.Table:
    place = chunk.column_names.index(name)
    return chunk.set_column(place, name, pa.array(values, chunk.schema.field(name).type))
