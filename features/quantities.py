"""Sums, counts and means that other features are computed from, as ``features/quantities.yaml`` lists them.

They are base features like any other and computed in the same pass, but a set cannot name them: a model reads the
ratios, trends and shares that are made of them. A formula names a quantity with its window, ``platform_sales_90d``, or
over all history, ``platform_sales_all``; that alone brings it into being.
"""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from data_contracts.errors import ConfigurationRefused
from data_contracts.strict_yaml import read_yaml
from features.policy import load_policy
from features.record import Aggregate, Feature, Name, Pillar, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE: Final = "features/quantities.yaml"
_NOT_DELIVERED: Final = "The table was not delivered for the window."
_WITH_WINDOW: Final = re.compile(r"(.+)_(?:(\d+)d|all)")


class Quantity(BaseModel):
    """An aggregate over rows of a table, for any window.

    Attributes:
        description: what is summed or counted, in words.
        value: SQL expression to sum; without it, rows are counted.
        where: SQL condition on rows.
        aggregate: how rows become one number, if not by sum or count.
        key: SQL expression that names the group, for aggregates by key.
        of: SQL expression of the whole, for ``worst_ratio``.
        least_share: smallest share of the whole that decides, for ``worst_ratio``.
        unit: unit of the value; money and counts need none.
        missing: what a missing value means.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: Text
    value: str | None = None
    where: str | None = None
    aggregate: Aggregate | None = None
    key: str | None = None
    of: str | None = None
    least_share: float | str | None = None
    unit: Text | None = None
    missing: Text = _NOT_DELIVERED


class _Group(BaseModel):
    """Quantities of one table that the feature reference lists under one pillar."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: Name
    pillar: Pillar
    quantities: dict[Name, Quantity]


def quantity(name: str) -> Feature | None:
    """Return the quantity that a formula names, None if there is none of that name.

    Raises:
        ConfigurationRefused: the file of quantities is not valid.
    """
    known = _known()
    if name in known:
        return _over(name, *known[name], None)
    found = _WITH_WINDOW.fullmatch(name)
    if found is None or found[1] not in known:
        return None
    return _over(name, *known[found[1]], int(found[2]) if found[2] else None)


@functools.cache
def _known() -> Mapping[str, tuple[_Group, Quantity]]:
    content = read_yaml(resources.files("features").joinpath("quantities.yaml").read_bytes(), _FILE)
    try:
        groups = TypeAdapter(list[_Group]).validate_python(content)
    except ValidationError as error:
        raise ConfigurationRefused(f"{_FILE}: {' '.join(str(error).split())}", "correct the file") from error
    known: dict[str, tuple[_Group, Quantity]] = {}
    for group in groups:
        for name, one in group.quantities.items():
            if name in known:
                raise ConfigurationRefused(f"{_FILE} lists {name} twice", "give each quantity its own name")
            known[name] = (group, one)
    return known


def _over(name: str, group: _Group, one: Quantity, window_days: int | None) -> Feature:
    counts = one.aggregate in {"count", "count_distinct"} or (one.aggregate is None and one.value is None)
    return Feature(
        name=name,
        pillar=group.pillar,
        family="intermediate",
        table=group.table,
        aggregate=one.aggregate or ("sum" if one.value is not None else "count"),
        **{field: _filled(getattr(one, field)) for field in ("value", "where", "key", "of", "least_share")},
        window_days=window_days,
        unit=one.unit or ("count" if counts else "USD"),
        direction=0,
        description=load_policy().filled(one.description),
        missing=one.missing,
        stops_with_trading=window_days is not None and group.pillar != "liquidity",
        is_intermediate=True,
    )


def _filled(value: Any) -> Any:  # noqa: ANN401 - a text, a number or nothing
    return load_policy().filled(value) if isinstance(value, str) else value
