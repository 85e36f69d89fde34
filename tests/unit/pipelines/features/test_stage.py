from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from data_contracts.errors import InternalFault
from features.build import FeatureMatrix, matrix_schema
from features.catalogue import feature_set_names, load_feature_set
from pipelines.features.stage import require_contract

FEATURE_SET = load_feature_set(feature_set_names()[0])
AS_OF = date(2024, 3, 31)


def matrix(sellers: list[str], value: float | None = None) -> FeatureMatrix:
    """Return a matrix with ``value`` in its first feature and no other values."""
    rows = [{"seller_id": seller, "as_of": AS_OF, FEATURE_SET.names[0]: value} for seller in sellers]
    return FeatureMatrix(pa.Table.from_pylist(rows, schema=matrix_schema(FEATURE_SET)), FEATURE_SET)


def test_a_matrix_with_one_row_per_seller_and_missing_values_meets_its_contract() -> None:
    require_contract(matrix(["s1", "s2"]))


def test_a_matrix_with_an_infinite_feature_is_refused() -> None:
    with pytest.raises(InternalFault, match=r"features_finite \(2 rows\)"):
        require_contract(matrix(["s1", "s2"], float("inf")))


def test_a_matrix_with_a_seller_twice_on_one_date_is_refused() -> None:
    with pytest.raises(InternalFault, match=r"primary_key \(2 rows\)"):
        require_contract(matrix(["s1", "s1"]))
