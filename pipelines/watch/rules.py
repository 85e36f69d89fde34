"""Whether a rule holds: three answers, because what was not delivered can neither raise an alert nor end one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipelines.watch.policy import Condition, Rule

    Values = Mapping[str, NDArray[np.float64]]
    Verdicts = NDArray[np.float64]

HOLDS: Final = 1.0
HOLDS_NOT: Final = 0.0


def condition_verdicts(condition: Condition, now: Values, before: Values) -> Verdicts:
    """Return for each loan 1 where a condition holds, 0 where it does not, NaN where a value is missing.

    Args:
        condition: the condition.
        now: values of every measure at the date, shape (loans,), NaN where missing.
        before: the same ``change_days`` earlier.
    """
    current, earlier = now[condition.of], before[condition.of]
    if condition.change:
        return _against_limit(condition, current - earlier)
    holds = _against_limit(condition, current)
    if not condition.newly:
        return holds
    held = _against_limit(condition, earlier)
    # What was broken before, or was not known before, is not new.
    return np.where(holds == HOLDS_NOT, HOLDS_NOT, np.where(np.isnan(held), np.nan, holds * (1 - held)))


def _against_limit(condition: Condition, values: NDArray[np.float64]) -> Verdicts:
    lowest = -np.inf if condition.at_least is None else condition.at_least
    highest = np.inf if condition.at_most is None else condition.at_most
    holds = (values >= lowest) & (values <= highest)
    return np.where(np.isnan(values), np.nan, holds.astype(np.float64))


def all_of(verdicts: Sequence[Verdicts]) -> Verdicts:
    """Return 0 where any verdict is 0, else NaN where any is missing, else 1."""
    stacked = np.stack(verdicts)
    unknown = np.isnan(stacked).any(axis=0)
    fails = (stacked == HOLDS_NOT).any(axis=0)
    return np.where(fails, HOLDS_NOT, np.where(unknown, np.nan, HOLDS))


def any_of(verdicts: Sequence[Verdicts]) -> Verdicts:
    """Return 1 where any verdict is 1, else NaN where any is missing, else 0."""
    return 1.0 - all_of([1.0 - one for one in verdicts])


def rule_verdicts(rule: Rule, now: Values, before: Values) -> dict[str, Verdicts]:
    """Return, by severity, for each loan whether the rule holds; a loan at the grave level also holds the light one."""
    found: dict[str, Verdicts] = {
        level.severity: any_of(
            [all_of([condition_verdicts(one, now, before) for one in group]) for group in level.when]
        )
        for level in rule.levels
    }
    if "severe" in found and "watch" in found:
        found["watch"] = any_of([found["watch"], found["severe"]])
    return found


def met_conditions(rule: Rule, severity: str, now: Values, before: Values) -> list[list[Condition]]:
    """Return for each loan the conditions of the first alternative of a level that holds; empty where none does."""
    level = next(level for level in rule.levels if level.severity == severity)
    count = len(next(iter(now.values())))
    found: list[list[Condition]] = [[] for _ in range(count)]
    for group in level.when:
        holds = all_of([condition_verdicts(one, now, before) for one in group]) == HOLDS
        for place in np.flatnonzero(holds):
            found[place] = found[place] or list(group)
    return found
