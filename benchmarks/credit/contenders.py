"""The stock trainer and its peers: each is fitted on the same rows and answers probabilities for the same others.

Nobody is tuned by hand. ``lightgbm_tuned`` tries six settings; the stock trainer tries up to seven boosters. Everything
runs on one thread, so that processor seconds can be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier
from interpret.glassbox import ExplainableBoostingClassifier
from lightgbm import LGBMClassifier
from optbinning import BinningProcess
from scipy.stats import loguniform, randint
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from xgboost import XGBClassifier

from models.estimators import PassportClassifier, PassportScorecard

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Labels = NDArray[np.int64]
    Fit = Callable[[pd.DataFrame, Labels, pd.DataFrame, int], NDArray[np.float64]]
    """Fit on a matrix and its labels, and return probabilities of the rows of the second matrix; the int is a seed."""

OURS = "passport"
OUR_SCORECARD = "passport_scorecard"
SCORECARDS = (OUR_SCORECARD, "optbinning_scorecard", "woe_logistic")
TUNING_FOLDS, TUNING_TRIES = 4, 6
RARE_LEVEL = 0.01


def contenders() -> dict[str, Fit]:
    """Return every contender by name, ours first."""
    return {
        OURS: lambda X, y, new, seed: _probability(PassportClassifier(random_state=seed, threads=1).fit(X, y), new),
        OUR_SCORECARD: lambda X, y, new, seed: _probability(
            PassportScorecard(random_state=seed, threads=1).fit(X, y), new
        ),
        "lightgbm": lambda X, y, new, seed: _with_levels(_lightgbm(seed), X, y, new),
        "lightgbm_tuned": _tuned_lightgbm,
        "catboost": _catboost,
        "xgboost": lambda X, y, new, seed: _with_levels(
            XGBClassifier(enable_categorical=True, n_jobs=1, random_state=seed), X, y, new
        ),
        "explainable_boosting": _explainable_boosting,
        "optbinning_scorecard": lambda X, y, new, _: _binned(X, y, new, "auto_asc_desc"),
        "woe_logistic": lambda X, y, new, _: _binned(X, y, new, None),
        "logistic_regression": lambda X, y, new, seed: _probability(
            make_pipeline(_one_hot(), LogisticRegression(max_iter=2000, random_state=seed)).fit(X, y), new
        ),
        "random_forest": lambda X, y, new, seed: _probability(
            make_pipeline(_ordinal(), RandomForestClassifier(500, min_samples_leaf=5, n_jobs=1, random_state=seed)).fit(
                X, y
            ),
            new,
        ),
        "neural_network": lambda X, y, new, seed: _probability(
            make_pipeline(_one_hot(), MLPClassifier((16,), alpha=1.0, max_iter=300, random_state=seed)).fit(X, y),
            new,
        ),
    }


def _probability(model: Any, new: pd.DataFrame) -> NDArray[np.float64]:  # noqa: ANN401 - any classifier
    return np.asarray(model.predict_proba(new)[:, 1], dtype=np.float64)


def _lightgbm(seed: int) -> LGBMClassifier:
    return LGBMClassifier(n_jobs=1, random_state=seed, verbosity=-1, deterministic=True, force_col_wise=True)


def _with_levels(model: Any, X: pd.DataFrame, y: Labels, new: pd.DataFrame) -> NDArray[np.float64]:  # noqa: ANN401
    """Fit with texts as pandas categories; levels that the training rows lack count as missing."""
    known, unknown = X.copy(), new.copy()
    for name in _text_columns(X):
        levels = pd.CategoricalDtype(sorted(X[name].dropna().unique()))
        known[name], unknown[name] = X[name].astype(levels), new[name].astype(levels)
    return _probability(model.fit(known, y), unknown)


def _tuned_lightgbm(X: pd.DataFrame, y: Labels, new: pd.DataFrame, seed: int) -> NDArray[np.float64]:
    choices = {
        "num_leaves": randint(3, 64),
        "learning_rate": loguniform(0.01, 0.2),
        "n_estimators": randint(50, 600),
        "min_child_samples": randint(5, 100),
        "reg_lambda": loguniform(1e-2, 1e2),
        "colsample_bytree": [0.5, 0.7, 1.0],
    }
    folds = StratifiedKFold(TUNING_FOLDS, shuffle=True, random_state=seed)
    search = RandomizedSearchCV(
        _lightgbm(seed), choices, n_iter=TUNING_TRIES, scoring="neg_log_loss", cv=folds, random_state=seed, n_jobs=1
    )
    return _with_levels(search, X, y, new)


def _catboost(X: pd.DataFrame, y: Labels, new: pd.DataFrame, seed: int) -> NDArray[np.float64]:
    texts = _text_columns(X)
    model = CatBoostClassifier(
        cat_features=texts, thread_count=1, random_seed=seed, verbose=0, allow_writing_files=False
    )
    known, unknown = (part.assign(**{name: part[name].fillna("missing") for name in texts}) for part in (X, new))
    return _probability(model.fit(known, y), unknown)


def _explainable_boosting(X: pd.DataFrame, y: Labels, new: pd.DataFrame, seed: int) -> NDArray[np.float64]:
    X, new = _common_levels(X, new)
    kinds = ["nominal" if name in _text_columns(X) else "continuous" for name in X.columns]
    model = ExplainableBoostingClassifier(feature_types=kinds, n_jobs=1, random_state=seed)
    return _probability(model.fit(X, y), new)


def _binned(X: pd.DataFrame, y: Labels, new: pd.DataFrame, trend: str | None) -> NDArray[np.float64]:
    """Fit a logistic regression on weights of evidence of optbinning's bins."""
    X, new = _common_levels(X, new)
    texts = _text_columns(X)
    each = {name: {"monotonic_trend": trend} for name in X.columns if name not in texts}
    process = BinningProcess(
        list(X.columns), categorical_variables=texts, binning_fit_params=each, selection_criteria=None
    )
    process.fit(X, y)
    evidence, unseen = (process.transform(part, metric="woe", metric_missing="empirical") for part in (X, new))
    return _probability(LogisticRegression(max_iter=2000).fit(evidence, y), unseen)


def _one_hot() -> Any:  # noqa: ANN401 - a scikit-learn transformer
    texts = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(min_frequency=RARE_LEVEL, handle_unknown="infrequent_if_exist"),
    )
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return _by_kind(texts, numbers)


def _ordinal() -> Any:  # noqa: ANN401 - a scikit-learn transformer
    texts = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    )
    return _by_kind(texts, SimpleImputer(strategy="median", add_indicator=True))


def _by_kind(texts: Any, numbers: Any) -> Any:  # noqa: ANN401 - scikit-learn transformers
    is_number = make_column_selector(dtype_include="number")
    is_text = make_column_selector(dtype_exclude="number")
    return make_column_transformer((texts, is_text), (numbers, is_number))


def _common_levels(X: pd.DataFrame, new: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Group the rare levels of text columns, for peers that would take minutes for hundreds of levels, or overfit."""
    known, unknown = X.copy(), new.copy()
    for name in _text_columns(X):
        share = X[name].value_counts(normalize=True)
        common = set(share.index[share >= RARE_LEVEL])
        for part in (known, unknown):
            part[name] = part[name].where(part[name].isin(common) | part[name].isna(), "rare")
    return known, unknown


def _text_columns(X: pd.DataFrame) -> list[str]:
    return [str(name) for name in X.select_dtypes(exclude="number").columns]
