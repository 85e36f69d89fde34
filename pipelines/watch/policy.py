"""The policy of the early warning: dated, cited rules and covenants, with what a lender does when one of them holds."""

from __future__ import annotations

import datetime as dt
import functools
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from data_contracts.errors import ConfigurationRefused
from data_contracts.strict_yaml import read_yaml
from features.catalogue import load_feature_set
from features.record import Name, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

FEATURE_SET: Final = "open_loan_watch"
DAYS_PAST_DUE: Final = "days_past_due"
DAYS_SINCE_PAYOUT: Final = "days_since_payout"
LOAN_MEASURES: Final[Mapping[str, dict[str, str]]] = MappingProxyType(
    {
        DAYS_PAST_DUE: {"title_en": "Days past due of the loan", "title_zh": "本笔贷款逾期天数", "unit": "days"},
        DAYS_SINCE_PAYOUT: {"title_en": "Days since the loan was paid out", "title_zh": "放款至今天数", "unit": "days"},
    }
)
"""Measures of the loan itself; every other measure is a feature of its seller."""

Severity = Literal["watch", "severe"]
SEVERITIES: Final[tuple[Severity, ...]] = ("watch", "severe")
"""From light to grave."""
Action = Literal["watch", "cut_limit", "freeze_part", "call"]

_FILE: Final = "pipelines/watch/policy.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Strict):
    """A limit on a measure.

    Attributes:
        of: a feature of the set ``open_loan_watch``, or a measure of the loan.
        at_least: holds from this value on.
        at_most: holds down from this value.
        change: compare the difference to the value ``change_days`` earlier instead of the value.
        newly: holds only where it did not hold ``change_days`` earlier.
    """

    of: Name
    at_least: float | None = None
    at_most: float | None = None
    change: bool = False
    newly: bool = False

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.of}: a condition has either at_least or at_most")
        if self.change and self.newly:
            raise ValueError(f"{self.of}: a change cannot be new")
        return self


class Level(_Strict):
    """When a rule holds at a severity, and what to do then. Any one of ``when`` is enough; all its conditions count."""

    severity: Severity
    action: Action
    when: Annotated[tuple[Annotated[tuple[Condition, ...], Field(min_length=1)], ...], Field(min_length=1)]


class Rule(_Strict):
    """One rule of the early warning.

    Attributes:
        id: its name, never reused with a new meaning.
        title_en: short title for people.
        title_zh: the same in Chinese.
        source: who proposes it.
        levels: one for each severity it knows.
    """

    id: Name
    title_en: Text
    title_zh: Annotated[str, Field(min_length=2)]
    source: Text
    levels: Annotated[tuple[Level, ...], Field(min_length=1, max_length=2)]

    @model_validator(mode="after")
    def _severities_differ(self) -> Self:
        if len({level.severity for level in self.levels}) != len(self.levels):
            raise ValueError(f"{self.id}: two levels have one severity")
        return self

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that its conditions name, each once."""
        conditions = (one for level in self.levels for group in level.when for one in group)
        return tuple(dict.fromkeys(one.of for one in conditions))

    def level(self, severity: Severity) -> Level | None:
        """Return the level of a severity, None if the rule does not know it."""
        return next((level for level in self.levels if level.severity == severity), None)


class Covenant(_Strict):
    """A limit that the borrower has agreed to keep; its headroom is shown, and a new breach is an alert."""

    id: Name
    title_en: Text
    title_zh: Annotated[str, Field(min_length=2)]
    source: Text
    of: Name
    at_most: float | None = None
    at_least: float | None = None
    action: Action = "call"

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.id}: a covenant has either at_least or at_most")
        return self

    @property
    def limit(self) -> float:
        """The value to be kept."""
        return float(self.at_most if self.at_most is not None else self.at_least or 0.0)

    def headroom(self, value: float) -> float:
        """Return how far a value is inside the limit, as a share of the limit; below zero it is broken."""
        inside = self.limit - value if self.at_most is not None else value - self.limit
        return inside / abs(self.limit)

    def as_rule(self) -> Rule:
        """Return the rule that finds a new breach."""
        broken = (
            Condition(of=self.of, at_least=self.limit, newly=True)
            if self.at_most is not None
            else Condition(of=self.of, at_most=self.limit, newly=True)
        )
        level = Level(severity="watch", action=self.action, when=((broken,),))
        return Rule(id=self.id, title_en=self.title_en, title_zh=self.title_zh, source=self.source, levels=(level,))


class WatchPolicy(_Strict):
    """All rules, and how the past of a loan is looked at.

    Attributes:
        version: rises with every change of a rule.
        valid_from: day from which the rules apply.
        thresholds_from: the data on which thresholds of the project's own were set.
        step_days: days between two dates on which rules are looked at.
        history_days: how far back they are looked at, so that an alert has its first day.
        change_days: age of the earlier value that a change is measured from; a multiple of ``step_days``.
        quiet_days: an alert whose rule has not held for so long is over; later it would be a new one.
        rules: the rules in order.
        covenants: the covenants in order.
    """

    version: int
    valid_from: dt.date
    thresholds_from: Text
    step_days: Annotated[int, Field(gt=0)]
    history_days: Annotated[int, Field(gt=0)]
    change_days: Annotated[int, Field(gt=0)]
    quiet_days: Annotated[int, Field(gt=0)]
    rules: tuple[Rule, ...]
    covenants: tuple[Covenant, ...]

    @model_validator(mode="after")
    def _rules_can_be_judged(self) -> Self:
        if self.change_days % self.step_days or self.history_days % self.step_days:
            raise ValueError("change_days and history_days must be multiples of step_days")
        names = [rule.id for rule in self.all_rules]
        if len(set(names)) != len(names):
            raise ValueError("two rules have one id")
        known = {*load_feature_set(FEATURE_SET).names, *LOAN_MEASURES}
        unknown = {name for rule in self.all_rules for name in rule.measures} - known
        if unknown:
            raise ValueError(f"no measure is called {', '.join(sorted(unknown))}")
        return self

    @functools.cached_property
    def all_rules(self) -> tuple[Rule, ...]:
        """The rules, then one for each covenant."""
        return (*self.rules, *(covenant.as_rule() for covenant in self.covenants))

    def rule(self, name: str) -> Rule:
        """Return the rule of that id.

        Raises:
            KeyError: the policy has no such rule.
        """
        return {rule.id: rule for rule in self.all_rules}[name]

    def dates(self, as_of: dt.date) -> tuple[dt.date, ...]:
        """Return the dates on which rules are looked at, ascending, the last one being ``as_of``."""
        steps = self.history_days // self.step_days
        return tuple(as_of - dt.timedelta(days=self.step_days * step) for step in range(steps, -1, -1))


@functools.cache
def load_watch_policy() -> WatchPolicy:
    """Return the packaged policy.

    Raises:
        ConfigurationRefused: the file is not valid.
    """
    content = read_yaml(resources.files("pipelines.watch").joinpath("policy.yaml").read_bytes(), _FILE)
    try:
        return WatchPolicy.model_validate(content)
    except ValidationError as error:
        raise ConfigurationRefused(f"{_FILE}: {' '.join(str(error).split())}", "correct the file") from error
