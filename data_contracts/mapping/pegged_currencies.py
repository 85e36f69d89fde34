"""Currencies with an official peg, from ``pegged_currencies.toml``."""

from __future__ import annotations

import functools
import tomllib
from decimal import Decimal
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date


class Peg(NamedTuple):
    """An official peg.

    Attributes:
        base: the currency it is pegged to.
        units: units of the pegged currency per unit of the base.
        since: first day of the peg, or a day from which it held without a change.
        source: who declares it, in words.
    """

    base: str
    units: Decimal
    since: date
    source: str


@functools.cache
def pegs() -> Mapping[str, Peg]:
    """Return the pegs by currency."""
    text = resources.files(__package__).joinpath("pegged_currencies.toml").read_text(encoding="utf-8")
    return {
        currency: Peg(one["base"], Decimal(one["units"]), one["from"], one["source"])
        for currency, one in tomllib.loads(text).items()
    }
