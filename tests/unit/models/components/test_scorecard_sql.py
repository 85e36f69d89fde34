"""A scorecard in SQL gives the scores and grades of the model, row by row, to the last bit."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from data_contracts.errors import ConfigurationRefused
from models.components.scorecard_sql import scorecard_sql
from tests.factories.models import awkward_rows, scorecards, small_credit_model


@pytest.mark.parametrize("name", ["sellers", "table"])
def test_every_score_and_grade_of_awkward_rows_is_that_of_the_model(name: str) -> None:
    model = scorecards()[name]
    X = awkward_rows(model, 20_000)
    columns = {feature.name: pa.array(X[:, at]) for at, feature in enumerate(model.features)}
    applicants = pa.table({"row": np.arange(len(X)), **columns})  # noqa: F841 - DuckDB reads it by name
    statement = scorecard_sql(model, "applicants", ["row"], "duckdb")
    found = duckdb.sql(statement).arrow().read_all().sort_by("row").to_pandas()
    may_be_scored = ~model.missing_required(X)
    assert np.array_equal(found["log_odds"].notna(), may_be_scored)
    scored, known = found[may_be_scored], X[may_be_scored]
    assert len(known) > 5_000
    assert np.array_equal(scored["log_odds"].to_numpy(np.float64), model.log_odds(known))
    assert np.array_equal(scored["score"].to_numpy(np.int64), model.score(known))
    assert scored["grade"].tolist() == model.grades_of(known)
    assert np.allclose(scored["probability"].to_numpy(np.float64), model.probability(known), rtol=1e-15, atol=0)
    refused = found[~may_be_scored]
    assert refused[["probability", "score", "grade"]].isna().all(axis=None)


def test_nulls_count_as_missing() -> None:
    model = scorecards()["table"]
    columns = {feature.name: pa.nulls(1, pa.float64()) for feature in model.features}
    applicants = pa.table(columns)  # noqa: F841 - DuckDB reads it by name
    (score,) = duckdb.sql(scorecard_sql(model, "applicants", [], "duckdb")).arrow().read_all()["score"].to_pylist()
    assert score == model.score(np.full((1, len(model.features)), np.nan))[0]


def test_a_model_that_is_no_scorecard_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigurationRefused, match='champion = "scorecard"'):
        scorecard_sql(small_credit_model(), "applicants", [], "duckdb")


def test_names_are_quoted() -> None:
    model = scorecards()["table"]
    statement = scorecard_sql(model, '"my table"', ['a"b'], "postgresql")
    assert '"a""b"' in statement
    assert "`income`" in scorecard_sql(model, "t", [], "spark")
