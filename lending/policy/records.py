"""Frozen records of the lender's policy and its reader."""

from __future__ import annotations

import datetime as dt
import functools
from importlib import resources
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from data_contracts.errors import ConfigurationRefused
from data_contracts.strict_yaml import read_yaml
from features.record import Name, Text

Figure = Literal[
    "pd_12m",
    "monthly_payouts_usd",
    "evidence_share",
    "borrowed_usd",
    "group_borrowed_usd",
    "months_of_history",
    "receivables_usd",
    "stock_usd",
    "moving_goods_share",
    "fraud_flags",
    "screening_hits",
]
"""What an offer needs of a seller, one column each. A gap counts as the worst value."""
FIGURES: tuple[Figure, ...] = get_args(Figure)
WORSE_WHEN_HIGHER: frozenset[Figure] = frozenset(
    {"pd_12m", "borrowed_usd", "group_borrowed_usd", "fraud_flags", "screening_hits"}
)

_FILE: Final = "lending/policy/policy.yaml"

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Paces(_Strict):
    """Payouts after the advance as a multiple of today's: slow, middle and fast."""

    slow: Positive
    middle: Positive
    fast: Positive

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.slow <= self.middle <= self.fast:
            raise ValueError("payout_paces must rise from slow to fast")
        return self


class Terms(_Strict):
    """What money costs the lender and how much it lends; ``payout_months`` counts months of verified payouts."""

    source: Text
    funding_rate: Share
    capital_share: Share
    capital_return: Share
    operating_cost_usd: Amount
    legal_maximum_rate: Positive
    payout_months: Positive
    loss_budget: Share
    group_share: Share
    single_name_share: Share
    portfolio_usd: Positive
    smallest_limit_usd: Positive
    payout_paces: Paces


class Segment(_Strict):
    """Sellers from ``from_usd`` of verified yearly payouts on."""

    id: Name
    from_usd: Amount
    margin: Share
    largest_limit_usd: Amount


class Condition(_Strict):
    """The least value of a figure, and the document that can show it."""

    of: Figure
    at_least: float
    document: Text

    @model_validator(mode="after")
    def _right_way(self) -> Self:
        if self.of in WORSE_WHEN_HIGHER:
            raise ValueError(f"{self.of} is worse when higher and has no least value")
        return self


class Refusal(_Strict):
    """A figure above this value refuses every product until a person has looked at it."""

    of: Figure
    at_most: float
    source: Text

    @model_validator(mode="after")
    def _right_way(self) -> Self:
        if self.of not in WORSE_WHEN_HIGHER:
            raise ValueError(f"{self.of} is better when higher and has no greatest value")
        return self


class Product(_Strict):
    """A product: what it costs when it fails, what secures and repays it, and its conditions."""

    id: Name
    title_en: Text
    title_zh: Annotated[str, Field(min_length=2)]
    source: Text
    tenor_days: Annotated[int, Field(ge=1)]
    loss_given_default: Annotated[float, Field(gt=0, le=1)]
    collateral: Literal["receivables_usd", "stock_usd"] | None = None
    advance_rate: Share | None = None
    payout_share: Annotated[float, Field(gt=0, le=1)] | None = None
    repaid_from: Text
    conditions: tuple[Condition, ...]

    @model_validator(mode="after")
    def _secured(self) -> Self:
        if (self.collateral is None) != (self.advance_rate is None):
            raise ValueError("collateral and advance_rate go together")
        return self


class Policy(_Strict):
    """A lender's policy from a date on."""

    version: int
    valid_from: dt.date
    terms: Terms
    segments: Annotated[tuple[Segment, ...], Field(min_length=1)]
    products: Annotated[tuple[Product, ...], Field(min_length=1)]
    refusals: tuple[Refusal, ...]

    @model_validator(mode="after")
    def _better_terms_for_larger_sellers(self) -> Self:
        """Refuse segments in which withheld payouts, which make a seller look smaller, would pay."""
        if self.segments[0].from_usd != 0:
            raise ValueError("the first segment must begin at 0")
        for small, large in zip(self.segments, self.segments[1:], strict=False):
            if large.from_usd <= small.from_usd:
                raise ValueError("segments must be listed by rising from_usd")
            if large.margin > small.margin or large.largest_limit_usd < small.largest_limit_usd:
                raise ValueError(f"{large.id} must not have a higher margin or a lower largest limit than {small.id}")
        ids = [product.id for product in self.products]
        if len(set(ids)) < len(ids):
            raise ValueError("a product is listed twice")
        return self


@functools.cache
def shipped_policy() -> Policy:
    """Return the example policy beside this module."""
    return parse_policy(resources.files("lending.policy").joinpath("policy.yaml").read_text(encoding="utf-8"), _FILE)


def parse_policy(text: str, name: str) -> Policy:
    """Return the policy in ``text``.

    Raises:
        ConfigurationRefused: a record breaks a rule; the message names the file, the record and the rule.
    """
    try:
        return Policy.model_validate(read_yaml(text, name))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "policy"
        raise ConfigurationRefused(f"{name}: {place}: {first['msg']}", "correct this record") from None
