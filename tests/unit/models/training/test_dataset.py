from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from data_contracts.errors import ConfigurationRefused, InputRefused
from models.training.dataset import (
    SplitSettings,
    assemble,
    component_folds,
    hash_share,
    split_out_of_time,
    split_random,
    stratified_folds,
)
from tests.factories.models import fact, world

DAY = dt.date(2023, 3, 31)
SPLIT = SplitSettings(test_from=dt.date(2024, 3, 31))
FACTS = (fact("a", 1), fact("b", -1))


def matrix(sellers: list[str]) -> pa.Table:
    days = pa.array([DAY] * len(sellers), pa.date32())
    numbers = [float(i) for i in range(len(sellers))]
    return pa.table({"seller_id": sellers, "as_of": days, "a": numbers, "b": [None, *numbers[1:]]})


def labels(sellers: list[str]) -> pa.Table:
    days = pa.array([DAY] * len(sellers), pa.date32())
    return pa.table({"seller_id": sellers, "as_of": days, "label": pa.array([0] * len(sellers), pa.int8())})


def test_observations_are_joined_and_those_left_out_are_counted() -> None:
    components = pa.table({"seller_id": ["S1"], "component_id": ["ring"]})
    dataset, counts = assemble(matrix(["S1", "S2", "S3"]), labels(["S3", "S1", "S9"]), components, FACTS)
    assert counts == {"observations": 2, "label_without_features": 1, "features_without_label": 1}
    assert dataset.seller_id.tolist() == ["S1", "S3"]
    assert dataset.component_id.tolist() == ["ring", "alone:S3"]
    assert np.isnan(dataset.X[0, 1])
    assert dataset.X[1].tolist() == [2.0, 2.0]


def test_a_repeated_observation_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="repeated"):
        assemble(matrix(["S1", "S1"]), labels(["S1"]), None, FACTS)


def test_a_matrix_without_a_feature_of_the_set_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationRefused, match="lacks c"):
        assemble(matrix(["S1"]), labels(["S1"]), None, (*FACTS, fact("c", 1)))


def test_training_ends_before_testing_begins_and_no_component_is_on_both_sides() -> None:
    dataset = world(4000).dataset
    train, test, counts = split_out_of_time(dataset, SPLIT)
    first = np.datetime64(SPLIT.test_from)
    assert (train.as_of + np.timedelta64(365, "D") < first).all()
    assert (test.as_of >= first).all()
    assert not set(train.component_id) & set(test.component_id)
    assert sum(counts.values()) == dataset.n
    assert min(counts.values()) > 0


def test_a_component_keeps_its_side_whatever_else_is_in_the_sample() -> None:
    identifiers = np.array([f"group-{i}" for i in range(300)])
    alone = np.concatenate([hash_share(identifiers[i : i + 1], "s") for i in range(300)])
    assert np.array_equal(alone, hash_share(identifiers, "s"))
    assert 0.3 < (alone < 0.4).mean() < 0.5


def test_the_random_split_uses_every_row_and_mixes_times() -> None:
    dataset = world(2000).dataset
    train, test, counts = split_random(dataset, SPLIT)
    assert train.n + test.n == dataset.n == sum(counts.values())
    assert set(train.as_of) == set(test.as_of)


def test_a_split_without_both_outcomes_on_a_side_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="lacks one of the outcomes"):
        split_out_of_time(world(300).dataset, SPLIT.model_copy(update={"test_from": dt.date(2030, 1, 1)}))


def test_component_folds_never_part_a_component() -> None:
    component = world(1000).dataset.component_id
    folds = component_folds(component, 4, "x")
    assert set(folds) == {0, 1, 2, 3}
    assert all(len(set(folds[component == one])) == 1 for one in np.unique(component))


def test_stratified_folds_each_have_their_share_of_both_outcomes() -> None:
    y = np.array([1] * 27 + [0] * 96)
    folds = stratified_folds(y, 5, (1, 0))
    bads = [int(y[folds == fold].sum()) for fold in range(5)]
    goods = [int((1 - y)[folds == fold].sum()) for fold in range(5)]
    assert (max(bads) - min(bads), max(goods) - min(goods)) == (1, 1)
    assert np.array_equal(folds, stratified_folds(y, 5, (1, 0)))
    assert not np.array_equal(folds, stratified_folds(y, 5, (1, 1)))


def test_a_text_in_a_column_of_numbers_is_refused_with_seller_date_and_column() -> None:
    wrong = matrix(["S1", "S2"]).drop_columns("b").append_column("b", [["1", "n/a"]])
    with pytest.raises(InputRefused) as refused:
        assemble(wrong, labels(["S1", "S2"]), None, FACTS)
    assert str(refused.value) == (
        "input refused: file feature matrix, column 'b': seller S1 as of 2023-03-31: "
        "'1' is a text in a column of numbers; remedy: correct the value and rebuild the features"
    )


def test_a_column_of_texts_becomes_positions_among_its_levels() -> None:
    texts = matrix(["S1", "S2", "S3", "S4"]).append_column("c", [["x", "y", None, "z"]])
    category = fact("c", 0).model_copy(update={"levels": ("x", "y")})
    dataset, _ = assemble(texts, labels(["S1", "S2", "S3", "S4"]), None, (*FACTS, category))
    np.testing.assert_array_equal(dataset.X[:, 2], [0.0, 1.0, np.nan, -1.0])
