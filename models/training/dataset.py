"""The labelled sample and its splits, out of time and by related-party component at once."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from data_contracts.errors import ConfigurationRefused, InputRefused
from models.components.tables import TableRefused, table_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import pyarrow as pa

    from models.components.encoding import BoolArray, FeatureFacts, FloatArray

IntVector = npt.NDArray[np.int64]
TextVector = npt.NDArray[np.str_]
DayVector = npt.NDArray[np.datetime64]

KNOWN_ON: Final = ".known_on"
"""Ending of the name of a column of the feature matrix that states when a feature's values became known."""


@dataclass(frozen=True)
class Dataset:
    """Labelled observations, one row each.

    ``X`` is float64 (n, p) in the order of ``facts``, NaN = missing; ``y`` (n,) is 1 for default; ``as_of`` (n,) are
    days; ``component_id`` (n,) names the related-party group of a seller; ``known_on`` (n, p) are the days on which the
    cells of ``X`` became known, where that is stated.
    """

    X: FloatArray
    y: npt.NDArray[np.int8]
    seller_id: TextVector
    as_of: DayVector
    component_id: TextVector
    facts: tuple[FeatureFacts, ...]
    known_on: DayVector | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.X), len(self.y), len(self.seller_id), len(self.as_of), len(self.component_id)}
        if len(lengths) != 1 or self.X.ndim != 2 or self.X.shape[1] != len(self.facts):
            raise ValueError("a dataset needs equal row counts and one matrix column per feature")
        if self.known_on is not None and self.known_on.shape != self.X.shape:
            raise ValueError("a dataset that states when cells became known states a day, or none, for every cell")

    @property
    def n(self) -> int:
        """Number of observations."""
        return len(self.y)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of ``X``, in order."""
        return tuple(fact.name for fact in self.facts)

    def rows(self, chosen: BoolArray | IntVector) -> Dataset:
        """Return the chosen observations, by mask or by position."""
        return Dataset(
            self.X[chosen],
            self.y[chosen],
            self.seller_id[chosen],
            self.as_of[chosen],
            self.component_id[chosen],
            self.facts,
            None if self.known_on is None else self.known_on[chosen],
        )

    def columns(self, chosen: Sequence[int] | BoolArray) -> Dataset:
        """Return the same observations with the chosen features, by place or by mask."""
        places = np.arange(len(self.facts))[np.asarray(chosen, dtype=None if len(chosen) else np.int64)]
        return replace(
            self,
            X=np.ascontiguousarray(self.X[:, places]),
            facts=tuple(self.facts[place] for place in places.tolist()),
            known_on=None if self.known_on is None else self.known_on[:, places],
        )


class Assembled(NamedTuple):
    """A dataset, and how many observations were used or left out, by reason."""

    dataset: Dataset
    counts: dict[str, int]


class SplitSettings(BaseModel):
    """An out-of-time and by-component split.

    Test observations are on ``test_from`` or later. A training observation's performance window ends on that day at the
    latest, since both dates mean the end of their day. A component is on the test side when the hash of ``salt`` and
    its id falls into the first ``test_share`` of the range, so the side never depends on the other components.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    test_from: dt.date
    performance_days: int = Field(default=365, gt=0)
    test_share: float = Field(default=0.4, gt=0, lt=1)
    salt: str = "component-split-1"


class Split(NamedTuple):
    """Training and test sample, and how many observations went where, by reason."""

    train: Dataset
    test: Dataset
    counts: dict[str, int]


def assemble(
    matrix: pa.Table, labels: pa.Table, components: pa.Table | None, facts: Sequence[FeatureFacts]
) -> Assembled:
    """Join features (seller_id, as_of, features…), labels (LABEL_SCHEMA) and components (seller_id, component_id).

    A seller without a component is a component of its own. A date column ``a.known_on`` of the matrix states when the
    values of the feature ``a`` became known.

    Raises:
        ConfigurationRefused: an observation is repeated, or a feature column is missing.
    """
    names = [fact.name for fact in facts]
    absent = [name for name in ["seller_id", "as_of", *names] if name not in matrix.column_names]
    if absent:
        raise ConfigurationRefused(
            f"feature matrix lacks {', '.join(absent)}", "rebuild the features of this feature set"
        )
    keys = ["seller_id", "as_of"]
    left = labels.select([*keys, "label"]).to_pandas()
    dated = [name + KNOWN_ON for name in names if name + KNOWN_ON in matrix.column_names]
    right = matrix.select([*keys, *names, *dated]).to_pandas()
    _refuse_repeated(left, keys, "labels")
    _refuse_repeated(right, keys, "feature matrix")
    joined = left.merge(right, on=keys, how="inner").sort_values(["as_of", "seller_id"], kind="stable")
    counts = {
        "observations": len(joined),
        "label_without_features": len(left) - len(joined),
        "features_without_label": len(right) - len(joined),
    }
    return Assembled(_dataset(joined, components, tuple(facts)), counts)


def _dataset(joined: pd.DataFrame, components: pa.Table | None, facts: tuple[FeatureFacts, ...]) -> Dataset:
    seller = joined["seller_id"].to_numpy(dtype=np.str_)
    return Dataset(
        X=_matrix(joined, facts),
        y=joined["label"].to_numpy(dtype=np.int8),
        seller_id=seller,
        as_of=np.asarray(joined["as_of"].to_numpy(), dtype="datetime64[D]"),
        component_id=_component_ids(seller, components),
        facts=facts,
        known_on=_known_on(joined, facts),
    )


def _known_on(joined: pd.DataFrame, facts: tuple[FeatureFacts, ...]) -> DayVector | None:
    columns = [fact.name + KNOWN_ON for fact in facts]
    if not any(column in joined for column in columns):
        return None
    unstated = np.full(len(joined), np.datetime64("NaT", "D"))
    return np.column_stack(
        [joined[column].to_numpy().astype("datetime64[D]") if column in joined else unstated for column in columns]
    )


def _matrix(joined: pd.DataFrame, facts: tuple[FeatureFacts, ...]) -> FloatArray:
    try:
        return table_matrix(joined[[fact.name for fact in facts]], facts)
    except TableRefused as refused:
        row = joined.iloc[refused.row or 0]
        raise InputRefused(
            file="feature matrix",
            column=refused.column,
            rule=f"seller {row['seller_id']} as of {row['as_of']}: {refused.rule}",
            remedy="correct the value and rebuild the features",
        ) from refused


def _component_ids(seller: TextVector, components: pa.Table | None) -> TextVector:
    if components is None:
        return np.char.add("alone:", seller)
    frame = components.select(["seller_id", "component_id"]).to_pandas()
    _refuse_repeated(frame, ["seller_id"], "components")
    of_seller = dict(zip(frame["seller_id"], frame["component_id"], strict=True))
    return np.asarray([str(of_seller.get(name, f"alone:{name}")) for name in seller.tolist()], dtype=np.str_)


def _refuse_repeated(frame: pd.DataFrame, keys: list[str], what: str) -> None:
    repeated = int(frame.duplicated(keys).sum())
    if repeated:
        raise ConfigurationRefused(
            f"{repeated} repeated rows in the {what} (key {', '.join(keys)})", "keep one row for each observation"
        )


def split_out_of_time(dataset: Dataset, settings: SplitSettings) -> Split:
    """Split by time and component.

    Raises:
        ConfigurationRefused: a side is empty or lacks one of the outcomes.
    """
    test_from = np.datetime64(settings.test_from, "D")
    late = dataset.as_of >= test_from
    window_over = dataset.as_of + np.timedelta64(settings.performance_days, "D") <= test_from
    test_side = hash_share(dataset.component_id, settings.salt) < settings.test_share
    train, test = window_over & ~test_side, late & test_side
    counts = {
        "train": int(train.sum()),
        "test": int(test.sum()),
        "embargo": int((~late & ~window_over).sum()),
        "early_but_test_component": int((window_over & test_side).sum()),
        "late_but_train_component": int((late & ~test_side).sum()),
    }
    return _checked(Split(dataset.rows(train), dataset.rows(test), counts))


def split_random(dataset: Dataset, settings: SplitSettings) -> Split:
    """Split observations at random by the hash of seller and date: for contrast only, since it knows the future."""
    observation = np.char.add(np.char.add(dataset.seller_id, "@"), dataset.as_of.astype(np.str_))
    test = hash_share(observation, settings.salt) < settings.test_share
    counts = {"train": int((~test).sum()), "test": int(test.sum())}
    return _checked(Split(dataset.rows(~test), dataset.rows(test), counts))


def _checked(split: Split) -> Split:
    for side, part in (("training", split.train), ("test", split.test)):
        if len(np.unique(part.y)) < 2:
            raise ConfigurationRefused(
                f"the {side} side has {part.n} observations and lacks one of the outcomes ({split.counts})",
                "move test_from or change test_share",
            )
    return split


def hash_share(identifiers: TextVector, salt: str) -> FloatArray:
    """Return for each identifier a number in [0, 1) that depends only on the identifier and the salt."""
    distinct, index = np.unique(identifiers, return_inverse=True)
    shares = [
        int.from_bytes(hashlib.sha256(f"{salt}\x00{identifier}".encode()).digest()[:8], "big") / 2.0**64
        for identifier in distinct.tolist()
    ]
    return np.asarray(shares, dtype=np.float64)[index]


def component_folds(component_id: TextVector, folds: int, salt: str) -> IntVector:
    """Assign each observation a fold 0..folds-1 such that no component is in two."""
    return np.floor(hash_share(component_id, salt) * folds).astype(np.int64)


def stratified_folds(y: npt.NDArray[np.integer], folds: int, seed: Sequence[int]) -> IntVector:
    """Assign each observation a fold 0..folds-1 such that every fold has its share of both outcomes.

    For samples with one observation per firm, where no component is split off.
    """
    generator = np.random.default_rng(list(seed))
    assigned = np.empty(len(y), dtype=np.int64)
    for outcome in (0, 1):
        rows = generator.permutation(np.flatnonzero(np.asarray(y) == outcome))
        start = int(generator.integers(folds))
        assigned[rows] = (np.arange(len(rows)) + start) % folds
    return assigned
