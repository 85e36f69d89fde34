"""Feature records: formula and facts in one frozen object, the source of SQL, documentation and constraints."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Pillar = Literal[
    "sales_health",
    "user_quality",
    "supply_chain",
    "liquidity",
    "platform_dependence",
    "compliance",
    "related_parties",
    "data_integrity",
]
PILLARS: tuple[Pillar, ...] = get_args(Pillar)
Direction = Literal[-1, 0, 1]
Aggregate = Literal[
    "count",
    "sum",
    "mean",
    "stddev",
    "min",
    "max",
    "median",
    "days_since_last",
    "days_since_first",
    "count_distinct",
    "hhi",
    "top_share",
    "repeat_share",
    "max_per_key",
    "worst_ratio",
]

VALUED: frozenset[str] = frozenset({"sum", "mean", "stddev", "min", "max", "median", "worst_ratio"})
KEYED: frozenset[str] = frozenset({"count_distinct", "hhi", "top_share", "repeat_share", "max_per_key", "worst_ratio"})
ZERO_WHEN_EMPTY: frozenset[str] = frozenset({"count", "sum", "count_distinct"})

# Functions that a formula may call and other SQL words it may use; any other word must be a column or a feature.
_FUNCTIONS = "abs cast coalesce concat decimal extract greatest in least ln mod nullif sqrt unix_date"
_WORDS = "and as between case date double else end false from is like month not null or then true when year"
_BEFORE_BRACKETS = "and or not when then else case between"
SQL_FUNCTIONS: frozenset[str] = frozenset(_FUNCTIONS.split())
SQL_WORDS: frozenset[str] = SQL_FUNCTIONS | frozenset(_WORDS.split())

_TEXT = re.compile(r"'[^']*'")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\s*\(")
_ALLOWED = re.compile(r"[A-Za-z0-9_\s+\-*/<>=(),.]*")

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{2,62}$")]
Text = Annotated[str, Field(min_length=3)]


def identifiers(formula: str) -> tuple[str, ...]:
    """Return the columns or features that a formula names, each once, in order of first use.

    Raises:
        ValueError: the formula contains anything but plain arithmetic, comparisons and the allowed functions.
    """
    bare = _TEXT.sub(" ", formula)
    if not _ALLOWED.fullmatch(bare) or "--" in bare or "/*" in bare:
        raise ValueError(f"formula contains a character that is not allowed: {formula!r}")
    calls = {word.lower() for word in _CALL.findall(bare)}
    foreign = calls - SQL_FUNCTIONS - set(_BEFORE_BRACKETS.split())
    if foreign:
        raise ValueError(f"formula calls {sorted(foreign)}, which is not allowed: {formula!r}")
    words = (word for word in _WORD.findall(bare) if word.lower() not in SQL_WORDS)
    return tuple(dict.fromkeys(words))


class Described(BaseModel):
    """Facts that every feature declares.

    Attributes:
        name: family, measure, window; never reused with a new meaning.
        pillar: pillar of the passport that it belongs to.
        family: group of close relatives whose reasons are shown together.
        unit: unit of the value.
        direction: +1 when a higher value means a higher probability of default, -1 when it means a lower one, 0 when
            undecided.
        title_en: short title for people.
        title_zh: the same in Chinese.
        description: what is measured, in words.
        missing: what a missing value means.
        reference: where the idea comes from, or "own".
        since: first version of this package that had the feature.
        stops_with_trading: True when the value changes by itself once a seller stops trading (recency, trends, recent
            windows). Where the date of default is unknown, such a feature may reveal the default itself.
        is_intermediate: True for a quantity that only feeds other features. A set cannot name it, and it needs no
            titles.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    pillar: Pillar
    family: Name
    unit: Text
    direction: Direction
    title_en: str = ""
    title_zh: str = ""
    description: Text
    missing: Text
    reference: Text = "own"
    since: str = "0.1.0"
    stops_with_trading: bool = False
    is_intermediate: bool = False

    @model_validator(mode="after")
    def _has_titles(self) -> Self:
        if not self.is_intermediate and not (self.title_en and self.title_zh):
            raise ValueError(f"{self.name}: a feature needs a title in English and in Chinese")
        return self


class Feature(Described):
    """A base feature: one aggregate over a seller's rows of one table, in a window that ends at the as-of date.

    Attributes:
        table: canonical table, or the as-of view ``instalment``.
        aggregate: how rows become one number. ``hhi`` and ``top_share`` measure how ``value`` (1 per row if absent) is
            spread over ``key``. ``repeat_share`` is the share of keys with two or more rows. ``max_per_key`` is the row
            count of the most frequent key. ``worst_ratio`` is the highest sum of ``value`` in relation to the sum of
            ``of`` among the keys that hold at least ``least_share`` of the seller's sum of ``of``.
        value: SQL expression over the table's columns; summed as DECIMAL(18,4).
        where: SQL condition on rows.
        key: SQL expression that names the group, for the aggregates by key.
        of: SQL expression of the whole, for ``worst_ratio``.
        least_share: keys with a smaller share of the whole do not decide, for ``worst_ratio``.
        window_days: rows of ages 0 .. window_days-1; None for all history.
    """

    kind: Literal["base"] = "base"
    table: Name
    aggregate: Aggregate
    value: str | None = None
    where: str | None = None
    key: str | None = None
    of: str | None = None
    least_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    window_days: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _formula_fits_aggregate(self) -> Self:
        is_ratio = self.aggregate == "worst_ratio"
        if (self.of is not None, self.least_share is not None) != (is_ratio, is_ratio):
            raise ValueError(f"{self.name}: only worst_ratio takes a whole and its least share, and it needs both")
        if self.aggregate in VALUED and self.value is None:
            raise ValueError(f"{self.name}: {self.aggregate} needs a value")
        if (self.aggregate in KEYED) != (self.key is not None):
            raise ValueError(f"{self.name}: only {sorted(KEYED)} take a key, and they need one")
        self.columns()
        return self

    def columns(self) -> tuple[str, ...]:
        """Return the columns of the table that the formula reads."""
        parts = [part for part in (self.value, self.where, self.key, self.of) if part is not None]
        return tuple(dict.fromkeys(word for part in parts for word in identifiers(part)))


class DerivedFeature(Described):
    """A feature computed from other features of the same seller and date.

    Attributes:
        expression: SQL expression over names of base or derived features, all of them DOUBLE.
        handles_missing: True when the expression itself says what a missing input means. Otherwise one missing input
            makes the feature missing, even where SQL would not (``GREATEST`` ignores missing values).
    """

    kind: Literal["derived"] = "derived"
    expression: Text
    handles_missing: bool = False

    @model_validator(mode="after")
    def _expression_is_plain(self) -> Self:
        if not self.inputs():
            raise ValueError(f"{self.name}: the expression names no feature")
        return self

    def inputs(self) -> tuple[str, ...]:
        """Return the features that the expression names."""
        return identifiers(self.expression)

    @property
    def guarded(self) -> str:
        """The expression as it is computed, with the rule for missing inputs."""
        if self.handles_missing:
            return self.expression
        present = " AND ".join(f"{name} IS NOT NULL" for name in self.inputs())
        return f"CASE WHEN {present} THEN {self.expression} END"


class GraphFeature(Described):
    """A feature read from the graph of related parties or of shared trading partners as of the date.

    Attributes:
        signal: name of the signal in ``features.graph.signals``.
        tables: tables whose coverage the seller needs; the value is missing where one is not covered.
        window_days: for trading partners, only rows no older than this; for ``new_link_count``, only links that began
            within this many days. None for all history.
        side: which invoices name the partners, for signals over ``trade_invoice``.
        neighbour_feature: base or derived feature averaged over related sellers, for the signal ``related_mean``.
    """

    kind: Literal["graph"] = "graph"
    signal: Name
    tables: tuple[Name, ...]
    window_days: Annotated[int, Field(gt=0)] | None = None
    side: Literal["purchase", "sale"] | None = None
    neighbour_feature: Name | None = None

    @model_validator(mode="after")
    def _names_a_side_of_invoices(self) -> Self:
        if (self.side is not None) != ("trade_invoice" in self.tables):
            raise ValueError(f"{self.name}: only signals over trade_invoice take a side, and they need one")
        return self


FeatureRecord = Feature | DerivedFeature | GraphFeature
