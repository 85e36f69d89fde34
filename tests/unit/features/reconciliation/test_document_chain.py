"""Export documents that belong together agree; missing, repeated or different ones are breaks."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.sources.registry import mapped_sources, source_mapping
from features.engine.as_of import AsOf
from features.reconciliation.document_chain import BREAK_SCHEMA, BREAKS, DOCUMENTS, KIND_OF_SOURCE, document_breaks
from tests.factories.canonical_tables import canonical_tables, coverage_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

AS_OF = dt.date(2024, 12, 31)
Row = dict[str, Any]
DELIVERED = tuple(KIND_OF_SOURCE)


def document(kind: str, number: str, day: str, **cells: object) -> Row:
    return {
        "seller_id": "S1",
        "export_document_id": f"{cells.get('seller_id', 'S1')}:{kind}:{number}",
        "document_kind": kind,
        "document_number": number,
        "event_date": day,
        **cells,
    }


def order(number: str = "O1", amount: object = 30, day: str = "2024-03-01", **cells: object) -> Row:
    return document("order", number, day, order_number=number, amount=amount, **cells)


def receipt(number: str = "P1", order_number: str = "O1", amount: object = 30, **cells: object) -> Row:
    return document(
        "receipt",
        number,
        str(cells.pop("day", "2024-03-02")),
        **{"order_number": order_number, "amount": amount} | cells,
    )


def waybill(number: str = "W1", day: str = "2024-03-03", **cells: object) -> Row:
    return document("waybill", number, day, waybill_number=number, carrier_code="C1", **cells)


def listed(number: str = "L1", amount: object = 30, day: str = "2024-03-04", **cells: object) -> Row:
    names = {"order_number": "O1", "waybill_number": "W1", "carrier_code": "C1", "supervision_mode": "9610"}
    return document("list", number, day, **{"list_number": number, "amount": amount, **names, **cells})


def summed(number: str = "L1", entry: str = "D1", day: str = "2024-04-01", **cells: object) -> Row:
    return document("summary", f"{entry}-{number}", day, list_number=number, declaration_id=entry, **cells)


def declared(entry: str = "D1", amount: object = 30, day: str = "2024-04-02", **cells: object) -> Row:
    return {"seller_id": "S1", "declaration_id": entry, "declared_amount": amount, "event_date": day, **cells}


CHAIN = (order(), receipt(), waybill(), listed())


def coverage(*sources: str, period_to: str = "2024-12-31") -> list[Row]:
    found = [
        {**row, "delivered_source": source}
        for source in sources
        for row in coverage_rows(["S1"], [DOCUMENTS], "2023-01-01", period_to, known_at="2023-01-01")
    ]
    return found + coverage_rows(["S1"], ["export_declaration"], "2023-01-01", period_to, known_at="2023-01-01")


def breaks(
    *rows: Row, declarations: Sequence[Row] = (), delivered: Sequence[str] = DELIVERED, as_of: dt.date = AS_OF
) -> pa.Table:
    tables = canonical_tables(
        export_document=rows, export_declaration=declarations, source_coverage=coverage(*delivered)
    )
    found = document_breaks(tables, AsOf(as_of))
    assert found.schema == BREAK_SCHEMA
    return found


def kinds(*rows: Row, **given: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - what ``breaks`` takes
    found = breaks(*rows, **given)
    return [(row["break_kind"], row["document_number"]) for row in found.to_pylist()]


def test_a_whole_chain_has_no_break() -> None:
    assert kinds(*CHAIN) == []
    assert kinds(*CHAIN[:3], listed(is_summed_later=True), summed(), declarations=[declared()]) == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((order(), waybill(), listed()), [("order_without_receipt", "O1")]),
        ((receipt(), waybill(), listed()), [("list_without_order", "L1"), ("receipt_without_order", "P1")]),
        ((order(), receipt(), waybill()), [("order_without_list", "O1"), ("waybill_without_list", "W1")]),
        ((order(), receipt(), listed()), [("list_without_waybill", "L1")]),
        ((*CHAIN[:3], listed(is_summed_later=True)), [("list_without_summary", "L1")]),
        ((*CHAIN, summed("L9")), [("summary_without_declaration", "D1-L9"), ("summary_without_list", "D1-L9")]),
    ],
)
def test_a_document_without_its_partner_is_a_break(rows: Sequence[Row], expected: list[tuple[str, str]]) -> None:
    assert kinds(*rows) == expected


def test_a_partner_whose_source_was_not_delivered_is_unknown_not_missing() -> None:
    assert kinds(order(), delivered=["ceb_order"]) == []
    assert kinds(order(), delivered=["ceb_order", "ceb_list"]) == [("order_without_list", "O1")]
    tables = canonical_tables(export_document=[order()], source_coverage=coverage("ceb_list", period_to="2024-04-01"))
    assert document_breaks(tables, AsOf(AS_OF)).num_rows == 0


def test_a_partner_is_not_missed_before_it_had_time_to_come() -> None:
    assert kinds(order(), delivered=["ceb_list"], as_of=dt.date(2024, 4, 29)) == []
    assert kinds(order(), delivered=["ceb_list"], as_of=dt.date(2024, 4, 30)) == [("order_without_list", "O1")]


def test_our_own_form_covers_the_kinds_its_seller_gave_in_it() -> None:
    own = {"source": "template_export_document@1.0.0"}
    rows = [order(**own), receipt("P9", "O9", **own)]
    assert kinds(*rows, delivered=["template_export_document"]) == [
        ("order_without_receipt", "O1"),
        ("receipt_without_order", "P9"),
    ]


def test_a_withdrawn_document_is_neither_a_break_nor_a_missing_partner() -> None:
    taken_back = order(is_withdrawn=True, amount=999)
    assert kinds(taken_back, receipt(), waybill(), listed()) == []
    assert kinds(order("O7", is_withdrawn=True)) == []


def test_a_waybill_used_for_two_lists_is_a_break_at_both_whoever_delivered_them() -> None:
    other = listed("L2", seller_id="S2", order_number="O2")
    found = breaks(*CHAIN, other)
    assert [(row["seller_id"], row["break_kind"], row["documents"]) for row in found.to_pylist()] == [
        ("S1", "waybill_used_twice", 2),
        ("S2", "waybill_used_twice", 2),
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((receipt("P1", "O1"), receipt("P1", "O2", export_document_id="x")), "payment_used_twice"),
        ((summed("L1", "D1"), summed("L1", "D2")), "list_summed_twice"),
        ((order(platform_code="E1"), order(platform_code="E1", seller_id="S2")), "order_of_two_sellers"),
    ],
)
def test_a_second_use_of_a_single_use_document_is_a_break(rows: Sequence[Row], expected: str) -> None:
    both = [declared("D1"), declared("D2")]
    assert [kind for kind, _ in kinds(*rows, declarations=both, delivered=[])] == [expected] * 2


def test_two_instalments_without_a_payment_number_are_not_a_payment_used_twice() -> None:
    rows = [receipt(order_number, order_number, amount=30) for order_number in ("O1", "O2")]
    assert kinds(*rows, delivered=[]) == []


@pytest.mark.parametrize(
    ("value", "is_break"), [("30.00", False), ("31.00", False), ("33.00", True), ("27.00", True), ("29.00", False)]
)
def test_lists_worth_other_than_their_order_are_a_break_beyond_the_tolerance(value: str, is_break: bool) -> None:
    found = breaks(
        order(),
        receipt(),
        waybill(),
        listed("L1", Decimal(value) - 10),
        listed("L2", 10, waybill_number="W1", carrier_code=None),
    )
    rows = [row for row in found.to_pylist() if row["break_kind"] == "list_value_differs"]
    assert [(row["usd"], row["other_usd"], row["documents"]) for row in rows] == (
        [(Decimal(30), Decimal(value), 3)] if is_break else []
    )


def test_values_in_two_currencies_are_compared_in_dollars() -> None:
    same = listed(amount=210, currency="CNY", amount_usd=30)
    assert kinds(order(), receipt(), waybill(), same) == []
    dear = listed(amount=30, currency="CNY", amount_usd=4)
    assert kinds(order(), receipt(), waybill(), dear) == [("list_value_differs", "O1")]


@pytest.mark.parametrize(("paid", "is_break"), [(30, False), (35, False), (40, True), (20, True)])
def test_a_buyer_pays_the_goods_or_the_goods_and_their_freight(paid: int, is_break: bool) -> None:
    found = kinds(order(freight_amount=5), receipt(amount=paid), waybill(), listed())
    assert found == ([("receipt_differs", "O1")] if is_break else [])


def test_a_declaration_is_the_sum_of_its_lists_once_all_of_them_are_there() -> None:
    rows = [*CHAIN[:3], listed(is_summed_later=True), summed()]
    assert kinds(*rows, declarations=[declared(amount=90)]) == [("declaration_differs", "D1")]
    assert kinds(*rows, declarations=[declared(amount=20), declared(amount=10)]) == []
    unknown = kinds(*rows, summed("L9"), declarations=[declared(amount=90)])
    assert unknown == [("summary_without_list", "D1-L9")]


def test_a_parcel_weighed_otherwise_by_its_carrier_is_a_break() -> None:
    rows = [order(), receipt(), waybill(gross_weight_kg=1), listed(gross_weight_kg=5)]
    assert kinds(*rows) == [("weight_differs", "L1")]
    assert kinds(*rows[:3], listed(gross_weight_kg="1.2")) == []


@pytest.mark.parametrize("mode", ["9610", "1210", "9710", None])
def test_goods_that_leave_before_their_order_are_a_break(mode: str | None) -> None:
    found = breaks(order(day="2024-03-10"), receipt(day="2024-03-10"), waybill(), listed(supervision_mode=mode))
    assert [(row["break_kind"], row["days"]) for row in found.to_pylist()] == [("shipped_before_sale", 6)]


def test_goods_go_to_an_overseas_warehouse_before_they_are_sold() -> None:
    assert kinds(order(day="2024-03-30"), receipt(day="2024-03-30"), waybill(), listed(supervision_mode="9810")) == []
    assert kinds(waybill(), listed(supervision_mode="9810"), delivered=["ceb_order", "ceb_waybill"]) == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((order(), receipt(day="2024-02-01"), waybill(), listed()), ("paid_before_order", "P1")),
        ((order(), receipt(), waybill(day="2024-03-20"), listed()), ("waybill_after_export", "W1")),
        ((*CHAIN[:3], listed(day="2024-05-01"), summed()), ("listed_after_declaration", "L1")),
    ],
)
def test_days_out_of_order_are_a_break(rows: Sequence[Row], expected: tuple[str, str]) -> None:
    assert kinds(*rows, declarations=[declared()]) == [expected]


def test_without_documents_there_are_no_breaks() -> None:
    assert document_breaks({}, AsOf(AS_OF)).num_rows == 0
    assert document_breaks(canonical_tables(), AsOf(AS_OF)).num_rows == 0


def test_every_source_of_documents_states_which_kind_it_covers() -> None:
    feeding = {name for name in mapped_sources() if DOCUMENTS in source_mapping(name).covered_tables}
    outside = {f"template_{DOCUMENTS}", "trade_data_workbook", "us_bills_of_lading"}
    assert feeding - outside == set(KIND_OF_SOURCE)


ROWS = st.lists(
    st.sampled_from(
        [
            *CHAIN,
            *(order("O2", 99), receipt("P2", "O2", 5), waybill("W2"), listed("L2", 77, order_number="O2")),
            *(listed("L3", waybill_number="W2", is_summed_later=True), summed("L3"), summed("L1", "D2")),
        ]
    ),
    unique_by=lambda row: row["export_document_id"],
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_rows_and_what_comes_later_change_no_break(rows: list[Row], random: Any) -> None:  # noqa: ANN401
    known = breaks(*rows, as_of=dt.date(2024, 6, 30))
    assert set(known["break_kind"].to_pylist()) <= set(BREAKS)
    later = [order("O8", 5, "2024-07-01"), receipt("P8", "O1", 500, day="2024-06-01", known_at="2024-07-02")]
    mixed = [*rows, *later]
    random.shuffle(mixed)
    assert breaks(*mixed, as_of=dt.date(2024, 6, 30)).equals(known)
