"""The statement of a scorecard names its model, and comes only from a bundle that a trusted key signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from data_contracts.errors import IntegrityRefused
from models.registry.promotion_ledger import Ledger
from pipelines.runs.stages import Place
from pipelines.score.model import ModelChoice
from pipelines.score.scorecard_statement import scorecard_statement
from tests.factories.models import scorecards, signing_key, small_world, write_small_bundle

if TYPE_CHECKING:
    from pathlib import Path


def choice(folder: Path, *, trusted: int = 1) -> ModelChoice:
    key = signing_key(trusted).public_key()
    place = Place("small", folder)
    return ModelChoice(place, "seller-default", Ledger(folder / "ledger"), bundle=folder / "bundle", trusted=[key])


def test_the_statement_names_its_model_and_scores_a_table_as_the_model_does(tmp_path: Path) -> None:
    model = scorecards()["sellers"]
    digest = write_small_bundle(tmp_path / "bundle", model=model)
    statement = scorecard_statement(choice(tmp_path), "applicants", ["seller"], "duckdb")
    assert statement.splitlines()[0].endswith(f"bundle {digest}")
    X = small_world().dataset.X[:200]
    X = X[~model.missing_required(X)]
    columns = {feature.name: pa.array(X[:, at]) for at, feature in enumerate(model.features)}
    applicants = pa.table({"seller": np.arange(len(X)), **columns})  # noqa: F841 - DuckDB reads it by name
    found = duckdb.sql(statement).arrow().read_all().sort_by("seller")
    assert found["score"].to_pylist() == model.score(X).tolist()


def test_a_bundle_of_an_unknown_key_is_refused(tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "bundle", model=scorecards()["sellers"])
    with pytest.raises(IntegrityRefused, match="unknown key"):
        scorecard_statement(choice(tmp_path, trusted=2), "applicants", [], "duckdb")
