"""Amounts whose kind no rule knows are counted as others, and named as a loan if their words say so."""

from __future__ import annotations

import pyarrow as pa
import pytest

from data_contracts.mapping.event_types import event_types, unknown_kinds

RULES = ({"what": "sale", "event_type": "sale"},)


@pytest.mark.parametrize(
    ("what", "note", "reason"),
    [
        ("Adjustment", "Seller LOAN deduction", "amount in words of a loan / Adjustment / Seller LOAN deduction"),
        ("平台融资还款", None, "amount in words of a loan / 平台融资还款"),
        ("Daily repayment", "", "amount in words of a loan / Daily repayment / "),
        ("Advanced shipping notice", "x", "amount of unknown kind / Advanced shipping notice / x"),
        ("Deduction", "Sloane Street", "amount of unknown kind / Deduction / Sloane Street"),
        ("SALE", "of a loan book", None),
    ],
)
def test_an_unknown_amount_is_named_and_words_of_a_loan_are_pointed_out(
    what: str, note: str | None, reason: str | None
) -> None:
    raw = pa.table({"row_order": [1], "what": [what], "note": pa.array([note], pa.string())})
    remarks = unknown_kinds(raw, ("what", "note"), RULES)["reason"].to_pylist()
    assert remarks == ([] if reason is None else [reason])
    expected = "other" if reason else "sale"
    assert event_types(raw, ("what", "note"), RULES)["event_type"].to_pylist() == [expected]
