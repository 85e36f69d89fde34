"""The integrity rules: one record each, with source, formula, severity and what a lender does."""

from __future__ import annotations

import datetime as dt
import functools
import re
from importlib import resources
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from data_contracts.errors import ConfigurationRefused
from data_contracts.strict_yaml import read_yaml
from features.engine.sql_text import date_literal
from features.policy import load_policy
from features.record import Name, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE: Final = "features/integrity/rules.yaml"
LINEAGE: Final = ("event_date", "known_at", "superseded_at")
"""Columns of every table that decide which rows are known on a date."""
_PLACE: Final = re.compile(r"\{([a-z0-9_]+)\}")
_WITHOUT_SELLER: Final = frozenset({"party_link"})


class TwoTexts(BaseModel):
    """A text in English and in Chinese."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    en: Text
    zh: Text


class IntegrityRule(BaseModel):
    """A sign of false trade.

    Attributes:
        title: name in a few words.
        meaning: what the rule has seen.
        remedy: what the reader can do.
        since: day from which the rule holds.
        source: who proposes it.
        severity: how much it weighs.
        action: what a lender does: refer the row to a person, or refuse.
        truth: kind of fraud in the synthetic world that it looks for; None if the world plants none.
        tables: canonical tables with the columns that the formula reads, beside seller and dates.
        across_sellers: whether the formula compares sellers with each other.
        sql: formula; it returns ``seller_id``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: TwoTexts
    meaning: TwoTexts
    remedy: TwoTexts
    since: dt.date
    source: Text
    severity: Literal["medium", "high"]
    action: Literal["refer", "refuse"]
    truth: Name | None = None
    tables: dict[Name, tuple[Name, ...]]
    across_sellers: bool = False
    sql: Text

    def statement(self, day: dt.date) -> str:
        """Return the formula as of a day, with its thresholds."""
        return load_policy().filled(self.sql, {"day": date_literal(day)})

    def thresholds(self) -> tuple[str, ...]:
        """Return the names of the thresholds in the formula, in their order."""
        return tuple(dict.fromkeys(name for name in _PLACE.findall(self.sql) if name != "day"))


@functools.cache
def integrity_rules() -> Mapping[str, IntegrityRule]:
    """Return the packaged rules by code.

    Raises:
        ConfigurationRefused: the file is not valid.
    """
    content = read_yaml(resources.files("features").joinpath("integrity/rules.yaml").read_bytes(), _FILE)
    try:
        return TypeAdapter(dict[Name, IntegrityRule]).validate_python(content)
    except ValidationError as error:
        raise ConfigurationRefused(f"{_FILE}: {' '.join(str(error).split())}", "correct the file") from error


def columns_read() -> dict[str, tuple[str, ...]]:
    """Return the tables that the rules read, each with its columns."""
    found: dict[str, dict[str, None]] = {}
    for rule in integrity_rules().values():
        for table, columns in rule.tables.items():
            seller = () if table in _WITHOUT_SELLER else ("seller_id",)
            found.setdefault(table, {}).update(dict.fromkeys((*seller, *columns, *LINEAGE)))
    return {table: tuple(columns) for table, columns in found.items()}
