"""A bundle keeps gaps, categories and special codes to the bit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_contracts.errors import IntegrityRefused
from models.components.oracle import with_proven_trees
from models.explanation.reasons import reasons_for_row
from models.registry.bundle import Bundle, bundle_contents, load_bundle, write_bundle
from models.registry.sealed_folder import seal, unseal
from tests.factories.models import bundle_meta, signing_key, table_models, table_world

if TYPE_CHECKING:
    from pathlib import Path

KEY = signing_key()
TRUSTED = (KEY.public_key(),)
DATASET = table_world().dataset


def written(kind: str, folder: Path) -> str:
    contents = bundle_contents(table_models()[kind], DATASET.X, DATASET.y)
    return write_bundle(contents, bundle_meta(), KEY, folder)


@pytest.mark.parametrize("kind", table_models())
def test_a_loaded_model_of_a_table_returns_the_same_numbers_bit_for_bit(kind: str, tmp_path: Path) -> None:
    digest = written(kind, tmp_path / "bundle")
    assert written(kind, tmp_path / "again") == digest
    loaded = load_bundle(tmp_path / "bundle", TRUSTED).model
    model = with_proven_trees(table_models()[kind], DATASET.X)
    assert loaded.features == model.features
    X = np.vstack([DATASET.X, np.full((1, 6), np.nan), [[0.0, 0.0, -1.0, -9.0, 0.0, 0.0]]])
    assert np.array_equal(loaded.log_odds(X), model.log_odds(X))
    assert np.array_equal(loaded.contributions(X).values, model.contributions(X).values)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("table") / "bundle"
    written("scorecard", folder)
    return load_bundle(folder, TRUSTED)


@pytest.mark.parametrize(
    ("position", "english", "chinese"),
    [
        (3.0, "Purpose (旅行) lowers the score", "指标purpose（旅行）拉低评分"),
        (0.0, "Purpose (boat) raises the score", "指标purpose（boat）拉高评分"),
        (np.nan, "Purpose: no data", "指标purpose：无数据"),
        (-1.0, "Purpose (not seen in training) raises the score", "指标purpose（训练样本中未出现过）拉高评分"),
    ],
)
def test_a_reason_names_the_text_of_a_category(bundle: Bundle, position: float, english: str, chinese: str) -> None:
    row = np.array([0.0, 0.0, position, 30.0, np.nan, 1.0])
    points = np.zeros(6, dtype=np.int32)
    points[2] = -20 if "lowers" in english else 20
    found = reasons_for_row(points, row, bundle.model, bundle.dictionary)
    (reason,) = (*found.positive, *found.negative)
    assert (reason.text_en, reason.text_zh, reason.points) == (english, chinese, points[2])


@pytest.mark.parametrize(
    "wrong",
    [
        {"level_risks": [0.0]},
        {"levels": ["boat", "boat", "car", "house"]},
        {"treatment": "gaps_kept"},
        {"levels": None},
    ],
)
def test_a_bundle_whose_category_is_not_whole_is_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    written("scorecard", tmp_path / "bundle")
    content = unseal(tmp_path / "bundle", TRUSTED)
    files = dict(content.files)
    document = json.loads(files["model.json"])
    document["features"][2] |= wrong
    files["model.json"] = json.dumps(document).encode()
    seal(tmp_path / "changed", files, content.about, KEY)
    with pytest.raises(IntegrityRefused, match=r"model\.json cannot be read"):
        load_bundle(tmp_path / "changed", TRUSTED)
