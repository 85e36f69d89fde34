"""The scikit-learn estimators: the conventions of scikit-learn, and the promises of our models on any table."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from models.components.tables import table_matrix
from models.estimators import BASE_COLUMN, ColumnWarning, PassportClassifier, PassportScorecard
from models.registry.bundle import bundle_contents, load_bundle, write_bundle
from tests.factories.models import bundle_meta, signing_key, table_world

Fitted = PassportClassifier | PassportScorecard
QUICK = PassportClassifier(trials=1, max_rounds=40)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColumnWarning)
        yield


@pytest.mark.slow
@parametrize_with_checks([QUICK, PassportScorecard()])
def test_the_conventions_of_scikit_learn_hold(estimator: Fitted, check: Callable[[Fitted], None]) -> None:
    check(estimator)


def table(n: int = 600, seed: int = 5) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Return a table of numbers, texts, gaps and special codes, with outcomes in words."""
    dataset = table_world(n, seed).dataset
    frame = pd.DataFrame(dataset.X, columns=list(dataset.feature_names))
    levels = dataset.facts[2].levels or ()
    frame["purpose"] = [None if np.isnan(v) else levels[int(v)] for v in frame["purpose"]]
    return frame, pd.Series(np.where(dataset.y == 1, "late", "in time"))


TABLE, OUTCOME = table()
DECLARED: dict[str, Any] = {
    "directions": {"debt": 1},
    "special_codes": {"debt": (-1.0e6,), "months_since_arrears": (-9,)},
}


@pytest.fixture(scope="module", params=[PassportClassifier(trials=2, max_rounds=60), PassportScorecard()], ids=type)
def fitted(request: pytest.FixtureRequest) -> Fitted:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColumnWarning)
        return clone(request.param).set_params(**DECLARED).fit(TABLE, OUTCOME)


def test_gaps_texts_and_special_codes_rank_new_rows_nearly_as_the_truth_does(fitted: Fitted) -> None:
    fresh, outcome = table(4000, seed=77)
    truth = roc_auc_score(outcome == "late", table_world(4000, 77).true_log_odds)
    assert fitted.classes_.tolist() == ["in time", "late"]
    assert roc_auc_score(outcome == "late", fitted.predict_proba(fresh)[:, 1]) > truth - 0.04


def test_columns_that_say_nothing_are_named_with_the_reason() -> None:
    with pytest.warns(ColumnWarning) as caught:
        clone(QUICK).fit(TABLE, OUTCOME)
    assert [str(warning.message) for warning in caught] == [
        "column 'empty' is set aside: no known value",
        "column 'constant' is set aside: the same value in every row",
    ]


def test_a_column_that_knows_the_outcome_is_named_but_does_not_stop_the_training() -> None:
    leaking = TABLE.assign(recovered=np.where(OUTCOME == "late", 1.0, 0.0))
    with pytest.warns(
        ColumnWarning, match="'recovered' is suspected to know the outcome: value 1 for 192 rows, all"
    ) as caught:
        trained = clone(QUICK).fit(leaking, OUTCOME)
    assert len(caught) == 3
    assert "recovered" in str(trained.candidate_.notes["features_suspected_leaks"])


def test_contributions_add_up_to_the_decision_and_points_to_the_score(fitted: Fitted) -> None:
    parts = fitted.explain(TABLE)
    assert parts.columns.tolist() == [BASE_COLUMN, *TABLE.columns]
    assert np.abs(parts.sum(axis=1) - fitted.decision_function(TABLE)).max() < 1e-9
    points = fitted.explain(TABLE, unit="points")
    assert (points.sum(axis=1) == fitted.score_points(TABLE)).all()
    assert (parts.index == TABLE.index).all()
    assert not parts[["empty", "constant"]].any(axis=None)


def test_a_level_never_seen_a_missing_cell_and_a_row_of_gaps_are_scored(fitted: Fitted) -> None:
    odd = TABLE[:3].copy()
    odd.loc[0, "purpose"], odd.loc[1, "purpose"] = "lunar base", None
    odd.loc[2] = None
    assert np.isfinite(fitted.decision_function(odd)).all()


def test_hiding_a_directed_column_never_pays(fitted: Fitted) -> None:
    hidden = fitted.decision_function(TABLE.assign(debt=np.nan))
    assert (hidden >= fitted.decision_function(TABLE)).all()
    assert (hidden > fitted.decision_function(TABLE)).any()


def test_a_text_in_a_column_of_numbers_is_refused_in_one_line(fitted: Fitted) -> None:
    wrong = TABLE.astype({"income": object})
    wrong.loc[4, "income"] = "n/a"
    with pytest.raises(ValueError, match="row 4, column 'income': 'n/a' is a text in a column of numbers; remedy: "):
        fitted.predict(wrong)


def test_the_same_table_and_seed_make_the_same_model_with_any_number_of_threads() -> None:
    one, two = (clone(QUICK).set_params(threads=threads).fit(TABLE, OUTCOME) for threads in (1, 2))
    assert (one.decision_function(TABLE) == two.decision_function(TABLE)).all()
    other = clone(QUICK).set_params(random_state=np.random.RandomState(4)).fit(TABLE, OUTCOME)
    assert (one.decision_function(TABLE) != other.decision_function(TABLE)).any()


def test_the_order_of_pandas_categories_and_a_pickle_change_nothing(fitted: Fitted) -> None:
    mixed = TABLE.assign(purpose=pd.Categorical(TABLE["purpose"], categories=["house", "旅行", "car", "boat", "other"]))
    assert (fitted.decision_function(mixed) == fitted.decision_function(TABLE)).all()
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - our own bytes
    assert (again.decision_function(TABLE) == fitted.decision_function(TABLE)).all()


def test_the_model_goes_into_a_bundle_and_scores_tables_from_there(fitted: Fitted, tmp_path: Path) -> None:
    model = fitted.model_
    outcome = (OUTCOME == "late").to_numpy().astype(np.int8)
    contents = bundle_contents(model, table_matrix(TABLE, model.features), outcome)
    write_bundle(contents, bundle_meta(), signing_key(), tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle", (signing_key().public_key(),)).model
    assert (loaded.log_odds(table_matrix(TABLE, loaded.features)) == fitted.decision_function(TABLE)).all()


@pytest.mark.parametrize("rows", [30, 12])
def test_a_small_sample_is_trained_on_with_fewer_folds(rows: int) -> None:
    outcome = np.array([1] * 3 + [0] * (rows - 3))
    trained = clone(QUICK).fit(TABLE[:rows], outcome)
    assert trained.candidate_.out_of_fold["fold"].nunique() == 3
    assert np.isfinite(trained.decision_function(TABLE)).all()


@pytest.mark.parametrize(
    ("frame", "outcome", "message"),
    [
        (TABLE[:30], [1] + [0] * 29, "one class of the outcome has 1 rows of 30; remedy: give at least two rows"),
        (TABLE[:30], [0] * 30, "the outcome has only one class"),
        (TABLE[["empty", "constant"]], OUTCOME, "no feature of the set can be used"),
        (TABLE[:3], ["a", "b", "c"], "Only binary classification is supported. The type of the target is multiclass"),
        (TABLE[:3], None, "requires y to be passed"),
        (TABLE[:3], [0, 1], "inconsistent numbers of samples"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_in_one_line(frame: pd.DataFrame, outcome: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clone(QUICK).fit(frame, outcome)


def test_rows_of_one_group_are_never_split_over_folds() -> None:
    groups = np.arange(len(TABLE)) // 3
    trained = clone(QUICK).fit(TABLE, OUTCOME, groups=groups)
    frame = trained.candidate_.out_of_fold
    assert frame.groupby("component_id")["fold"].nunique().max() == 1
    assert frame["fold"].nunique() == 5


def test_the_estimator_works_inside_the_tools_of_scikit_learn() -> None:
    scores = cross_val_score(PassportScorecard(), TABLE, OUTCOME, cv=3, scoring="roc_auc")
    assert scores.min() > 0.7


def test_the_example_of_the_guide_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "data_scientists.md"
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - the guide is ours
    model, rows = names["model"], names["table"][:4]
    assert capsys.readouterr().out.startswith("[0.")
    assert (model.explain(rows, unit="points").sum(axis=1) == model.score_points(rows)).all()


def test_columns_named_by_numbers_have_to_come_in_the_order_of_training() -> None:
    generator = np.random.default_rng(0)
    X = pd.DataFrame(generator.normal(size=(80, 2)))
    model = PassportScorecard().fit(X, (X[0] > 0).to_numpy().astype(int))
    with pytest.raises(ValueError, match="in training they were"):
        model.predict_proba(X[[1, 0]])
