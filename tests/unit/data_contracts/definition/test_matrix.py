from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from data_contracts.checks.rows import check_rows
from data_contracts.definition.matrix import FeatureColumn, matrix_contract
from data_contracts.errors import ConfigurationRefused

FEATURES = [FeatureColumn("sales_90d", "USD", "Sales"), FeatureColumn("refund_rate", "ratio", "Refunds", "退款率")]


def matrix(*rows: tuple[str | None, float | None, float | None]) -> pa.Table:
    sellers, first, second = zip(*rows, strict=True)
    days = [date(2024, 3, 31)] * len(rows)
    columns = [
        pa.array(sellers, pa.string()),
        pa.array(days),
        pa.array(first, pa.float64()),
        pa.array(second, pa.float64()),
    ]
    return pa.table(columns, names=["seller_id", "as_of", "sales_90d", "refund_rate"])


def test_features_are_nullable_floats_after_the_key() -> None:
    contract = matrix_contract(FEATURES)
    assert contract.arrow_schema.names == ["seller_id", "as_of", "sales_90d", "refund_rate"]
    assert contract.arrow_schema.field("refund_rate") == pa.field("refund_rate", pa.float64())
    assert contract.column("refund_rate").description_zh == "退款率"


def test_missing_features_are_accepted_but_infinite_ones_and_repeated_keys_are_not() -> None:
    result = check_rows(
        matrix(("s1", 1.0, None), ("s2", float("inf"), 0.1), ("s1", 2.0, 0.2), (None, 1.0, 1.0)),
        matrix_contract(FEATURES),
    )
    assert result.accepted["seller_id"].to_pylist() == ["s1"]
    assert result.quarantined["rule_id"].to_pylist() == ["features_finite", "seller_id:required"]
    assert result.quarantined["source_row"].to_pylist() == [2, 4]
    assert result.duplicates["value"].to_pylist() == ["s1|2024-03-31"]


def test_the_digest_depends_on_the_features_and_their_order() -> None:
    digests = {matrix_contract(given).digest for given in ([], FEATURES, FEATURES[::-1], FEATURES[:1])}
    assert len(digests) == 4


@pytest.mark.parametrize("name", ["seller_id", "sales_90d", "Sales", 'x" OR 1=1 --'])
def test_a_feature_name_that_is_taken_or_not_an_identifier_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationRefused, match=r"(invalid|duplicate) feature names"):
        matrix_contract([*FEATURES, FeatureColumn(name, "x", "x")])
