"""Copies of other sellers' rows, an order by outcome and values known too late are found; what is honest is not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.errors import GateFailed
from models.settings import LeakSettings, LeakWaiver
from models.training.dataset import Dataset, assemble
from models.training.leaks.check import ROW_ORDER, ROWS, find_leaks, refuse_copies, refuse_leaks
from models.training.leaks.rows import copied_rows
from tests.factories.models import fact
from tests.unit.models.training.test_leak_patterns import data_set, honest

SETTINGS = LeakSettings()


def repeated(X: np.ndarray, y: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    again = np.random.default_rng(seed).permutation(len(y))[: int(share * len(y))]
    return X[again], y[again]


def joined(X: np.ndarray, y: np.ndarray, more: tuple[np.ndarray, np.ndarray]) -> Dataset:
    return data_set(np.vstack([X, more[0]]), np.concatenate([y, more[1]]))


@pytest.mark.parametrize("changed", [0, 1])
def test_rows_that_are_repeated_under_other_names_are_refused(changed: int) -> None:
    X, y = honest(41)
    again, outcomes = repeated(X, y, 0.1, 410)
    generator = np.random.default_rng(411)
    again = again + changed * 1e-4 * np.nanstd(X, axis=0) * generator.normal(size=again.shape)
    again[:, :changed] = generator.permutation(again[:, :changed])
    (finding,) = find_leaks(joined(X, y, (again, outcomes)), SETTINGS)
    assert (finding.feature, finding.rule, finding.is_leak) == (ROWS, "copied rows", True)
    with pytest.raises(GateFailed, match=r"\(rows\) \(copied rows: "):
        refuse_leaks(joined(X, y, (again, outcomes)), SETTINGS)


def test_rows_of_related_parties_and_other_dates_of_a_seller_are_no_copies() -> None:
    X, y = honest(42)
    twice = joined(X, y, (X, y))
    related = dataclasses.replace(twice, component_id=np.tile(twice.component_id[: len(y)], 2))
    assert find_leaks(related, SETTINGS) == ()


def test_rows_that_are_equal_because_few_kinds_exist_are_no_copies() -> None:
    generator = np.random.default_rng(43)
    X = generator.integers(0, 3, (3000, 5)).astype(float)
    y = (generator.random(3000) < X.mean(axis=1) / 4).astype(np.int8)
    assert find_leaks(data_set(X, y), SETTINGS) == ()


def test_test_rows_that_are_training_rows_of_other_sellers_are_refused_unless_waived() -> None:
    X, y = honest(44)
    train = data_set(X, y)
    fresh_X, fresh_y = honest(440)
    copied = joined(fresh_X, fresh_y, repeated(X, y, 0.1, 441))
    test = dataclasses.replace(
        copied, component_id=np.char.add("t", copied.component_id), seller_id=np.char.add("t", copied.seller_id)
    )
    honest_test = test.rows(np.arange(len(fresh_y)))
    refuse_copies(train, honest_test, SETTINGS)
    with pytest.raises(
        GateFailed, match=r"between training and test rows: copied rows: .* are copies of rows of other"
    ):
        refuse_copies(train, test, SETTINGS)
    waiver = LeakWaiver(feature=ROWS, reason="shared accounts", person="Chen", until="2030-01-01")
    refuse_copies(train, test, LeakSettings(waivers=(waiver,)))


def test_the_count_of_copies_is_that_of_the_defaulters_repeated() -> None:
    X, y = honest(45)
    again, outcomes = repeated(X, y, 0.1, 450)
    finding = copied_rows(data_set(X, y), _named(data_set(again, outcomes)), SETTINGS)
    assert finding is not None
    bads = int(outcomes.sum())
    assert finding[1].startswith(f"{bads} of {bads} rows of defaulters looked at are copies of rows of other sellers")


def _named(dataset: Dataset) -> Dataset:
    return dataclasses.replace(dataset, component_id=np.char.add("t", dataset.component_id))


def test_rows_in_the_order_of_their_outcomes_are_worth_a_look() -> None:
    X, y = honest(46)
    order = np.argsort(y + 1.2 * np.random.default_rng(460).random(len(y)))
    (finding,) = find_leaks(data_set(X[order], y[order]), SETTINGS)
    assert (finding.feature, finding.rule, finding.is_leak) == (ROW_ORDER, "telling order", False)


def test_a_value_known_after_its_observation_is_refused_and_one_known_on_the_day_is_not() -> None:
    X, y = honest(47)
    data = data_set(X, y)
    known_on = np.full(X.shape, np.datetime64("NaT", "D"))
    known_on[:, 0] = data.as_of
    assert find_leaks(dataclasses.replace(data, known_on=known_on), SETTINGS) == ()
    known_on[7, 1] = data.as_of[7] + 1
    (finding,) = find_leaks(dataclasses.replace(data, known_on=known_on), SETTINGS)
    assert (finding.feature, finding.rule) == ("column_1", "known too late")
    assert finding.evidence == (
        "1 values were known after the observation, such as that of seller 7 as of 2020-02-29, known on 2020-03-01"
    )
    missing = dataclasses.replace(data, X=np.where(np.arange(len(X))[:, None] == 7, np.nan, X), known_on=known_on)
    assert find_leaks(missing, SETTINGS) == ()


def test_a_feature_matrix_may_state_when_the_values_of_a_feature_were_known() -> None:
    day = pa.array([100], pa.date32())
    matrix = pa.table(
        {"seller_id": ["S1"], "as_of": day, "a": [1.0], "b": [2.0], "b.known_on": pa.array([101], pa.date32())}
    )
    labels = pa.table({"seller_id": ["S1"], "as_of": day, "label": pa.array([1], pa.int8())})
    dataset = assemble(matrix, labels, None, (fact("a", 1), fact("b", 1))).dataset
    assert dataset.known_on is not None
    assert np.isnat(dataset.known_on[0, 0])
    assert dataset.known_on[0, 1] == np.datetime64("1970-04-12")
    assert dataset.rows(np.array([0])).known_on is not None
