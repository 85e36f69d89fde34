"""Invented reports; tags and columns follow the vendor's specification."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = (
    '"CH","Transaction ID","Invoice ID","PayPal Reference ID","PayPal Reference ID Type","Transaction Event Code",'
    '"Transaction Initiation Date","Transaction Completion Date","Transaction  Debit or Credit",'
    '"Gross Transaction Amount","Gross Transaction Currency","Fee Debit or Credit","Fee Amount","Fee Currency",'
    '"Custom Field","Consumer ID"'
)
HEAD = ['"RH",2023/03/15 03:00:00 -0700,"A","MADE0001",9', '"FH",1', '"SH",2023/03/14,2023/03/15,"MADE0001",""']
SALE = (
    '"SB","TX1","#1","","","T0006",2023/03/14 10:00:00 -0700,2023/03/14 10:00:05 -0700,"CR",10000,"USD","DR",320,'
    '"USD","","buyer-canary"'
)
REFUND = SALE.replace("TX1", "TX2").replace("T0006", "T1107").replace('"CR",10000', '"DR",2000').replace("320", "0")


def report(*rows: str, count: int | None = None, columns: str = COLUMNS) -> RawFile:
    stated = len(rows) if count is None else count
    tail = ['"SF","USD",1,2', f'"SC",{stated}', '"RF","USD",1,2', f'"RC",{stated}', f'"FF",{stated}']
    data = "\n".join([*HEAD, columns, *rows, *tail, ""]).encode()
    return RawFile("paypal_settlement/S000001/STL.csv", "paypal_settlement", data, "S000001", "P1")


def test_amounts_in_minor_units_get_their_sign_from_the_direction(tmp_path: Path) -> None:
    result = ingested(tmp_path, [report(SALE, REFUND)])
    events = result.tables["money_event"]
    assert cells(events, "event_type", "amount") == [
        ("sale", Decimal("100.0000")),
        ("commission", Decimal("-3.2000")),
        ("refund", Decimal("-20.0000")),
    ]
    assert {str(moment) for moment in cells(events, "event_at")} == {"2023-03-14 17:00:05+00:00"}
    assert only_account(result).rows_in == 2


@pytest.mark.parametrize(
    ("code", "direction", "expected"),
    [
        ("T0400", "DR", "payout"),
        ("T0200", "DR", "fx"),
        ("T0100", "DR", "commission"),
        ("T1106", "DR", "chargeback"),
        ("T1110", "DR", "reserve_hold"),
        ("T1111", "CR", "reserve_release"),
        ("T2101", "DR", "reserve_hold"),
        ("T0000", "DR", "other"),
        ("T9701", "CR", "advance"),
        ("T9702", "DR", "advance_repayment"),
        ("T2004", "CR", "advance"),
        ("T2004", "DR", "advance_repayment"),
        ("T0300", "CR", "own_transfer"),
        ("T0700", "CR", "own_transfer"),
        ("T1101", "CR", "payout_reversal"),
        ("T1105", "CR", "reserve_release"),
        ("T2104", "CR", "reserve_release"),
        ("T1205", "CR", "compensation"),
    ],
)
def test_the_event_code_decides_the_event_type(tmp_path: Path, code: str, direction: str, expected: str) -> None:
    row = SALE.replace("T0006", code).replace('"CR",10000', f'"{direction}",10000').replace("320", "0")
    assert cells(ingested(tmp_path, [report(row)]).tables["money_event"], "event_type") == [expected]


def test_an_authorisation_moves_nothing(tmp_path: Path) -> None:
    result = ingested(tmp_path, [report(SALE, SALE.replace("TX1", "TX2").replace("T0006", "T1300"))])
    assert only_account(result).warnings == {"authorisation, which moves nothing": 1}
    assert result.tables["money_event"].num_rows == 2


def test_a_currency_whose_unit_is_not_certain_is_set_aside(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [report(SALE, SALE.replace("TX1", "TX3").replace('"USD"', '"JPY"'))]))
    assert (account.accepted, account.quarantined) == (1, {"money_code:two_decimals": 1})


def test_a_section_with_missing_rows_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [report(SALE, count=2)])
    assert str(refusal.value) == (
        "input refused: file paypal_settlement/S000001/STL.csv, row 7: the section states 2 rows but contains 1; "
        "remedy: deliver the complete report again"
    )


def test_a_report_without_its_column_line_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="row 5: a row precedes the header line; remedy") as refusal:
        ingested(tmp_path, [report(SALE, columns='"SH","again"')])
    assert "\n" not in str(refusal.value)


def test_lines_that_are_not_rows_are_set_aside_with_the_reason(tmp_path: Path) -> None:
    rows = (SALE, f'{SALE},"more"', '"XX","?"', '"SB","open')
    result = ingested(tmp_path, [report(*rows, count=3)])
    account = only_account(result)
    assert (account.rows_in, account.accepted) == (4, 1)
    assert account.quarantined == {"line:quote": 1, "line:tag": 1, "line:width": 1}
    assert "canary" not in str(result.quarantine.to_pylist())


def test_a_nul_byte_sets_only_its_row_aside(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [report(SALE, REFUND.replace("TX2", "TX\x002"))]))
    assert (account.rows_in, account.accepted, account.quarantined) == (2, 1, {"line:nul": 1})


@pytest.mark.parametrize("line", ['"SC",1', '"CH","Transaction ID"'])
def test_a_nul_byte_in_a_header_or_footer_line_refuses_the_report(tmp_path: Path, line: str) -> None:
    spoilt = report(SALE)
    with pytest.raises(InputRefused, match="NUL byte in a line that is not a row; remedy: "):
        ingested(tmp_path, [replace(spoilt, data=spoilt.data.replace(line.encode(), line.encode() + b"\0", 1))])


def test_a_transaction_delivered_twice_counts_once(tmp_path: Path) -> None:
    result = ingested(tmp_path, [report(SALE, SALE)])
    assert cells(result.duplicates, "reason") == ["repeated row"]
