"""Read LightGBM's text as data and check it, so that LightGBM's own parser only ever sees a sound model.

That parser trusts its input: a child index out of range writes or jumps anywhere, and a loop never ends. Everything it
will use is therefore read here first, and anything unknown is refused.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from data_contracts.errors import IntegrityRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

_END = "end of trees\n"
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,8})")
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?(e[+-]?[0-9]{1,3})?")
_RANGE = re.compile(r"none|\[[-+.0-9e]{1,60}:[-+.0-9e]{1,60}\]")
_HEADER_KEYS = (
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "feature_names",
    "monotone_constraints",
    "feature_infos",
    "tree_sizes",
)
_FIXED_HEADER = {
    "version": "v4",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "label_index": "0",
    "objective": "binary sigmoid:1",
}
_SPLIT_INTEGERS = ("split_feature", "decision_type", "left_child", "right_child", "internal_count")
_SPLIT_NUMBERS = ("split_gain", "threshold", "internal_value", "internal_weight")
_LEAF_NUMBERS = ("leaf_value", "leaf_weight")
_TREE_KEYS = frozenset(
    {"num_leaves", "num_cat", "leaf_count", "is_linear", "shrinkage", *_SPLIT_INTEGERS, *_SPLIT_NUMBERS, *_LEAF_NUMBERS}
)
_LARGEST_TREE_LEAVES = 4096
_CATEGORICAL_BIT = 1


class Tree(NamedTuple):
    """One tree: node i splits ``feature[i]`` at ``threshold[i]``; a child ``c >= 0`` is a node, ``~c`` is a leaf.

    ``decision`` holds LightGBM's flags of each split: bit 1 is set where a missing value goes left, bits 2 and 3 say
    what counts as missing. The counts are training rows.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    leaf_value: tuple[float, ...]
    decision: tuple[int, ...]
    node_rows: tuple[int, ...]
    leaf_rows: tuple[int, ...]


def read_trees(text: str, column_count: int) -> tuple[Tree, ...]:
    """Return the trees of a LightGBM text with ``column_count`` numeric columns.

    Checked are: header, tree count and sizes, lengths of all lists, finite numbers, no categorical splits or linear
    leaves, feature and child indices in range, every node and leaf reached exactly once (so no loops), positive row
    counts.

    Raises:
        IntegrityRefused: the text is not sound.
    """
    if not text.isascii() or not text.endswith(_END) or text.count(_END) != 1:
        raise _refused("it does not end after its trees")
    head, blank, body = text.partition("\n\n")
    if not blank:
        raise _refused("it has no trees")
    sizes = _header(head, column_count)
    if sum(sizes) + len(_END) != len(body):
        raise _refused("its trees do not have the stated sizes")
    trees = []
    start = 0
    for number, size in enumerate(sizes):
        trees.append(_tree(body[start : start + size], number, column_count))
        start += size
    return tuple(trees)


def refuse_unproven_direction(trees: Sequence[Tree], directions: Sequence[int]) -> None:
    """Refuse trees in which a split on a directed column does not separate the leaves in that direction.

    If at every such split all leaves on one side are at most all leaves on the other, the tree is monotone in the
    column whatever the other columns hold, and so is any sum of such trees.

    Raises:
        IntegrityRefused: a split breaks its direction.
    """
    for number, tree in enumerate(trees):
        extremes: dict[int, tuple[float, float]] = {}
        # Children come after their parents, so going backwards meets every child first.
        for node in reversed(range(len(tree.feature))):
            left, right = (_extremes(tree, extremes, child) for child in (tree.left[node], tree.right[node]))
            direction = directions[tree.feature[node]]
            if (direction > 0 and left[1] > right[0]) or (direction < 0 and left[0] < right[1]):
                raise _refused(f"tree {number} breaks the declared direction of column {tree.feature[node]}")
            extremes[node] = (min(left[0], right[0]), max(left[1], right[1]))


def _extremes(tree: Tree, known: dict[int, tuple[float, float]], child: int) -> tuple[float, float]:
    if child >= 0:
        return known[child]
    value = tree.leaf_value[~child]
    return value, value


def _refused(reason: str) -> IntegrityRefused:
    return IntegrityRefused(f"model text refused: {reason}; remedy: take the bundle from its issuer again")


def _header(head: str, column_count: int) -> list[int]:
    lines = head.split("\n")
    if lines[0] != "tree":
        raise _refused("it is not a LightGBM text")
    fields = _fields(lines[1:], "header")
    if tuple(key for key in _HEADER_KEYS if key != "monotone_constraints") != tuple(
        key for key in fields if key != "monotone_constraints"
    ):
        raise _refused("its header has other fields than expected")
    for key, value in _FIXED_HEADER.items():
        if fields[key] != value:
            raise _refused(f"header {key} is not {value}")
    if fields["max_feature_idx"] != str(column_count - 1):
        raise _refused(f"it does not have the model's {column_count} columns")
    names = [f"Column_{i}" for i in range(column_count)]
    ranges = fields["feature_infos"].split(" ")
    if fields["feature_names"].split(" ") != names or len(ranges) != column_count:
        raise _refused(f"it does not have the model's {column_count} columns")
    if not all(_RANGE.fullmatch(item) for item in ranges):
        raise _refused("one of its columns is not numeric")
    if "monotone_constraints" in fields:
        _integers(fields["monotone_constraints"], column_count, "monotone_constraints")
    sizes = fields["tree_sizes"].split(" ")
    return _integers(fields["tree_sizes"], len(sizes), "tree_sizes")


def _fields(lines: Sequence[str], place: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals or key in fields:
            raise _refused(f"{place} has a malformed or repeated field")
        fields[key] = value
    return fields


def _tree(block: str, number: int, column_count: int) -> Tree:
    place = f"tree {number}"
    lines = block.split("\n")
    if lines[0] != f"Tree={number}" or lines[-3:] != ["", "", ""]:
        raise _refused(f"{place} does not begin and end as expected")
    fields = _fields(lines[1:-3], place)
    if fields.keys() != _TREE_KEYS:
        raise _refused(f"{place} has unknown or missing fields")
    leaves = _integers(fields["num_leaves"], 1, place)[0]
    if not 1 <= leaves <= _LARGEST_TREE_LEAVES:
        raise _refused(f"{place} has {leaves} leaves")
    if fields["num_cat"] != "0" or fields["is_linear"] != "0":
        raise _refused(f"{place} has categorical splits or linear leaves")
    _numbers(fields["shrinkage"], 1, place)
    if leaves == 1:
        if any(fields[key] for key in (*_SPLIT_INTEGERS, *_SPLIT_NUMBERS)):
            raise _refused(f"{place} has splits but only one leaf")
        return Tree((), (), (), (), _numbers(fields["leaf_value"], 1, place), (), (), (1,))
    return _splits(fields, leaves, place, column_count)


def _splits(fields: dict[str, str], leaves: int, place: str, column_count: int) -> Tree:
    integers = {key: _integers(fields[key], leaves - 1, place) for key in _SPLIT_INTEGERS}
    numbers = {key: _numbers(fields[key], leaves - 1, place) for key in _SPLIT_NUMBERS}
    leaf_numbers = {key: _numbers(fields[key], leaves, place) for key in _LEAF_NUMBERS}
    leaf_counts = _integers(fields["leaf_count"], leaves, place)
    if min(leaf_counts) < 1 or min(integers["internal_count"]) < 1:
        raise _refused(f"{place} has a node without rows")
    if any(not 0 <= feature < column_count for feature in integers["split_feature"]):
        raise _refused(f"{place} splits a column that does not exist")
    if any(kind & _CATEGORICAL_BIT or not 0 <= kind <= 10 for kind in integers["decision_type"]):
        raise _refused(f"{place} has a split that is not numeric")
    left, right = integers["left_child"], integers["right_child"]
    _refuse_unsound_children(left, right, leaves, place)
    return Tree(
        feature=tuple(integers["split_feature"]),
        threshold=numbers["threshold"],
        left=tuple(left),
        right=tuple(right),
        leaf_value=leaf_numbers["leaf_value"],
        decision=tuple(integers["decision_type"]),
        node_rows=tuple(integers["internal_count"]),
        leaf_rows=tuple(leaf_counts),
    )


def _refuse_unsound_children(left: Sequence[int], right: Sequence[int], leaves: int, place: str) -> None:
    children = sorted([*left, *right])
    # Every leaf, and every node except the root, is the child of exactly one node …
    if children != [*range(-leaves, 0), *range(1, leaves - 1)]:
        raise _refused(f"{place} has a child that is out of range, reached twice or never reached")
    # … and of one that comes before it, so that every path ends.
    for node, pair in enumerate(zip(left, right, strict=True)):
        if any(0 <= child <= node for child in pair):
            raise _refused(f"{place} has a loop")


def _integers(value: str, count: int, place: str) -> list[int]:
    items = value.split(" ")
    if len(items) != count or not all(_INTEGER.fullmatch(item) for item in items):
        raise _refused(f"{place} does not have {count} whole numbers in a field")
    return [int(item) for item in items]


def _numbers(value: str, count: int, place: str) -> tuple[float, ...]:
    items = value.split(" ")
    if len(items) != count or not all(_NUMBER.fullmatch(item) for item in items):
        raise _refused(f"{place} does not have {count} numbers in a field")
    numbers = tuple(float(item) for item in items)
    if not all(map(math.isfinite, numbers)):
        raise _refused(f"{place} has a number that is not finite")
    return numbers
