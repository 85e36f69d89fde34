"""Forty firms with 18 months of invoices: raw files, published tables, and a signed bundle over their features."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features.build import build_features
from features.catalogue import load_feature_set
from models.components.calibration import IDENTITY, fit_affine
from models.components.encoding import EncodingSettings, encode_matrix, encoded_columns, feature_facts, fit_encoding
from models.components.gbm import GbmParameters, fit_gbm
from models.components.model import CreditModel
from models.components.scale import GradeScale, PointsScale
from models.components.settings import FitSettings
from models.registry.bundle import bundle_contents, write_bundle
from pipelines.ingest.stage import ingest_folder
from pipelines.runs.publish import write_parquet
from pipelines.validate.reconciliation import RECONCILIATION_FILE, reconciled
from tests.factories.published import publish, record
from tests.factories.raw_files import HMAC_KEY, RawFile, ingest_settings, vat_file, write_raw_folder
from tests.factories.scoring import KEYS, META

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.registry.bundle import BundleMeta
    from pipelines.runs.stages import Place

AS_OF = date(2024, 6, 30)
SELLERS = tuple(f"S{number:06d}" for number in range(40))
MONTHS = [(2023, month) for month in range(1, 13)] + [(2024, month) for month in range(1, 7)]


def raw_files(sellers: Sequence[str] = SELLERS) -> list[RawFile]:
    """Return the sales and purchases of each seller, one file each."""
    return [_invoices(seller, direction) for seller in sellers for direction in ("sale", "purchase")]


def _invoices(seller: str, direction: str) -> RawFile:
    number = int(seller[1:])
    generator = np.random.default_rng(2 * number + (direction == "sale"))
    rows: list[str] = []
    for year, month in MONTHS[: 18 - number % 3]:
        for _ in range(2 + number % 4):
            net = round(float(generator.lognormal(6 + number % 5, 0.5)), 2)
            partner = f"{'B' if direction == 'sale' else 'A'}{generator.integers(0, 12):05d}"
            tax = round(net * 0.13, 2)
            cells = (seller, f"{len(rows) + 1:08d}", f"{year}/{month}/{generator.integers(1, 28)}", partner)
            rows.append(",".join((*cells, f"{net:.2f}", f"{tax:.2f}", f"{net + tax:.2f}", "有效发票")))
    name = f"vat_invoices/{seller}/{direction}.csv"
    return RawFile(name, "vat_invoices", vat_file(direction, rows), seller, covered_to="2024-06-30")


def write_raw_invoices(folder: Path, sellers: Sequence[str] = SELLERS) -> Path:
    return write_raw_folder(folder, raw_files(sellers))


@lru_cache(maxsize=1)
def invoice_tables() -> Mapping[str, pa.Table]:
    with TemporaryDirectory() as folder:
        return ingest_folder(write_raw_invoices(Path(folder)), ingest_settings(), HMAC_KEY).tables


@lru_cache(maxsize=1)
def invoice_matrix() -> pa.Table:
    days = pa.array([AS_OF] * len(SELLERS), pa.date32())
    observations = pa.table({"seller_id": list(SELLERS), "as_of": days})
    return build_features(invoice_tables(), observations, load_feature_set("trade_invoice")).table


@lru_cache(maxsize=1)
def invoice_model() -> tuple[CreditModel, np.ndarray, np.ndarray]:
    """Return a small model over the invoice features with invented outcomes, and its training rows."""
    feature_set = load_feature_set("trade_invoice")
    X = np.column_stack([invoice_matrix()[name].to_numpy() for name in feature_set.names])
    X = np.repeat(X, 6, axis=0)
    y = (np.random.default_rng(5).random(len(X)) < 0.3).astype(np.int8)
    features = fit_encoding(X, feature_facts(feature_set.records), EncodingSettings(free_features="set_aside"))
    directions = [direction for _, direction in encoded_columns(features)]
    parameters = GbmParameters(leaves=4, rows_in_leaf=5)
    trees = fit_gbm(encode_matrix(features, X), y, directions, parameters, FitSettings(max_rounds=30))
    raw = CreditModel(features, (trees,), (1.0,), IDENTITY, PointsScale(), GradeScale())
    clusters = np.arange(len(y)).astype(np.str_)
    return replace(raw, calibrator=fit_affine(raw.margin(X), y, clusters)), X, y


def invoice_meta() -> BundleMeta:
    feature_set = load_feature_set("trade_invoice")
    named = {"feature_set": feature_set.name, "feature_set_digest": feature_set.digest}
    return META.model_copy(update={**named, "trained_until": AS_OF, "trained_from": AS_OF})


def write_invoice_bundle(folder: Path, meta: BundleMeta | None = None) -> str:
    model, X, y = invoice_model()
    return write_bundle(bundle_contents(model, X, y), meta or invoice_meta(), KEYS.signing_key, folder)


def publish_tables(place: Place) -> None:
    """Publish ``validate`` and ``features`` as the stages would."""
    validate, features = publish(place, "validate"), publish(place, "features")
    for name, table in invoice_tables().items():
        write_parquet(validate / "tables" / f"{name}.parquet", table)
    write_parquet(validate / RECONCILIATION_FILE, reconciled(invoice_tables(), AS_OF))
    write_parquet(features / "matrix.parquet", invoice_matrix())
    record(validate, features)
