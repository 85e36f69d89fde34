"""Tiny labelled worlds with known truth, and a small model trained on one of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scipy.special import expit

from models.components.calibration import IDENTITY, fit_affine
from models.components.encoding import EncodingSettings, FeatureFacts, encode_matrix, encoded_columns, fit_encoding
from models.components.gbm import GbmParameters, fit_gbm
from models.components.linear import fit_linear
from models.components.model import CreditModel
from models.components.scale import GradeScale, PointsScale
from models.components.scorecard import ScorecardComponent, fit_scorecard
from models.components.settings import FitSettings
from models.registry.bundle import BundleMeta, bundle_contents, write_bundle
from models.training.dataset import Dataset

if TYPE_CHECKING:
    from pathlib import Path

    from models.components.encoding import Direction, FloatArray


class World(NamedTuple):
    """A labelled sample and the log-odds from which its defaults were drawn."""

    dataset: Dataset
    true_log_odds: FloatArray


def fact(name: str, direction: Direction, pillar: str = "sales_health", family: str | None = None) -> FeatureFacts:
    return FeatureFacts(
        name=name,
        pillar=pillar,
        family=family or name,
        unit="share",
        direction=direction,
        title_en=name.replace("_", " ").capitalize(),
        title_zh=f"指标{name}",
    )


WORLD_FACTS = (
    fact("payout_sum_90d", -1, "sales_health", "payout_sum"),
    fact("payout_sum_365d", -1, "sales_health", "payout_sum"),
    fact("refund_share_90d", 1, "user_quality"),
    fact("declaration_gap_days", 1, "supply_chain"),
    fact("reserve_share_90d", 1, "liquidity"),
    fact("largest_platform_share", 1, "platform_dependence"),
    fact("neighbour_default_share", 1, "related_parties"),
    fact("customs_payout_ratio", 0, "data_integrity"),
    fact("months_observed", 0, "data_integrity"),
    fact("site_session_trend", 0, "user_quality"),
)
WORLD_TWO_SIDED = ("customs_payout_ratio",)


def world(n: int = 2000, seed: int = 7, sellers: int | None = None, withheld_share: float = 0.1) -> World:
    """Return observations at quarter ends; risk rises with weak payouts, refunds, gaps, reserves, odd customs ratios.

    Sellers at risk withhold more. ``months_observed`` is always known, ``site_session_trend`` often not.
    """
    generator = np.random.default_rng(seed)
    seller_count = sellers or n
    seller = generator.permutation(n) % seller_count
    weakness = generator.normal(size=seller_count)[seller]
    z = generator.normal(size=(n, len(WORLD_FACTS)))
    X = 0.6 * weakness[:, None] * np.array([-1, -1, 1, 1, 1, 1, 1, 0, 0, 0]) + z
    X[:, 1] = 0.8 * X[:, 0] + 0.6 * X[:, 1]
    X[:, 5] = np.clip(np.round(expit(X[:, 5]), 1), 0.1, 1.0)
    X[:, 8] = np.round(12 + 6 * np.abs(z[:, 8]))
    distance = np.abs(X[:, 7])
    truth = -2.6 - 0.7 * X[:, 0] + 0.5 * X[:, 2] + 0.4 * X[:, 3] + 0.4 * X[:, 4] + 0.8 * X[:, 5] + 0.4 * distance
    y = (generator.random(n) < expit(truth)).astype(np.int8)
    hidden = generator.random(X.shape) < withheld_share * expit(truth + 2.6)[:, None] * 2.0
    hidden[:, 8] = False
    quarter = np.datetime64("2022-03-31") + 91 * generator.integers(0, 12, n)
    names = np.char.add("S", np.char.zfill(seller.astype(np.str_), 6))
    dataset = Dataset(
        X=np.where(hidden, np.nan, X),
        y=y,
        seller_id=names,
        as_of=np.asarray(quarter, dtype="datetime64[D]"),
        component_id=np.char.add("group-", (seller // 2).astype(np.str_)),
        facts=WORLD_FACTS,
    )
    return World(dataset, truth)


def train_small_model(dataset: Dataset, seed: int = 3, *, blend: bool = True) -> CreditModel:
    """Return a blend of a few small trees and a scorecard (or only the trees), calibrated on the same sample."""
    features = fit_encoding(dataset.X, dataset.facts, EncodingSettings(two_sided=WORLD_TWO_SIDED))
    encoded = encode_matrix(features, dataset.X)
    directions = [direction for _, direction in encoded_columns(features)]
    trees = fit_gbm(
        encoded, dataset.y, directions, GbmParameters(leaves=8, rows_in_leaf=20), FitSettings(seed=seed, max_rounds=40)
    )
    card = fit_scorecard(encoded, dataset.y, directions, penalty=5.0)
    components, weights = ((trees, card), (0.6, 0.4)) if blend else ((trees,), (1.0,))
    raw = CreditModel(features, components, weights, IDENTITY, PointsScale(), GradeScale())
    return replace(raw, calibrator=fit_affine(raw.margin(dataset.X), dataset.y, dataset.component_id))


def train_linear_model(dataset: Dataset) -> CreditModel:
    """Return a single linear component, calibrated on the same sample."""
    features = fit_encoding(dataset.X, dataset.facts, EncodingSettings(two_sided=WORLD_TWO_SIDED))
    directions = [direction for _, direction in encoded_columns(features)]
    component = fit_linear(encode_matrix(features, dataset.X), dataset.y, directions, penalty=16.0)
    raw = CreditModel(features, (component,), (1.0,), IDENTITY, PointsScale(), GradeScale())
    return replace(raw, calibrator=fit_affine(raw.margin(dataset.X), dataset.y, dataset.component_id))


@lru_cache(maxsize=1)
def small_world() -> World:
    """Return the training world of the small model (2,000 rows, 10 features)."""
    return world()


@lru_cache(maxsize=1)
def small_credit_model() -> CreditModel:
    """Return a small trained model: one-sided, two-sided, free and set-aside features, two components."""
    return train_small_model(small_world().dataset)


@lru_cache(maxsize=1)
def small_linear_model() -> CreditModel:
    """Return a linear model of the same world and features."""
    return train_linear_model(small_world().dataset)


def bundle_meta(**changes: object) -> BundleMeta:
    """Return the metadata of a bundle of the small model."""
    facts: dict[str, object] = {
        "model_name": "seller-default",
        "model_version": "test-1",
        "feature_set": "small@1",
        "feature_set_digest": "0" * 64,
        "contracts": ("money_event@1.0.0",),
        "data_digests": {"matrix": "1" * 64},
        "code_version": "test",
        "evidence": "tiny synthetic sample",
        "is_synthetic": True,
        "performance_days": 365,
        "trained_from": dt.date(2022, 3, 31),
        "trained_until": dt.date(2024, 12, 31),
    }
    return BundleMeta.model_validate(facts | changes)


def signing_key(seed: int = 1) -> Ed25519PrivateKey:
    """Return a key for tests, always the same for the same seed."""
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def write_small_bundle(folder: Path, key: Ed25519PrivateKey | None = None, model: CreditModel | None = None) -> str:
    """Write a model of the small world (by default the small model) as a bundle and return its digest.

    Signed with ``key``, or ``signing_key()``.
    """
    dataset = small_world().dataset
    contents = bundle_contents(model or small_credit_model(), dataset.X, dataset.y)
    return write_bundle(contents, bundle_meta(), key or signing_key(), folder)


def table_world(n: int = 1200, seed: int = 5) -> World:
    """Return an undirected table with gaps, a category and special codes, and the log-odds behind its defaults.

    A missing income is a risk, a purpose is one of four levels or missing, -9 months since arrears means never.
    Higher debt is declared as a risk and has a special code and gaps too. ``empty`` and ``constant`` say nothing.
    """
    generator = np.random.default_rng(seed)
    income, debt = generator.normal(size=(2, n))
    purpose = generator.integers(0, 4, n).astype(np.float64)
    months = generator.integers(0, 60, n).astype(np.float64)
    never, unknown = generator.random((2, n)) < 0.3
    truth = -1.5 - 0.8 * income + 0.8 * debt + np.array([-0.8, 0.0, 0.3, 1.2])[purpose.astype(int)] - 1.2 * never
    truth = np.where(unknown, truth + 1.2 + 0.8 * income, truth)
    debt = np.where(generator.random(n) < 0.1, np.where(generator.random(n) < 0.5, -1.0e6, np.nan), debt)
    columns = [
        np.where(unknown, np.nan, income),
        debt,
        np.where(generator.random(n) < 0.05, np.nan, purpose),
        np.where(never, -9.0, months),
        np.full(n, np.nan),
        np.ones(n),
    ]
    names = np.char.add("row ", np.arange(n).astype(np.str_))
    y = (generator.random(n) < expit(truth)).astype(np.int8)
    dates = np.full(n, np.datetime64("2024-01-01"))
    return World(Dataset(np.column_stack(columns), y, names, dates, names, TABLE_FACTS), truth)


TABLE_FACTS = (
    fact("income", 0),
    fact("debt", 1).model_copy(update={"special_codes": (-1.0e6,)}),
    fact("purpose", 0).model_copy(update={"levels": ("boat", "car", "house", "旅行")}),
    fact("months_since_arrears", 0).model_copy(update={"special_codes": (-9.0,)}),
    fact("empty", 0),
    fact("constant", 0),
)


@lru_cache(maxsize=1)
def table_models() -> dict[str, CreditModel]:
    """Return a linear model, a scorecard and a booster of the table world, which keep its gaps."""
    dataset = table_world().dataset
    features = fit_encoding(dataset.X, dataset.facts, EncodingSettings(free_features="keep_gaps"), dataset.y)
    encoded = encode_matrix(features, dataset.X)
    directions = [direction for _, direction in encoded_columns(features)]
    parameters, settings = GbmParameters(leaves=8, rows_in_leaf=20), FitSettings(seed=3, max_rounds=60)
    components = {
        "linear": fit_linear(encoded, dataset.y, directions, penalty=4.0),
        "scorecard": fit_scorecard(encoded, dataset.y, directions, penalty=4.0),
        "booster": fit_gbm(encoded, dataset.y, directions, parameters, settings),
    }
    return {
        name: CreditModel(features, (component,), (1.0,), IDENTITY, PointsScale(), GradeScale())
        for name, component in components.items()
    }


def scorecards() -> dict[str, CreditModel]:
    """Return a scorecard of sellers (one-sided, two-sided, free) and one of a table (gaps, codes, a category)."""
    dataset = small_world().dataset
    features = fit_encoding(dataset.X, dataset.facts, EncodingSettings(two_sided=WORLD_TWO_SIDED))
    directions = [direction for _, direction in encoded_columns(features)]
    card = fit_scorecard(encode_matrix(features, dataset.X), dataset.y, directions, penalty=5.0)
    raw = CreditModel(features, (card,), (1.0,), IDENTITY, PointsScale(), GradeScale())
    calibrator = fit_affine(raw.margin(dataset.X), dataset.y, dataset.component_id)
    return {"sellers": replace(raw, calibrator=calibrator), "table": table_models()["scorecard"]}


def awkward_rows(model: CreditModel, rows: int, seed: int = 1) -> np.ndarray:
    """Return rows of edges and their neighbours, ends of ranges, codes, NaN, infinities and amounts between."""
    generator = np.random.default_rng(seed)
    (card,) = model.components
    assert isinstance(card, ScorecardComponent)
    columns, X = iter(card.table.columns), np.empty((rows, len(model.features)))
    for place, feature in enumerate(model.features):
        edges = [edge for _ in feature.columns for edge in next(columns).edges]
        centre = feature.lower if feature.centre is None else feature.centre
        marks = [feature.lower, feature.upper, centre, *edges, *(centre - edge for edge in edges)]
        marks += [centre + edge for edge in edges]
        beside = [np.nextafter(mark, way) for mark in marks for way in (-np.inf, np.inf)]
        outside = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300, *feature.special_codes]
        levels = [float(level) for level in range(len(feature.levels or ()) + 2)]
        chosen = generator.choice(np.array([*marks, *beside, *outside, *levels]), rows)
        width = max(feature.upper - feature.lower, 1.0)
        between = generator.uniform(feature.lower - 0.2 * width, feature.upper + 0.2 * width, rows)
        X[:, place] = np.where(generator.random(rows) < 0.5, chosen, between)
    return X
