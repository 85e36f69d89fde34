"""Amazon's marketplaces: the currency of each, and how its settlement files write decimals."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

import pyarrow as pa


@functools.cache
def _settings() -> dict[str, dict[str, str]]:
    return tomllib.loads(resources.files(__package__).joinpath("marketplaces.toml").read_text(encoding="utf-8"))


def currencies() -> pa.Table:
    """Return the currency of each marketplace: ``name``, ``currency``."""
    return _table(_settings()["currencies"], "currency")


def marketplace_identifiers() -> pa.Table:
    """Return the marketplace of each identifier in Amazon's interfaces: ``name``, ``marketplace``."""
    return _table(_settings()["identifiers"], "marketplace")


def currency_marks() -> pa.Table:
    """Return the decimal mark of each currency that has no point: ``name``, ``mark``."""
    return _table(_settings()["decimal_marks"], "mark")


def marketplace_marks() -> pa.Table:
    """Return the decimal mark of each marketplace: ``name``, ``mark``."""
    settings = _settings()
    by_currency, own = settings["decimal_marks"], settings["decimal_marks_of_marketplaces"]
    marks = {name: own.get(name, by_currency.get(currency, ".")) for name, currency in settings["currencies"].items()}
    return _table(marks, "mark")


def _table(values: dict[str, str], column: str) -> pa.Table:
    return pa.table({"name": pa.array([*values], pa.string()), column: pa.array([*values.values()], pa.string())})
