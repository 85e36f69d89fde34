"""The trainer as scikit-learn estimators, for any table of numbers and categories.

>>> import pandas as pd
>>> table = pd.DataFrame({"age": [20.0, None, 40.0, 60.0] * 10, "purpose": ["car", "car", "house", None] * 10})
>>> model = PassportScorecard(directions={"age": -1}).fit(table, [1, 1, 0, 0] * 10)
>>> model.predict(table[:4]).tolist()
[1, 1, 0, 0]
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from data_contracts.errors import ConfigurationRefused
from models.components.encoding import EncodingSettings
from models.components.tables import TableRefused, table_facts, table_matrix
from models.settings import TrainingSettings
from models.training.candidates import train_candidate
from models.training.dataset import Dataset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from models.components.encoding import Direction, FloatArray
    from models.components.scale import IntArray

BASE_COLUMN = "(base)"
_NO_DATE = np.datetime64("1970-01-01", "D")
_LARGEST_SEED = 2**31 - 1


class ColumnWarning(UserWarning):
    """A column is not used, or is suspected to know the outcome."""


class _CreditEstimator(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators share; see ``PassportClassifier``."""

    _champion: ClassVar[str] = "best"

    def __init__(  # noqa: PLR0913 - scikit-learn reads the parameters of an estimator from here
        self,
        *,
        directions: Mapping[str, Direction] | None = None,
        special_codes: Mapping[str, Sequence[float]] | None = None,
        folds: int = 5,
        trials: int = 7,
        max_rounds: int = 800,
        threads: int = 1,
        random_state: Any = 0,  # noqa: ANN401 - a number, a generator or None, as everywhere in scikit-learn
    ) -> None:
        self.directions = directions
        self.special_codes = special_codes
        self.folds = folds
        self.trials = trials
        self.max_rounds = max_rounds
        self.threads = threads
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn has no types
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:  # noqa: ANN401 - whatever scikit-learn takes
        """Train on a table ``X`` (n, p) and outcomes ``y`` (n,); the later of the two sorted classes is the default.

        Args:
            X: data frame, or an array. A column of texts or of pandas' type ``category`` is a category, any other is of
                numbers. Missing and infinite cells are missing.
            y: two classes of any type.
            groups: (n,) who belongs together, such as one borrower's rows; they are never split over folds.

        Raises:
            ValueError: table, outcomes or groups cannot be used; the message says what to change.
        """
        table, outcomes = self._checked_sample(X, y)
        facts = table_facts(table, _by_text(self.directions), _by_text(self.special_codes))
        group_of_row = _groups(groups, len(table))
        dataset = Dataset(
            X=table_matrix(table, facts),
            y=outcomes,
            seller_id=group_of_row,
            as_of=np.full(len(table), _NO_DATE),
            component_id=group_of_row,
            facts=facts,
        )
        try:
            settings = self._settings(outcomes, is_grouped=groups is not None)
            candidate = train_candidate(dataset, settings, on_leak="warn")
        except ConfigurationRefused as refused:
            raise TableRefused(rule=refused.message, remedy=refused.remedy) from refused
        for warning in candidate.warnings:
            warnings.warn(str(warning), ColumnWarning, stacklevel=2)
        self.candidate_ = candidate
        self.model_ = candidate.champion
        return self

    def decision_function(self, X: Any) -> FloatArray:  # noqa: ANN401 - whatever scikit-learn takes
        """Return the calibrated log-odds (n,) of the later class."""
        matrix = self._matrix(X)
        return self.model_.log_odds(matrix)

    def predict_proba(self, X: Any) -> FloatArray:  # noqa: ANN401 - whatever scikit-learn takes
        """Return the calibrated probability of each class (n, 2), in the order of ``classes_``."""
        matrix = self._matrix(X)
        probability = self.model_.probability(matrix)
        return np.column_stack([1.0 - probability, probability])

    def predict(self, X: Any) -> npt.NDArray[Any]:  # noqa: ANN401 - whatever scikit-learn takes
        """Return the more likely class of each row (n,)."""
        is_later = self.decision_function(X) > 0.0
        return self.classes_[is_later.astype(np.intp)]

    def score_points(self, X: Any) -> IntArray:  # noqa: ANN401 - whatever scikit-learn takes
        """Return the integer score of each row (n,): a higher score means less risk."""
        matrix = self._matrix(X)
        return self.model_.score(matrix)

    def explain(self, X: Any, unit: Literal["log_odds", "points"] = "log_odds") -> pd.DataFrame:  # noqa: ANN401
        """Return what each column adds in each row, exactly.

        The first column is the base, the same in every row. In ``log_odds`` a row adds up to its decision function; in
        ``points``, which are integers, to its score.
        """
        matrix = self._matrix(X)
        contributions = self.model_.contributions(matrix)
        base, parts, _ = contributions if unit == "log_odds" else self.model_.issue_points(contributions)
        frame = pd.DataFrame(parts, columns=list(self.model_.feature_names), index=getattr(X, "index", None))
        frame.insert(0, BASE_COLUMN, base)
        return frame

    def _settings(self, outcomes: npt.NDArray[np.int8], *, is_grouped: bool) -> TrainingSettings:
        fewest = int(np.bincount(outcomes, minlength=2).min())
        if fewest < 2:
            raise TableRefused(
                rule=f"one class of the outcome has {fewest} rows of {len(outcomes)}",
                remedy="give at least two rows of each class",
            )
        folds = min(self.folds, fewest)
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(_LARGEST_SEED)
        return TrainingSettings.model_validate(
            {
                "champion": self._champion,
                "seed": int(seed),
                "threads": self.threads,
                "folds": folds,
                "fold_kind": "component" if is_grouped else "stratified",
                "fits": folds * self.trials,
                "max_rounds": self.max_rounds,
                "ablations": False,
                "encoding": EncodingSettings(free_features="keep_gaps"),
            }
        )

    def _checked_sample(self, X: Any, y: Any) -> tuple[pd.DataFrame, npt.NDArray[np.int8]]:  # noqa: ANN401
        if isinstance(X, pd.DataFrame):
            table, y = validate_data(self, X, y, skip_check_array=True)
            if y is None:
                raise ValueError("requires y to be passed, but the target y is None")
            check_consistent_length(table, y)
        else:
            matrix, y = validate_data(self, X, y, dtype=None, ensure_all_finite=False, ensure_min_samples=2)
            table = _as_table(matrix)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        self.classes_, outcomes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("the outcome has only one class; give rows of two classes")
        return table, outcomes.astype(np.int8)

    def _matrix(self, X: Any) -> FloatArray:  # noqa: ANN401 - whatever scikit-learn takes
        check_is_fitted(self)
        if isinstance(X, pd.DataFrame):
            table = validate_data(self, X, reset=False, skip_check_array=True)
            given, trained = [str(name) for name in table.columns], [feature.name for feature in self.model_.features]
            if given != trained:  # scikit-learn compares names only where all of them are texts
                raise ValueError(f"the columns are {given[:5]} …, and in training they were {trained[:5]} …")
        else:
            table = _as_table(validate_data(self, X, reset=False, dtype=None, ensure_all_finite=False))
        return table_matrix(table, self.model_.features)


class PassportClassifier(_CreditEstimator):
    """The stock trainer on any table: tuned, calibrated and explained, with the champion chosen out of fold.

    The champion is the kind with the least out-of-fold log-loss. The pipeline prefers a simpler one within one standard
    error, since somebody has to read it; where nobody asks for that, accuracy comes first.

    Args:
        directions: +1 by name of a column of numbers if a higher value can only mean more risk, -1 if less. Its missing
            values count as at least the worst value, so that hiding one never pays. Without a direction a missing value
            has a risk of its own.
        special_codes: numbers by name of a column that are no amounts, such as ``{"months_since_arrears": [-9]}``.
        folds: folds of the cross-validation, fewer if one class is smaller.
        trials: boosters to try.
        max_rounds: most rounds of a booster.
        threads: threads of a fit; they change no result.
        random_state: seed of folds and boosters.

    Columns of an array are named x0, x1 and so on. After ``fit``, ``model_`` is the model with all its features,
    ``candidate_`` the whole result of the training, baselines and tuning log included.
    """


class PassportScorecard(_CreditEstimator):
    """As ``PassportClassifier``, but always a scorecard: each column in bins, each bin with its points."""

    _champion: ClassVar[str] = "scorecard"

    def __init__(
        self,
        *,
        directions: Mapping[str, Direction] | None = None,
        special_codes: Mapping[str, Sequence[float]] | None = None,
        folds: int = 5,
        threads: int = 1,
        random_state: Any = 0,  # noqa: ANN401 - a number, a generator or None, as everywhere in scikit-learn
    ) -> None:
        # The other kinds are still fitted as baselines; one small booster is enough for that.
        super().__init__(
            directions=directions,
            special_codes=special_codes,
            folds=folds,
            trials=1,
            max_rounds=100,
            threads=threads,
            random_state=random_state,
        )


def _as_table(matrix: npt.NDArray[Any]) -> pd.DataFrame:
    return pd.DataFrame(matrix, columns=[f"x{i}" for i in range(matrix.shape[1])])


def _by_text(mapping: Mapping[str, Any] | None) -> dict[str, Any]:
    return {str(name): value for name, value in (mapping or {}).items()}


def _groups(groups: Any, rows: int) -> npt.NDArray[np.str_]:  # noqa: ANN401 - whatever scikit-learn takes
    if groups is None:
        return np.asarray([f"row {row}" for row in range(rows)], dtype=np.str_)
    names = column_or_1d(groups)
    check_consistent_length(names, range(rows))
    return np.asarray(names).astype(np.str_)
