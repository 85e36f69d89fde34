"""Two operators that cosmic-ray lacks: a condition that is always true, or always false."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import parso
from cosmic_ray.operators.operator import Example, Operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parso.tree import BaseNode


class _Fixed(Operator):  # type: ignore[misc]  # cosmic-ray has no type information
    value: ClassVar[str]

    def mutation_positions(self, node: BaseNode) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Yield where each condition of a node begins and ends."""
        for place in self._places(node):
            yield node.children[place].start_pos, node.children[place].end_pos

    def mutate(self, node: BaseNode, index: int) -> BaseNode:
        """Return the node with its condition of this index fixed."""
        node.children[self._places(node)[index]] = parso.parse(f" {self.value}")
        return node

    def _places(self, node: BaseNode) -> list[int]:
        """Return which children are conditions. A loop that never ends would only cost time."""
        if node.type == "if_stmt":
            words = [child.value if child.type == "keyword" else "" for child in node.children]
            return [place + 1 for place, word in enumerate(words) if word in {"if", "elif"}]
        if node.type == "while_stmt" and self.value == "False":
            return [1]
        return {"test": [2], "ternary": [2], "comp_if": [1]}.get(node.type, [])


class AlwaysTrue(_Fixed):
    """Take a condition as true."""

    value = "True"

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return what the operator does to a line."""
        return (Example("x = [a for a in b if a]", "x = [a for a in b if True]"),)


class AlwaysFalse(_Fixed):
    """Take a condition as false."""

    value = "False"

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return what the operator does to a line."""
        return (Example("while a: pass", "while False: pass"),)
