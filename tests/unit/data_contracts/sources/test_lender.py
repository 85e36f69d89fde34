from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.factories.raw_files import (
    APPLICATIONS_HEADER,
    LOANS_HEADER,
    REPAYMENTS_HEADER,
    TRAFFIC_HEADER,
    RawFile,
    cells,
    csv_file,
    ingested,
    only_account,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOAN = "L1,S000001,LN01,2023-01-02,2024-01-02,7000.00,CNY,12.50,12"
DUE = "R1,L1,S000001,Due,2023-02-01,600.00,CNY,2023-01-02 09:00:00"
PAID = "R2,L1,S000001,Paid,2023-02-05,600.00,CNY,2023-02-06 09:00:00"
APPLICATION = "A1,S000001,2022-12-20,9000.00,stock,CR-1,accepted"
DAY = "2023-01-01,10,12,3,4,1.50"


def loans(rows: Sequence[str]) -> RawFile:
    return RawFile("lender_loans/loans.csv", "lender_loans", csv_file(LOANS_HEADER, rows))


def repayments(rows: Sequence[str]) -> RawFile:
    return RawFile("lender_repayments/repayments.csv", "lender_repayments", csv_file(REPAYMENTS_HEADER, rows))


def test_a_loan_is_converted_at_the_rate_of_its_date(tmp_path: Path) -> None:
    table = ingested(tmp_path, [loans([LOAN])]).tables["loan"]
    assert cells(table, "principal", "currency", "instalment_count") == [(Decimal("7000.0000"), "CNY", 12)]
    assert Decimal(900) < cells(table, "principal_usd")[0] < Decimal(1100)


def test_loans_that_end_before_they_begin_are_quarantined(tmp_path: Path) -> None:
    backwards = LOAN.replace("2024-01-02", "2022-01-02").replace("L1", "L2")
    account = only_account(ingested(tmp_path, [loans([LOAN, backwards])]))
    assert account.quarantined == {"matures_after_disbursement": 1}


def test_instalments_due_and_payments_are_known_when_booked(tmp_path: Path) -> None:
    table = ingested(tmp_path, [repayments([DUE, PAID])]).tables["repayment"]
    found = [tuple(map(str, row)) for row in cells(table, "entry_type", "event_date", "known_at")]
    assert found == [
        ("due", "2023-02-01", "2023-01-02 09:00:00+00:00"),
        ("paid", "2023-02-05", "2023-02-06 09:00:00+00:00"),
    ]


def test_a_payment_booked_before_it_arrived_is_quarantined(tmp_path: Path) -> None:
    early = PAID.replace("2023-02-06 09:00:00", "2023-02-04 23:59:59")
    assert only_account(ingested(tmp_path, [repayments([early])])).quarantined == {"payment_booked_after_it_arrived": 1}


def test_repeated_rows_are_duplicates_in_every_lender_table(tmp_path: Path) -> None:
    applications = csv_file(APPLICATIONS_HEADER, [APPLICATION, APPLICATION])
    traffic = csv_file(TRAFFIC_HEADER, [DAY, DAY])
    files = [
        *(loans([LOAN, LOAN]), repayments([DUE, PAID, DUE])),
        RawFile("lender_applications/a.csv", "lender_applications", applications),
        RawFile("shop_traffic/S000001/2023.csv", "shop_traffic", traffic, "S000001", "shop-1"),
    ]
    result = ingested(tmp_path, files)
    assert sorted(cells(result.duplicates, "reason")) == [
        "repeated application",
        "repeated day",
        "repeated entry",
        "repeated loan",
    ]
    assert [result.tables[name].num_rows for name in ("loan", "repayment", "application", "site_day")] == [1, 2, 1, 1]


def test_applications_keep_their_consent(tmp_path: Path) -> None:
    data = csv_file(APPLICATIONS_HEADER, [APPLICATION, "A2,S000001,2023-01-01,1.00,stock,,"])
    result = ingested(tmp_path, [RawFile("lender_applications/a.csv", "lender_applications", data)])
    table = result.tables["application"]
    assert cells(table, "consent_reference", "decision", "requested_usd") == [
        ("CR-1", "accepted", Decimal("9000.0000"))
    ]
    assert only_account(result).quarantined == {"consent:required": 1}


def test_visits_are_kept_by_day_and_shop(tmp_path: Path) -> None:
    data = csv_file(TRAFFIC_HEADER, [DAY, "2023-01-02,n/a,12,3,4,1.50", "2023-01-03,5,4,5,0,0.00"])
    result = ingested(tmp_path, [RawFile("t/1.csv", "shop_traffic", data, "S000001", "shop-1")])
    assert cells(result.tables["site_day"], "site_day_id", "session_count") == [("shop-1:2023-01-01", 12)]
    assert only_account(result).quarantined == {"type:visitors": 1, "parts_within_sessions": 1}
