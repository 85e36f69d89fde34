"""Changes to the rules of a contract: stricter, looser, or not comparable."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from data_contracts.compatibility.change import Change, ChangeKind
from data_contracts.definition.contract import Bound, Bounds, Kind, Rule, Severity
from data_contracts.definition.rules import describe_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_RANK = {Severity.WARNING: 0, Severity.ERROR: 1, Severity.CRITICAL: 2}
# If all bounds change by one of these factors, the unit has probably changed.
_UNIT_FACTORS = {Decimal(factor) for factor in ("100", "1000", "0.01", "0.001")}


def rule_changes(old: Sequence[Rule], new: Sequence[Rule]) -> Iterator[Change]:
    """Yield the changes between two sets of rules, matched by rule ID; a rule that only warns is never breaking."""
    before, after = ({rule.rule_id: rule for rule in rules} for rules in (old, new))
    for rule_id, rule in before.items():
        if rule_id not in after:
            yield Change(ChangeKind.RULE_DROPPED, rule_id, rule.description, breaking=False)
    for rule_id, rule in after.items():
        if rule_id in before:
            yield from _changes(before[rule_id], rule)
            continue
        required = rule.kind is Kind.NOT_NULL and rule_id == f"{rule.column}:required"
        kind = ChangeKind.REQUIRED_ADDED if required else ChangeKind.RULE_ADDED
        yield Change(kind, rule_id, f"{rule.description} ({rule.severity})", breaking=_bites(rule))


def _bites(rule: Rule) -> bool:
    return rule.severity is not Severity.WARNING


def _changes(old: Rule, new: Rule) -> Iterator[Change]:
    raised = _RANK[new.severity] - _RANK[old.severity]
    if raised:
        kind = ChangeKind.SEVERITY_RAISED if raised > 0 else ChangeKind.SEVERITY_LOWERED
        yield Change(kind, new.rule_id, f"{old.severity} → {new.severity}", breaking=raised > 0)
    if new.kind is Kind.ENUM and old.kind is Kind.ENUM:
        yield from _enum_changes(old, new)
    elif (old.kind, _compared(old)) != (new.kind, _compared(new)):
        kind = _direction(old, new)
        words = f"{_rule_text(old)} → {_rule_text(new)}{_unit_hint(old, new)}"
        yield Change(kind, new.rule_id, words, breaking=kind is not ChangeKind.RULE_LOOSENED and _bites(new))


def _compared(rule: Rule) -> tuple[object, ...]:
    """Return what a rule compares with, ignoring the order of columns and values and the whitespace of its SQL."""
    given = rule.arguments
    return (
        *(frozenset(given.columns), frozenset(given.values), given.pattern, given.bounds),
        *(_plain_sql(given.sql), given.equals, given.differs),
    )


def _plain_sql(sql: str | None) -> str:
    return " ".join((sql or "").split())


def _enum_changes(old: Rule, new: Rule) -> Iterator[Change]:
    before, after = old.arguments.values, new.arguments.values
    for kind, values in (
        (ChangeKind.ENUM_NARROWED, [value for value in before if value not in after]),
        (ChangeKind.ENUM_WIDENED, [value for value in after if value not in before]),
    ):
        if values:
            narrowed = kind is ChangeKind.ENUM_NARROWED
            words = f"{'without' if narrowed else 'also'} {', '.join(map(repr, values))}"
            yield Change(kind, new.rule_id, words, breaking=narrowed and _bites(new))


def _direction(old: Rule, new: Rule) -> ChangeKind:
    """Return whether the new rule accepts fewer rows than the old one, more rows, or cannot be compared with it."""
    if old.kind is not new.kind:
        return ChangeKind.RULE_CHANGED
    before, after = old.arguments, new.arguments
    stricter = looser = False
    if new.kind is Kind.UNIQUE:
        # Rows that are unique in fewer columns are also unique in more.
        stricter, looser = set(after.columns) < set(before.columns), set(after.columns) > set(before.columns)
    elif new.kind is Kind.NOT_IN:
        stricter, looser = set(after.values) > set(before.values), set(after.values) < set(before.values)
    elif before.bounds and after.bounds and _plain_sql(before.sql) == _plain_sql(after.sql):
        stricter, looser = _inside(after.bounds, before.bounds), _inside(before.bounds, after.bounds)
    if stricter == looser:
        return ChangeKind.RULE_CHANGED
    return ChangeKind.RULE_TIGHTENED if stricter else ChangeKind.RULE_LOOSENED


def _inside(inner: Bounds, outer: Bounds) -> bool:
    """Return whether one interval lies inside another."""
    low = outer.minimum is None or (
        inner.minimum is not None
        and _order(inner.minimum, outer.minimum, strict=inner.strict_minimum >= outer.strict_minimum)
    )
    high = outer.maximum is None or (
        inner.maximum is not None
        and _order(outer.maximum, inner.maximum, strict=inner.strict_maximum >= outer.strict_maximum)
    )
    return low and high


def _order(greater: Bound, smaller: Bound, *, strict: bool) -> bool:
    """Return whether one end is greater. Equal ends pass if the inner end is at least as strict."""
    if greater == smaller:
        return strict
    is_greater: bool = greater > smaller  # type: ignore[operator]  # both are of the column's type
    return is_greater


def _rule_text(rule: Rule) -> str:
    given = rule.arguments
    if given.bounds is not None:
        return f"{_plain_sql(given.sql)} {describe_bounds(given.bounds)}".strip()
    parts = [" + ".join(given.columns), ", ".join(given.values), given.pattern or "", _plain_sql(given.sql)]
    parts += [f"equals {given.equals}"] if given.equals is not None else []
    parts += [f"is not {given.differs}"] if given.differs is not None else []
    return " ".join(part for part in parts if part) or rule.kind


def _unit_hint(old: Rule, new: Rule) -> str:
    before, after = old.arguments.bounds, new.arguments.bounds
    if before is None or after is None:
        return ""
    pairs = [(before.minimum, after.minimum), (before.maximum, after.maximum)]
    ends = [(a, b) for a, b in pairs if isinstance(a, Decimal) and isinstance(b, Decimal) and (a or b)]
    factors = {b / a if a else None for a, b in ends}
    if len(factors) != 1 or (factor := factors.pop()) not in _UNIT_FACTORS:
        return ""
    return f"; all bounds changed by the factor {factor:f}: did the unit change?"
