"""The gradient-boosted component: LightGBM on numeric columns, monotone where a direction is declared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import lightgbm as lgb
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from models.components.additive import require_columns
from models.components.fast_trees import FEWEST_ROWS_OF_MARGINS, compiled_code, fast_trees
from models.components.tree_text import read_trees

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from models.components.encoding import FloatArray
    from models.components.fast_trees import FastTrees
    from models.components.settings import FitSettings
    from models.components.tree_text import Tree

_END_OF_TREES = "end of trees\n"


class GbmParameters(BaseModel):
    """Size and regularisation of a booster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    leaves: int = Field(default=15, ge=2, le=64)
    rows_in_leaf: int = Field(default=50, ge=1)
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    lambda_l2: float = Field(default=5.0, ge=0)
    feature_share: float = Field(default=0.6, gt=0, le=1)
    row_share: float = Field(default=0.8, gt=0, le=1)


@dataclass(frozen=True)
class LightGbmComponent:
    """A booster as text: header and trees, without the training parameters that LightGBM appends.

    ``threads`` is the number of threads a prediction may use; it changes no bit of the result. ``proven`` says that our
    own way through the trees was compared with LightGBM (see ``models.components.oracle``) and may stand in for it.
    """

    text: str
    column_count: int
    threads: int = 1
    proven: bool = False
    kind: ClassVar[str] = "lightgbm"

    @cached_property
    def trees(self) -> tuple[Tree, ...]:
        """The trees, read and checked by our own code."""
        return read_trees(self.text, self.column_count)

    @cached_property
    def fast(self) -> FastTrees | None:
        """The trees in the form of our own way, None if they do not fit it."""
        return fast_trees(self.trees)

    @cached_property
    def booster(self) -> Any:  # noqa: ANN401 - lightgbm ships no types
        """The loaded booster."""
        return lgb.Booster(model_str=self.text)

    def margin(self, encoded: FloatArray) -> FloatArray:
        """Return the raw log-odds (n,) of encoded rows (n, q)."""
        require_columns(encoded, self.column_count, "booster")
        if len(encoded) == 0:
            return np.empty(0)
        many = len(encoded) >= FEWEST_ROWS_OF_MARGINS
        if many and self.proven and self.fast is not None and compiled_code() is not None:
            return self.fast.margin(encoded, self.threads)
        return self.margin_by_lightgbm(encoded)

    def margin_by_lightgbm(self, encoded: FloatArray) -> FloatArray:
        """Return the raw log-odds (n,) as LightGBM itself computes them."""
        return np.asarray(self.booster.predict(encoded, raw_score=True, num_threads=self.threads), dtype=np.float64)

    def contributions(self, encoded: FloatArray) -> tuple[float, FloatArray]:
        """Return the base and path-dependent SHAP values (n, q), which add up to the margin."""
        require_columns(encoded, self.column_count, "booster")
        if len(encoded) == 0:
            return self._base, np.empty((0, self.column_count))
        if self.proven and self.fast is not None:
            # For few rows as for many: LightGBM's last digits differ, and a row's numbers depend on that row alone.
            return self._base, self.fast.contributions(encoded, self.threads)
        return self._base, self.contributions_by_lightgbm(encoded)

    def contributions_by_lightgbm(self, encoded: FloatArray) -> FloatArray:
        """Return the SHAP values (n, q) as LightGBM itself computes them."""
        values = np.asarray(self.booster.predict(encoded, pred_contrib=True, num_threads=self.threads))
        return np.ascontiguousarray(values[:, :-1], dtype=np.float64)

    @cached_property
    def _base(self) -> float:
        row = np.zeros((1, self.column_count))
        return float(np.asarray(self.booster.predict(row, pred_contrib=True, num_threads=1))[0, -1])


class GbmFold(NamedTuple):
    """Training and held-out part of one fold, binned once for all trials."""

    train: Any
    held_out: Any
    held_out_rows: npt.NDArray[np.bool_]
    held_out_matrix: FloatArray


def prepare_fold(encoded: FloatArray, y: npt.NDArray[np.integer], held_out: npt.NDArray[np.bool_]) -> GbmFold:
    """Bin the training part of a fold; ``held_out`` (n,) marks the rows to evaluate on."""
    train = _lightgbm_dataset(encoded[~held_out], y[~held_out])
    matrix = np.ascontiguousarray(encoded[held_out])
    return GbmFold(train, train.create_valid(matrix, y[held_out].astype(np.float64)), held_out, matrix)


def fit_fold(
    fold: GbmFold, directions: Sequence[int], parameters: GbmParameters, settings: FitSettings
) -> tuple[Any, int]:
    """Fit until the held-out log-loss stops falling; return the booster and its best number of rounds."""
    booster = lgb.train(
        _lightgbm_parameters(directions, parameters, settings),
        fold.train,
        num_boost_round=settings.max_rounds,
        valid_sets=[fold.held_out],
        callbacks=[lgb.early_stopping(settings.patience, verbose=False)],
        keep_training_booster=True,
    )
    return booster, int(booster.best_iteration) or int(booster.current_iteration())


def fold_margin(booster: Any, fold: GbmFold, rounds: int) -> FloatArray:  # noqa: ANN401 - lightgbm ships no types
    """Return the raw log-odds of a fold's held-out rows after ``rounds`` rounds, or after all if there are fewer."""
    margin = booster.predict(fold.held_out_matrix, raw_score=True, num_iteration=rounds)
    return np.asarray(margin, dtype=np.float64)


def fit_gbm(
    encoded: FloatArray,
    y: npt.NDArray[np.integer],
    directions: Sequence[int],
    parameters: GbmParameters,
    settings: FitSettings,
) -> LightGbmComponent:
    """Fit ``settings.max_rounds`` rounds on all rows of ``encoded`` (n, q)."""
    booster = lgb.train(
        _lightgbm_parameters(directions, parameters, settings),
        _lightgbm_dataset(encoded, y),
        num_boost_round=settings.max_rounds,
    )
    text = booster.model_to_string(num_iteration=-1)
    return LightGbmComponent(text[: text.index(_END_OF_TREES)] + _END_OF_TREES, encoded.shape[1], settings.threads)


def _lightgbm_dataset(encoded: FloatArray, y: npt.NDArray[np.integer]) -> Any:  # noqa: ANN401 - lightgbm ships no types
    # The pre-filter drops columns by the first trial's leaf size, so the next trial would raise.
    return lgb.Dataset(
        np.ascontiguousarray(encoded),
        np.asarray(y, dtype=np.float64),
        params={"feature_pre_filter": False, "verbosity": -1},
        free_raw_data=False,
    )


def _lightgbm_parameters(
    directions: Sequence[int], parameters: GbmParameters, settings: FitSettings
) -> dict[str, object]:
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "num_leaves": parameters.leaves,
        "min_data_in_leaf": parameters.rows_in_leaf,
        "learning_rate": parameters.learning_rate,
        "lambda_l2": parameters.lambda_l2,
        "feature_fraction": parameters.feature_share,
        "bagging_fraction": parameters.row_share,
        "bagging_freq": 1 if parameters.row_share < 1.0 else 0,
        "monotone_constraints": list(directions),
        # Other methods allow trees whose monotonicity cannot be proved split by split; this one does not.
        "monotone_constraints_method": "basic",
        "seed": settings.seed,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_col_wise": True,
        "feature_pre_filter": False,
        "verbosity": -1,
    }
