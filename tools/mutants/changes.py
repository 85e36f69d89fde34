"""The small faults that can be put into a module, one at a time; cosmic-ray's operators make most of them."""

from __future__ import annotations

import ast
import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.provider import OperatorProvider

from tools.mutants.conditions import AlwaysFalse, AlwaysTrue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from parso.tree import NodeOrLeaf

Position = tuple[int, int]

_PLAIN: Final = (
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
    "NumberReplacer",
    "RemoveDecorator",
    "ZeroIterationForLoop",
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_Delete_Invert",
)
# Arithmetic that one could confuse. Most other pairs fail on any value and would only flatter the score.
_CONFUSED: Final = (
    *(("Add", "Sub"), ("Sub", "Add"), ("Mul", "Div"), ("Mul", "Add"), ("Div", "Mul"), ("Div", "FloorDiv")),
    *(("FloorDiv", "Div"), ("Mod", "FloorDiv"), ("Pow", "Mul"), ("RShift", "LShift"), ("LShift", "RShift")),
    *(("BitOr", "BitAnd"), ("BitAnd", "BitOr"), ("BitXor", "BitOr")),
)
# Each comparison becomes its opposite, and one of order also moves its boundary.
_COMPARED: Final = (
    *(("Eq", "NotEq"), ("NotEq", "Eq"), ("Is", "IsNot"), ("IsNot", "Is"), ("Lt", "LtE"), ("Lt", "GtE")),
    *(("LtE", "Lt"), ("LtE", "Gt"), ("Gt", "GtE"), ("Gt", "LtE"), ("GtE", "Gt"), ("GtE", "Lt")),
)
# Decorators that change no result, or without which the module cannot be used at all.
_KEPT_DECORATORS: Final = {"dataclass", "cache", "lru_cache", "cached_property", "contextmanager", "overload"}
_DECORATOR: Final = re.compile(r"@(?:\w+\.)*(\w+)")
_KEPT_ARGUMENTS: Final = {"frozen", "slots", "kw_only"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One small change of a module: an operator, which of its places, and where that is."""

    operator: str
    occurrence: int
    start: Position


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with a fault: its whole text, and the lines that changed."""

    path: str
    line: int
    was: str
    becomes: str
    source: str


def _operators() -> dict[str, Any]:
    provider = OperatorProvider()
    names = [
        *_PLAIN,
        *(f"ReplaceBinaryOperator_{one}_{other}" for one, other in _CONFUSED),
        *(f"ReplaceComparisonOperator_{one}_{other}" for one, other in _COMPARED),
    ]
    return {name: provider[name]() for name in names} | {"AlwaysTrue": AlwaysTrue(), "AlwaysFalse": AlwaysFalse()}


OPERATORS: Final[Mapping[str, Any]] = _operators()


def faults(source: str) -> Iterator[Fault]:
    """Yield every fault that can be put into a module, outside annotations and what only type checkers read."""
    nodes, kept = list(ast_nodes(get_ast(source))), list(_kept(source))
    for name, operator in OPERATORS.items():
        places = ((node, place) for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (node, (start, _)) in enumerate(places):
            if not _is_mark(node) and not any(first <= start < last for first, last in kept):
                yield Fault(name, occurrence, start)


def _is_mark(node: NodeOrLeaf) -> bool:
    """Return whether a node is a decorator to keep, or the star before keyword-only parameters."""
    if node.type == "decorator":
        found = _DECORATOR.match(node.get_code().lstrip())
        return found is not None and found[1] in _KEPT_DECORATORS
    return node.type == "operator" and node.parent is not None and node.parent.type in {"parameters", "lambdef"}


def mutant(path: str, source: str, fault: Fault) -> Mutant | None:
    """Return the module with this fault, or None if it means the same or is no Python."""
    try:
        changed = mutate_code(source, OPERATORS[fault.operator], fault.occurrence)
    except AttributeError:  # cosmic-ray cannot replace an exception with a dotted name
        return None
    if changed is None:
        return None
    try:
        if ast.dump(ast.parse(changed)) == ast.dump(ast.parse(source)):
            return None
    except SyntaxError:
        return None
    was, becomes = _changed_lines(source, changed)
    return Mutant(path, fault.start[0], was, becomes, changed)


def _changed_lines(source: str, changed: str) -> tuple[str, str]:
    """Return the lines that differ, before and after, without indentation."""
    lines = list(difflib.ndiff(source.splitlines(), changed.splitlines()))
    was, becomes = ([line[2:].strip() for line in lines if line.startswith(sign)] for sign in "-+")
    return " ".join(was), " ".join(becomes)


def _kept(source: str) -> Iterator[tuple[Position, Position]]:
    """Yield the ranges that no fault is put into."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        for part in _unmeasured(node):
            first = _column(lines, part.lineno, part.col_offset)
            last = _column(lines, part.end_lineno, part.end_col_offset)
            yield (part.lineno, first), (part.end_lineno, last)


def _unmeasured(node: ast.AST) -> Iterator[Any]:
    """Yield the parts of a node that change no result: annotations, type checkers' imports, how a class is made."""
    if isinstance(node, (ast.AnnAssign, ast.arg)) and node.annotation is not None:
        yield node.annotation
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield from (one for one in node.decorator_list if _called(one) in _KEPT_DECORATORS)
    if isinstance(node, ast.FunctionDef) and node.returns is not None:
        yield node.returns
    if isinstance(node, ast.Call):
        # Whether zip is strict guards against mistakes in the code itself, which no input can bring about.
        kept = {"strict"} if _called(node) == "zip" else _KEPT_ARGUMENTS
        yield from (one.value for one in node.keywords if one.arg in kept)
    if isinstance(node, ast.If) and _called(node.test) == "TYPE_CHECKING":
        yield node
    if isinstance(node, ast.ClassDef) and "Protocol" in map(_called, node.bases):
        yield node


def _called(node: ast.expr) -> str:
    """Return the last name of ``name``, ``module.name`` or a call of it."""
    while isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _column(lines: list[str], line: int, offset: int) -> int:
    """Return the column in characters; Python's syntax tree counts bytes."""
    return len(lines[line - 1].encode()[:offset].decode())
