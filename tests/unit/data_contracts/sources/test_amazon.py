from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from data_contracts.definition.compiler import source_contract
from data_contracts.mapping.amazon.settlements import event_type_of
from features.engine.as_of import AsOf
from tests.factories.raw_files import RawFile, amazon_amount, amazon_file, amazon_total, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SETTLED = [amazon_total("111", "10.00"), amazon_amount("111", "25.00"), amazon_amount("111", "-15.00")]


def amazon(rows: Sequence[Mapping[str, str]], name: str = "2023", seller: str = "S000001") -> RawFile:
    path = f"amazon_settlement_v2/{seller}/{name}.txt"
    return RawFile(path, "amazon_settlement_v2", amazon_file(rows), seller, f"STORE-{seller}")


def test_a_settlement_becomes_its_amounts_and_one_opposite_payout(tmp_path: Path) -> None:
    events = ingested(tmp_path, [amazon(SETTLED)]).tables["money_event"]
    assert cells(events, "event_type", "amount") == [
        ("payout", Decimal("-10.0000")),
        ("sale", Decimal("25.0000")),
        ("sale", Decimal("-15.0000")),
    ]
    assert sum(cells(events, "amount")) == 0


def test_currency_and_dates_of_the_totals_row_apply_to_the_whole_settlement(tmp_path: Path) -> None:
    events = ingested(tmp_path, [amazon(SETTLED)]).tables["money_event"]
    assert set(cells(events, "currency")) == {"USD"}
    assert {str(known) for known in cells(events, "known_at")} == {"2023-03-15 12:00:00+00:00"}
    assert [str(day) for day in cells(events, "event_date")] == ["2023-03-16", "2023-03-10", "2023-03-10"]


def test_a_settlement_that_does_not_add_up_is_set_aside_whole(tmp_path: Path) -> None:
    tampered = [amazon_total("222", "10.00"), amazon_amount("222", "25.00"), amazon_amount("222", "-14.99")]
    result = ingested(tmp_path, [amazon([*SETTLED, *tampered])])
    account = only_account(result)
    assert (account.accepted, account.quarantined) == (3, {"settlement_adds_up": 3})
    assert set(cells(result.tables["money_event"], "statement_id")) == {"111"}
    assert all(original.startswith(b"222\t") for original in cells(result.quarantine, "original"))


def test_an_unreadable_amount_is_set_aside_alone_if_the_settlement_adds_up_without_it(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [amazon([*SETTLED, amazon_amount("111", "#REF!")])]))
    assert (account.accepted, account.quarantined) == (3, {"type:signed_amount": 1})


def test_an_unreadable_amount_sets_the_settlement_aside_if_the_total_needs_it(tmp_path: Path) -> None:
    rows = [SETTLED[0], amazon_amount("111", "2S.00"), SETTLED[2]]
    account = only_account(ingested(tmp_path, [amazon(rows)]))
    assert account.quarantined == {"type:signed_amount": 1, "settlement_adds_up": 2}


@pytest.mark.parametrize("split", [False, True], ids=["in one file", "in the next file"])
def test_a_repeated_settlement_is_a_duplicate(tmp_path: Path, split: bool) -> None:
    files = [amazon(SETTLED, "2022"), amazon(SETTLED, "2023")] if split else [amazon([*SETTLED, *SETTLED])]
    result = ingested(tmp_path, files)
    assert result.tables["money_event"].num_rows == 3
    assert cells(result.duplicates, "reason") == ["repeated settlement"] * 3
    assert sum(account.rows_in for account in result.file_counts) == 6


def test_the_copy_of_a_settlement_that_adds_up_is_kept(tmp_path: Path) -> None:
    broken = [amazon_total("111", "99.00"), *SETTLED[1:]]
    result = ingested(tmp_path, [amazon(broken, "2022"), amazon(SETTLED, "2023")])
    events = result.tables["money_event"]
    assert set(cells(events, "source_file")) == {"amazon_settlement_v2/S000001/2023.txt"}
    assert events.num_rows == 3


def test_a_restated_settlement_is_a_new_version_of_all_its_rows(tmp_path: Path) -> None:
    first = [amazon_total("1", "10.00"), amazon_amount("1", "7.00"), amazon_amount("1", "3.00")]
    restated = [amazon_total("1", "9.00"), amazon_amount("1", "9.00")]
    deliveries = (("a", "2023-04-01", first), ("b", "2023-05-01", restated), ("c", "2023-06-01", restated))
    files = [
        RawFile(f"a/{name}.txt", "amazon_settlement_v2", amazon_file(rows), "S000001", delivered_at=f"{day} 00:00:00")
        for name, day, rows in deliveries
    ]
    result = ingested(tmp_path, files)
    events = result.tables["money_event"]
    for day, amounts in (("2023-04-30", [-10, 3, 7]), ("2023-05-01", [-9, 9])):
        seen = AsOf(date.fromisoformat(day)).visible(events)
        assert sorted(int(amount) for amount in seen["amount"].to_pylist()) == amounts
    assert cells(result.duplicates, "source_file") == ["a/c.txt"] * 2


def test_two_sellers_may_deliver_the_same_settlement_and_both_are_kept(tmp_path: Path) -> None:
    result = ingested(tmp_path, [amazon(SETTLED), amazon(SETTLED, seller="S000002")])
    assert set(cells(result.tables["money_event"], "seller_id")) == {"S000001", "S000002"}
    assert len(set(cells(result.tables["money_event"], "event_id"))) == 6


def german(settlement: str, total: str, amount: str) -> list[dict[str, str]]:
    return [
        amazon_total(settlement, total, currency="EUR"),
        amazon_amount(settlement, amount, marketplace_name="Amazon.de"),
    ]


def test_a_german_settlement_has_decimal_commas(tmp_path: Path) -> None:
    events = ingested(tmp_path, [amazon(german("333", "1095,50", "1095,50"))]).tables["money_event"]
    assert cells(events, "amount") == [Decimal("-1095.5000"), Decimal("1095.5000")]


def test_the_marketplace_of_a_settlement_decides_the_decimal_mark_not_the_cell(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [amazon([*SETTLED, *german("333", "95.50", "95.50")])]))
    assert (account.accepted, account.quarantined) == (3, {"type:settled_total": 1, "type:signed_amount": 1})


def test_a_decimal_comma_in_an_american_settlement_is_not_a_number(tmp_path: Path) -> None:
    rows = [amazon_total("111", "95,50"), amazon_amount("111", "95,50")]
    assert only_account(ingested(tmp_path, [amazon(rows)])).accepted == 0


def test_a_header_in_another_order_and_case_is_found(tmp_path: Path) -> None:
    shuffled = amazon_file(SETTLED, sorted(SETTLED[0] | SETTLED[1] | amazon_headers(), reverse=True))
    data = shuffled.replace(b"total-amount", b" Total-Amount ", 1)
    file = RawFile("a/1.txt", "amazon_settlement_v2", data, "S000001", "STORE")
    assert ingested(tmp_path, [file]).tables["money_event"].num_rows == 3


def amazon_headers() -> dict[str, Any]:
    from tests.factories.raw_files import AMAZON_HEADER

    return dict.fromkeys(AMAZON_HEADER)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Order/ItemPrice/Principal", "sale"),
        ("ORDER/itemprice/PRINCIPAL", "sale"),
        ("Order/ItemPrice/Tax", "sale_tax"),
        ("Order/ItemPrice/Shipping", "shipping"),
        ("Order/Promotion/Principal", "discount"),
        ("Order/ItemFees/Commission", "commission"),
        ("Order/ItemFees/FBAPerUnitFulfillmentFee", "fulfilment_fee"),
        ("Order/ItemWithheldTax/MarketplaceFacilitatorTax-Principal", "withholding_tax"),
        ("Refund/ItemPrice/Principal", "refund"),
        ("Refund/ItemFees/RefundCommission", "commission"),
        ("Chargeback Refund/ItemPrice/Principal", "chargeback"),
        ("A-to-z Guarantee Refund/ItemPrice/Principal", "chargeback"),
        ("ServiceFee/Cost of Advertising/TransactionTotalAmount", "advertising"),
        ("other-transaction/other-transaction/Storage Fee", "storage_fee"),
        ("other-transaction/other-transaction/FBA Long-Term Storage Fee", "storage_fee"),
        ("other-transaction/other-transaction/Subscription Fee", "subscription"),
        ("other-transaction/other-transaction/Inbound Defect Fee", "penalty"),
        ("other-transaction/FBA Inventory Reimbursement/WAREHOUSE_DAMAGE", "compensation"),
        ("other-transaction/other-transaction/Current Reserve Amount", "reserve_hold"),
        ("other-transaction/other-transaction/Previous Reserve Amount Balance", "reserve_release"),
        ("other-transaction/other-transaction/Payable to Amazon", "debt_carried"),
        ("Payable to Amazon/other-transaction/Payable to Amazon", "debt_carried"),
        ("other-transaction/other-transaction/Successful charge", "payout"),
        ("other-transaction/Cross-Account Debt Adjustment against BE, ES/Base fee", "own_transfer"),
        ("other-transaction/other-transaction/Transfer of funds unsuccessful", "payout_reversal"),
        ("other-transaction/other-transaction/Deferred transaction release", "reserve_release"),
        ("other-transaction/other-transaction/Amazon Lending", "advance"),
        ("other-transaction/other-transaction/Loan repayment", "advance_repayment"),
        ("other-transaction/other-transaction/Micro Deposit", "other"),
        ("other-transaction/other-transaction/Something new", "other"),
    ],
)
def test_the_kind_of_an_amount_decides_its_event_type(kind: str, expected: str) -> None:
    assert event_type_of(*kind.split("/")) == expected


def test_amounts_of_unknown_kind_are_kept_as_other_and_counted(tmp_path: Path) -> None:
    unknown = "other-transaction/other-transaction/Moon Fee"
    rows = [amazon_total("111", "-3.00"), *[amazon_amount("111", amount, unknown) for amount in ("-1.00", "-2.00")]]
    result = ingested(tmp_path, [amazon(rows)])
    assert cells(result.tables["money_event"], "event_type") == ["payout", "other", "other"]
    kind = "amount of unknown kind / other-transaction / other-transaction / Moon Fee"
    assert only_account(result).warnings == {kind: 2}


def test_the_reserve_pair_is_marked_as_held_and_released(tmp_path: Path) -> None:
    pair = "other-transaction/other-transaction/"
    rows = [
        amazon_total("111", "-40.00"),
        amazon_amount("111", "-100.00", pair + "Current Reserve Amount"),
        amazon_amount("111", "60.00", pair + "Previous Reserve Amount Balance"),
    ]
    events = ingested(tmp_path, [amazon(rows)]).tables["money_event"]
    assert cells(events, "status") == ["paid", "reserved", "released"]


def test_money_lent_is_an_advance_and_money_taken_for_it_a_repayment(tmp_path: Path) -> None:
    kind = "other-transaction/other-transaction/Amazon Lending"
    rows = [amazon_total("111", "900.00"), amazon_amount("111", "1000.00", kind), amazon_amount("111", "-100.00", kind)]
    events = ingested(tmp_path, [amazon(rows)]).tables["money_event"]
    assert cells(events, "event_type") == ["payout", "advance", "advance_repayment"]


@pytest.mark.parametrize("deposit", ["2023-03-16", "16.03.2023", "2023-03-16T12:00:00.000Z"])
def test_a_deposit_date_may_be_a_day(tmp_path: Path, deposit: str) -> None:
    rows = [SETTLED[0] | {"deposit-date": deposit}, *SETTLED[1:]]
    result = ingested(tmp_path, [amazon(rows)])
    assert str(cells(result.tables["money_event"], "event_date")[0]) == "2023-03-16"
    assert only_account(result).warnings == {}


@pytest.mark.parametrize(
    ("column", "paid", "known"),
    [("deposit-date", "2023-03-14", "2023-03-15"), ("settlement-end-date", "2023-03-16", "2023-03-17")],
)
def test_an_unreadable_date_of_a_totals_row_is_named_and_costs_no_amount(
    tmp_path: Path, column: str, paid: str, known: str
) -> None:
    rows = [SETTLED[0] | {column: "03/16/23 noon"}, *SETTLED[1:]]
    result = ingested(tmp_path, [amazon(rows)])
    events = result.tables["money_event"]
    assert [str(day) for day in cells(events, "event_date")] == [paid, "2023-03-10", "2023-03-10"]
    assert {str(moment)[:10] for moment in cells(events, "known_at")} == {known}
    reason = f"date of a settlement cannot be read, another date of it is used: {column}"
    assert only_account(result).warnings == {reason: 1}


def test_a_settlement_without_a_usable_totals_row_says_so(tmp_path: Path) -> None:
    rows = [SETTLED[0] | {"currency": ""}, *SETTLED[1:]]
    account = only_account(ingested(tmp_path, [amazon(rows)]))
    assert account.quarantined == {"settlement_has_totals": 2, "totals_row_complete": 1}


def test_a_settlement_in_another_currency_than_its_marketplace_is_in_doubt(tmp_path: Path) -> None:
    rows = [SETTLED[0] | {"currency": "GBP"}, *SETTLED[1:]]
    account = only_account(ingested(tmp_path, [amazon(rows)]))
    stated = "in doubt: a settlement states the currency GBP, but that of amazon.com is USD"
    assert account.warnings[stated] == len(SETTLED) - 1


RESERVE = "other-transaction/other-transaction/"


def settlement(number: str, day: str, held: str, returned: str, starts: str) -> list[dict[str, str]]:
    """Return a settlement that only holds and returns reserves, and pays nothing out."""
    total = amazon_total(number, str(Decimal(held) + Decimal(returned)), day=day)
    return [
        total | {"settlement-start-date": f"{starts} 12:00:00 UTC"},
        amazon_amount(number, held, RESERVE + "Current Reserve Amount"),
        amazon_amount(number, returned, RESERVE + "Previous Reserve Amount Balance"),
    ]


@pytest.mark.parametrize(
    ("returned", "starts", "expected"),
    [
        ("50.00", "2023-03-14", {}),
        ("49.00", "2023-03-14", {"the reserve returned is not the reserve that the settlement before held": 1}),
        (
            "50.00",
            "2023-03-16",
            {"the settlement before this one was not delivered: its period begins after the end of the last one": 1},
        ),
    ],
)
def test_settlements_form_a_chain_and_a_break_is_named(
    tmp_path: Path, returned: str, starts: str, expected: dict[str, int]
) -> None:
    first = settlement("111", "2023-03-14", "-50.00", "0.00", "2023-03-01")
    second = settlement("112", "2023-03-26", "-20.00", returned, starts)
    third = [row | {"marketplace-name": ""} for row in settlement("113", "2023-03-27", "0.00", "20.00", "2023-03-26")]
    last = settlement("114", "2023-03-28", "-5.00", "0.00", "2023-03-27")
    rows = [*first, *second, *third, *last] if not expected else [*first, *second]
    assert only_account(ingested(tmp_path, [amazon(rows)])).warnings == expected


V1_TOTAL = {"settlement-id": "6001", "total-amount": "1.50", "currency": "USD"} | {
    f"settlement-{part}-date": f"2023-03-{day}T12:00:00+00:00" for part, day in (("start", "01"), ("end", "14"))
}
V1_ROW = {"settlement-id": "6001", "marketplace-name": "Amazon.com", "posted-date": "2023-03-10T08:00:00+00:00"}


def v1(rows: Sequence[Mapping[str, str]]) -> RawFile:
    header = [column.header for column in source_contract("amazon_settlement_v1").columns if "(" not in column.header]
    return RawFile("v1/a.txt", "amazon_settlement_v1", amazon_file(rows, header), "S000001", "STORE")


def test_form_v1_has_a_column_for_each_kind_of_amount(tmp_path: Path) -> None:
    order = V1_ROW | {"transaction-type": "Order", "order-id": "111-1111111-0000001", "quantity-purchased": "2"}
    rows = [
        V1_TOTAL | {"deposit-date": "2023-03-16"},
        order
        | {"price-type": "Principal", "price-amount": "20.00", "item-related-fee-type": "Commission"}
        | {"item-related-fee-amount": "-3.50"},
        order | {"promotion-type": "Principal", "promotion-amount": "-1.00"},
        V1_ROW | {"transaction-type": "Subscription Fee", "other-amount": "-39.00"},
        V1_ROW | {"transaction-type": "Payable to Amazon", "other-amount": "25.00"},
        V1_ROW | {"transaction-type": "Order"},
    ]
    result = ingested(tmp_path, [v1(rows)])
    events = result.tables["money_event"]
    assert cells(events, "event_type", "amount", "quantity") == [
        ("payout", Decimal("-1.5000"), None),
        ("commission", Decimal("-3.5000"), None),
        ("sale", Decimal("20.0000"), 2),
        ("discount", Decimal("-1.0000"), None),
        ("subscription", Decimal("-39.0000"), None),
        ("debt_carried", Decimal("25.0000"), None),
    ]
    assert only_account(result).warnings == {"row without an amount": 1}
    assert len(set(cells(events, "event_id"))) == events.num_rows


def test_a_settlement_of_form_v1_that_does_not_add_up_is_set_aside_whole(tmp_path: Path) -> None:
    rows = [V1_TOTAL, V1_ROW | {"transaction-type": "Subscription Fee", "other-amount": "-39.00"}]
    assert only_account(ingested(tmp_path, [v1(rows)])).quarantined == {"settlement_adds_up": 2}
