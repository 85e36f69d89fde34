"""Families of features, as the files in ``features/pillars`` list them: one file for each pillar of the passport.

What close relatives share is said once, in the family; a member gives its formula and its words. One feature follows
for each window of a member. In its formula and its description ``{days}`` stands for the length of the window, and in
its titles ``{window}`` for the words of it; other names in braces are thresholds of ``features/policy.yaml``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.formulas import Change, active_months, logarithm, monthly_variation, seasonal_variation, share
from features.record import (
    Aggregate,
    DerivedFeature,
    Direction,
    Feature,
    FeatureRecord,
    GraphFeature,
    Name,
    Pillar,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.policy import Policy

_MONTHS_OF: Final = {90: 3, 180: 6, 360: 12, 365: 12}
_SHAPES: Final = ("monthly_variation", "seasonal_variation", "active_months")
_SHARED: Final = ("unit", "direction", "missing", "reference", "since", "stops_with_trading")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Facts(_Strict):
    """Facts that a family states for all its members, and a member for itself where it differs."""

    unit: Text | None = None
    direction: Direction | None = None
    missing: Text | None = None
    reference: Text | None = None
    since: str | None = None
    stops_with_trading: bool | None = None

    def facts(self) -> dict[str, Any]:
        """Return the facts that are stated here."""
        return {name: value for name in _SHARED if (value := getattr(self, name)) is not None}


class Rows(_Strict):
    """One aggregate over a seller's rows of a table; the fields mean what they mean in ``features.record.Feature``."""

    table: Name
    aggregate: Aggregate
    value: str | None = None
    where: str | None = None
    key: str | None = None
    of: str | None = None
    least_share: float | str | None = None


class Graph(_Strict):
    """A signal of the company graph; the fields mean what they mean in ``features.record.GraphFeature``."""

    signal: Name
    tables: tuple[Name, ...]
    side: Literal["purchase", "sale"] | None = None
    neighbour_feature: Name | None = None


class Member(_Facts):
    """A feature without its family's facts; exactly one of the fields from ``rows`` to ``sql`` says how it is computed.

    Attributes:
        windows: length in days of each window, for a formula with ``{days}``; the name gets ``_<days>d``. Empty for a
            feature whose name says its window or which has none.
        rows: an aggregate over the rows of a table.
        graph: a signal of the company graph.
        share: a part and its whole.
        change: a change from the earlier part of a window to the recent part.
        logarithm: an amount; the feature is its logarithm.
        seasonal_variation: a quantity; the feature is the spread of its monthly changes against the year before.
        monthly_variation: a quantity; the feature is the coefficient of variation of its twelve months.
        active_months: a quantity; the feature counts its twelve months that are not zero.
        sql: any other expression over features and quantities.
        handles_missing: whether the expression says itself what a missing input means.
        title_en: short title for people.
        title_zh: the same in Chinese.
        description: what is measured, in words.
    """

    windows: tuple[Annotated[int, Field(gt=0)], ...] = ()
    rows: Rows | None = None
    graph: Graph | None = None
    share: tuple[str, str] | None = None
    change: Change | None = None
    logarithm: str | None = None
    monthly_variation: str | None = None
    seasonal_variation: str | None = None
    active_months: str | None = None
    sql: str | None = None
    handles_missing: bool = False
    title_en: Text
    title_zh: Annotated[str, Field(min_length=2)]
    description: Text

    @model_validator(mode="after")
    def _is_computed_in_one_way(self) -> Self:
        ways = ("rows", "graph", "share", "change", "logarithm", *_SHAPES, "sql")
        given = [way for way in ways if getattr(self, way) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(ways)}, has {', '.join(given) or 'none'}")
        return self

    def expression(self) -> str | None:
        """Return the SQL over other features; None if the feature is read from rows or from the graph."""
        if self.share is not None:
            return share(*self.share)
        if self.change is not None:
            return self.change.sql()
        shapes = {
            logarithm: self.logarithm,
            monthly_variation: self.monthly_variation,
            seasonal_variation: self.seasonal_variation,
            active_months: self.active_months,
        }
        return next((shape(of) for shape, of in shapes.items() if of is not None), self.sql)


class Family(_Facts):
    """Features that say nearly the same; their reasons share one line on a passport.

    Attributes:
        features: its members by name, each with its formula and words. The facts that most of them share (unit,
            direction, meaning of a missing value, reference and others) are stated once for the family.
    """

    features: dict[Name, Member]


class PillarFile(_Strict):
    """The content of a file of ``features/pillars``.

    Attributes:
        missing: what a missing value means, by a name that families and features may state instead of the words.
        families: the families by name, in the order of the feature reference.
    """

    missing: dict[str, Text] = {}
    families: dict[Name, Family]

    def records(self, pillar: Pillar, policy: Policy) -> tuple[FeatureRecord, ...]:
        """Return the features of the pillar, family by family.

        Raises:
            ValueError: a name in braces is no threshold, or a feature lacks a fact.
        """
        return tuple(
            _record(self._facts(family, member) | {"pillar": pillar, "family": name}, feature, member, days, policy)
            for name, family in self.families.items()
            for feature, member in family.features.items()
            for days in member.windows or (None,)
        )

    def _facts(self, family: Family, member: Member) -> dict[str, Any]:
        facts = family.facts() | member.facts()
        missing = facts.get("missing", "")
        if missing not in self.missing and " " not in missing:
            raise ValueError(f"nothing under 'missing' is named {missing!r}")
        return facts | {"missing": self.missing.get(missing, missing)}


def _record(facts: Mapping[str, Any], name: str, member: Member, days: int | None, policy: Policy) -> FeatureRecord:
    """Return the feature of a member over a window."""

    def filled(text: str, window: str = "") -> str:
        return policy.filled(text, {} if days is None else {"days": str(days), "window": window})

    described = {
        **facts,
        "name": name if days is None else f"{name}_{days}d",
        "title_en": filled(member.title_en, "" if days is None else _window_en(days)),
        "title_zh": filled(member.title_zh, "" if days is None else _window_zh(days)),
        "description": filled(member.description),
    }
    expression = member.expression()
    if expression is not None:
        return DerivedFeature(**described, expression=filled(expression), handles_missing=member.handles_missing)
    how = (member.rows or member.graph or member).model_dump(exclude_none=True)
    how = {field: filled(value) if isinstance(value, str) else value for field, value in how.items()}
    window = window_in_name(described["name"])
    if member.graph is not None:
        is_windowed = window is not None and member.graph.neighbour_feature is None
        return GraphFeature(**described, **how, window_days=window if is_windowed else None)
    return Feature(**described, **how, window_days=window)


def window_in_name(name: str) -> int | None:
    """Return the window that a name ends with: 90 for ``refunds_90d``, None for ``loan_count``."""
    found = re.fullmatch(r".*_(\d+)d", name)
    return int(found[1]) if found else None


def _window_en(days: int) -> str:
    return f"last {_MONTHS_OF[days]} months" if days in _MONTHS_OF else f"last {days} days"


def _window_zh(days: int) -> str:
    return f"近{_MONTHS_OF[days]}个月" if days in _MONTHS_OF else f"近{days}天"
