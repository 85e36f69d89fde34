"""The contract of a feature matrix: its key columns and one column for each feature."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from data_contracts.definition.compiler import IDENTIFIER, table_contract
from data_contracts.definition.contract import Arguments, Column, CompiledContract, Kind, Rule, Severity
from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Sequence


class FeatureColumn(NamedTuple):
    """The facts about a feature that a matrix contract needs."""

    name: str
    unit: str
    description: str
    description_zh: str = ""


def matrix_contract(features: Sequence[FeatureColumn]) -> CompiledContract:
    """Return the ``feature_matrix`` contract with these features as float64 columns, in order; null means missing.

    Besides the rules of the key it has one rule: no feature is infinite. Its digest also covers the features.

    Raises:
        ConfigurationRefused: a feature name is taken, occurs twice or is not an identifier.
    """
    base = table_contract("feature_matrix")
    names = [column.name for column in base.columns] + [feature.name for feature in features]
    odd = [name for name in names if not IDENTIFIER.fullmatch(name)]
    if odd:
        raise ConfigurationRefused(f"invalid feature names {odd}", "use names of a-z, 0-9 and _")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigurationRefused(f"duplicate feature names: {', '.join(repeated)}", "give each its own name")
    described = "\n".join("\t".join(feature) for feature in features)
    return replace(
        base,
        columns=(*base.columns, *(_column(feature) for feature in features)),
        rules=(*base.rules, *_rules(features)),
        digest=sha256_bytes(f"{base.digest}\n{described}".encode()),
    )


def _column(feature: FeatureColumn) -> Column:
    return Column(
        name=feature.name,
        header=feature.name,
        arrow_type=pa.float64(),
        description=feature.description,
        description_zh=feature.description_zh,
        classification="confidential",
        unit=feature.unit,
    )


def _rules(features: Sequence[FeatureColumn]) -> tuple[Rule, ...]:
    if not features:
        return ()
    condition = " OR ".join(f'isinf("{feature.name}")' for feature in features)
    arguments = Arguments(sql=condition)
    description = "No feature is infinite"
    return (Rule("features_finite", "row", Kind.ROW_EXPRESSION, None, arguments, Severity.ERROR, description),)
