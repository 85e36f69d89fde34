"""A bundle states whether our own way through its trees is proven, and is read by LightGBM alone where it is not."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest

from data_contracts.errors import IntegrityRefused
from models.components.fast_trees import FastTrees
from models.components.oracle import uses_own_way
from models.registry.bundle import load_bundle
from models.registry.sealed_folder import seal, unseal
from tests.factories.models import bundle_meta, signing_key, small_world, train_small_model, write_small_bundle

if TYPE_CHECKING:
    from pathlib import Path

KEY = signing_key()
TRUSTED = (KEY.public_key(),)
WORLD = small_world()
TREES = train_small_model(WORLD.dataset, blend=False)
RIGHT = FastTrees.contributions_of_few


def resealed(folder: Path, old: bytes, new: bytes) -> Path:
    files = dict(unseal(folder, TRUSTED).files)
    assert old in files["model.json"]
    files["model.json"] = files["model.json"].replace(old, new)
    other = folder.with_name("other")
    seal(other, files, bundle_meta().model_dump(mode="json"), KEY)
    return other


def test_a_bundle_of_today_is_proven_and_one_of_yesterday_is_not(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "bundle", KEY, TREES)
    stated = json.loads((tmp_path / "bundle" / "model.json").read_text())["components"]
    assert [one.get("proven") for one in stated] == ["byte_ranks_1"]
    assert uses_own_way(load_bundle(tmp_path / "bundle", TRUSTED).model)
    older = resealed(tmp_path / "bundle", b',\n   "proven": "byte_ranks_1"', b"")
    model = load_bundle(older, TRUSTED).model
    assert not uses_own_way(model)
    X = WORLD.dataset.X
    assert np.array_equal(model.contributions(X).values, TREES.contributions(X).values)


def test_another_statement_than_the_known_one_is_refused(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "bundle", KEY, TREES)
    with pytest.raises(IntegrityRefused, match=r"model\.json cannot be read"):
        load_bundle(resealed(tmp_path / "bundle", b"byte_ranks_1", b"byte_ranks_2"), TRUSTED)


def test_golden_rows_that_only_lightgbm_reproduces_leave_the_model_to_lightgbm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_small_bundle(tmp_path / "bundle", KEY, TREES)
    monkeypatch.setattr(FastTrees, "contributions_of_few", lambda self, rows: np.roll(RIGHT(self, rows), 1, axis=1))
    with caplog.at_level(logging.WARNING):
        model = load_bundle(tmp_path / "bundle", TRUSTED).model
    assert not uses_own_way(model)
    assert "golden rows come out by LightGBM alone" in caplog.text
