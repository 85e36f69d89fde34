"""Our own reader refuses hostile model texts before LightGBM sees them."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from data_contracts.errors import IntegrityRefused
from models.components.gbm import GbmParameters, fit_gbm
from models.components.settings import FitSettings
from models.components.tree_text import read_trees, refuse_unproven_direction

GENERATOR = np.random.default_rng(23)
X = GENERATOR.normal(size=(400, 3))
Y = (GENERATOR.random(400) < 1 / (1 + np.exp(1.0 - X[:, 0]))).astype(np.int8)
COMPONENT = fit_gbm(X, Y, [1, 0, 0], GbmParameters(leaves=5, rows_in_leaf=20), FitSettings(max_rounds=3))
TEXT = COMPONENT.text


def with_sizes_corrected(text: str) -> str:
    """Correct the stated tree sizes, as a careful attacker would."""
    _, _, body = text.partition("\n\n")
    starts = [match.start() for match in re.finditer(r"Tree=\d+\n", body)] + [body.index("end of trees")]
    sizes = " ".join(str(b - a) for a, b in pairwise(starts))
    return re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", text)


def field(name: str, change: object) -> str:
    """Return the text with the first tree's list ``name`` changed item by item."""
    line = re.search(rf"^{name}=(.*)$", TEXT, re.MULTILINE)
    items = line.group(1).split(" ")
    return with_sizes_corrected(TEXT.replace(line.group(0), f"{name}={' '.join(change(items))}", 1))


def first(value: str) -> object:
    return lambda items: [value, *items[1:]]


def test_a_sound_text_is_read_and_predicts_what_lightgbm_predicts() -> None:
    trees = read_trees(TEXT, 3)
    assert len(trees) == 3

    def walk(row: np.ndarray) -> float:
        total = 0.0
        for tree in trees:
            node = 0
            while node >= 0:
                goes_left = row[tree.feature[node]] <= tree.threshold[node]
                node = tree.left[node] if goes_left else tree.right[node]
            total += tree.leaf_value[~node]
        return total

    assert np.allclose([walk(row) for row in X], COMPONENT.margin(X), atol=1e-12)


def test_the_control_of_these_tests_is_accepted() -> None:
    assert with_sizes_corrected(TEXT) == TEXT
    assert read_trees(field("threshold", first("0.5")), 3)


HOSTILE = {
    "child beyond the nodes": field("left_child", first("99")),
    "child beyond the leaves": field("right_child", first("-99")),
    "node that is its own child": field("left_child", first("0")),
    "leaf reached twice": field("right_child", lambda items: [*items[:-1], "-1"]),
    "split of a column that is not there": field("split_feature", first("3")),
    "negative column": field("split_feature", first("-1")),
    "leaf that is not a number": field("leaf_value", first("nan")),
    "leaf without end": field("leaf_value", first("1e999")),
    "threshold without end": field("threshold", first("inf")),
    "categorical split": field("decision_type", first("1")),
    "categorical count": with_sizes_corrected(TEXT.replace("num_cat=0", "num_cat=1", 1)),
    "linear leaves": with_sizes_corrected(TEXT.replace("is_linear=0", "is_linear=1", 1)),
    "list too short": field("leaf_value", lambda items: items[1:]),
    "list too long": field("threshold", lambda items: [*items, "0.5"]),
    "more leaves than stated": with_sizes_corrected(TEXT.replace("num_leaves=5", "num_leaves=6", 1)),
    "no leaves": with_sizes_corrected(TEXT.replace("num_leaves=5", "num_leaves=0", 1)),
    "leaves beyond counting": with_sizes_corrected(TEXT.replace("num_leaves=5", "num_leaves=999999999", 1)),
    "empty leaf": field("leaf_count", first("0")),
    "unknown field": with_sizes_corrected(TEXT.replace("num_cat=0", "num_cat=0\nevil=1", 1)),
    "field twice": with_sizes_corrected(TEXT.replace("num_cat=0", "num_cat=0\nnum_cat=0", 1)),
    "tree numbers out of order": with_sizes_corrected(TEXT.replace("Tree=1", "Tree=7")),
    "sizes that do not fit": TEXT.replace("tree_sizes=", "tree_sizes=9", 1),
    "no sizes": re.sub(r"tree_sizes=.*\n", "", TEXT),
    "other objective": TEXT.replace("objective=binary sigmoid:1", "objective=regression"),
    "several classes": TEXT.replace("num_class=1", "num_class=2"),
    "other version": TEXT.replace("version=v4", "version=v3"),
    "categorical column": re.sub(r"feature_infos=\S+", "feature_infos=1:2:3", TEXT),
    "text after the trees": TEXT + "parameters:\n",
    "trees ending twice": TEXT + "end of trees\n",
    "letters that are no ASCII": TEXT.replace("tree\n", "trée\n", 1),
    "nothing": "",
    "no trees": "tree\nend of trees\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused_in_one_line(name: str) -> None:
    assert HOSTILE[name] != TEXT
    with pytest.raises(IntegrityRefused, match=r"^model text refused: .*; remedy: .*$"):
        read_trees(HOSTILE[name], 3)


def test_a_text_cut_anywhere_is_refused() -> None:
    for end in range(0, len(TEXT), 7):
        with pytest.raises(IntegrityRefused):
            read_trees(TEXT[:end], 3)


def test_another_number_of_columns_is_refused() -> None:
    with pytest.raises(IntegrityRefused, match="4 columns"):
        read_trees(TEXT, 4)


def test_directions_are_proven_from_the_trees_themselves() -> None:
    trees = read_trees(TEXT, 3)
    refuse_unproven_direction(trees, [1, 0, 0])
    with pytest.raises(IntegrityRefused, match="breaks the declared direction of column 0"):
        refuse_unproven_direction(trees, [-1, 0, 0])


def test_a_leaf_moved_against_the_direction_is_found() -> None:
    swapped = read_trees(field("leaf_value", lambda items: items[::-1]), 3)
    with pytest.raises(IntegrityRefused, match="tree 0"):
        refuse_unproven_direction(swapped, [1, 1, 1])
