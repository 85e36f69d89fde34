"""Bank statements become entries only if every balance follows from the amounts."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest

from data_contracts.errors import InputRefused
from data_contracts.sources.registry import known_source
from pipelines.ingest.deliveries.recognition import recognise
from tests.factories.files import bank_files
from tests.factories.files.bank_files import (
    MOVEMENTS,
    MT940_FILE,
    OFX_1,
    OPENING,
    Movement,
    camt_entry,
    camt_file,
    csv_bytes,
)
from tests.factories.files.templates import template_csv, template_row
from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from pipelines.ingest.results import IngestResult

TABLES = {name: getattr(bank_files, f"{name}_rows") for name in ("icbc", "ccb", "cmbc", "pingan", "abc", "rural")}
KINDS = [
    (Decimal("1200.5000"), "platform_payout", "Amazon", "AMAZON 17000013310"),
    (Decimal("-300.0000"), "other", None, None),
    (Decimal("-45.2500"), "tax", None, "税费"),
    (Decimal("50000.0000"), "wallet_payout", "LianLian", "连连提现"),
]
OWN = (Decimal("-8000.0000"), "own_transfer", None, None)
LATER = (Movement("20240502", "10.00"), Movement("20240503", "20.00"))


def delivered(
    data: bytes, name: str = "a.csv", source: str = "china_bank_statement", seller: str = "S000001"
) -> RawFile:
    return RawFile(name, source, data, seller, "", "2024-04-01", "2024-06-30", "2024-05-02 00:00:00")


def entries(folder: Path, *files: RawFile) -> pa.Table:
    return ingested(folder, files).tables["bank_entry"]


def quarantined(result: IngestResult) -> list[str]:
    return sorted({rule for account in result.file_counts for rule in account.quarantined})


def of_day(table: pa.Table) -> list[tuple[object, ...]]:
    return cells(table.sort_by("event_date"), "amount", "counterparty_kind", "platform", "reference")


FORMS = {
    **{bank: csv_bytes(rows()) for bank, rows in TABLES.items()},
    "utf-8": csv_bytes(TABLES["icbc"](), "utf-8-sig"),
    "workbook": workbook({"Sheet1": TABLES["icbc"]()}),
}


def test_statements_of_chinese_banks_are_recognised_and_read(tmp_path: Path) -> None:
    for name, data in FORMS.items():
        (tmp_path / name).write_bytes(data)
        (found,) = recognise([tmp_path / name])
        assert [fit.contract.contract_id for fit in found.met] == ["china_bank_statement"]
    table = entries(tmp_path / "raw", *(delivered(data, name, seller=name) for name, data in FORMS.items()))
    for name in FORMS:
        own = table.filter(pc.equal(table["seller_id"], name)).sort_by("event_date")
        assert sorted(of_day(own), key=str) == sorted([*KINDS, OWN], key=str)
        assert cells(own, "balance_after")[-1] == Decimal("43855.2500")
    assert set(cells(table, "currency")) == {"CNY"}


def test_numbers_and_names_of_accounts_become_pseudonyms_that_other_tables_share(tmp_path: Path) -> None:
    result = ingested(tmp_path, [delivered(csv_bytes(TABLES["ccb"]()))])
    table = result.tables["bank_entry"]
    assert len(set(cells(table, "account_id"))) == 1
    assert len(set(cells(table, "counterparty_id"))) == 5
    written = str(table.to_pylist())
    assert bank_files.ACCOUNT not in written
    assert bank_files.HOLDER not in written


def test_an_edited_statement_is_set_aside_whole(tmp_path: Path) -> None:
    edited = {}
    for bank in ("icbc", "rural"):
        rows = TABLES[bank]()
        place = next(
            number for number, row in enumerate(rows) if any("51855.25" in cell.replace(",", "") for cell in row)
        )
        changed = [cell.replace("50,000.00", "90,000.00").replace("50000.00", "90000.00") for cell in rows[place]]
        edited[f"{bank}-changed"] = [*rows[:place], changed, *rows[place + 1 :]]
        edited[f"{bank}-removed"] = [*rows[:place], *rows[place + 1 :]]
        edited[f"{bank}-added"] = [*rows[:place], rows[place], *rows[place:]]
    files = [delivered(csv_bytes(rows), f"{name}.csv", seller=name) for name, rows in edited.items()]
    result = ingested(tmp_path, files)
    assert result.tables["bank_entry"].num_rows == 0
    assert quarantined(result) == ["balance:chain"]


def test_entries_of_one_day_may_be_in_any_order(tmp_path: Path) -> None:
    rows = TABLES["pingan"]()
    rows[2], rows[3] = rows[3], rows[2]
    assert entries(tmp_path, delivered(csv_bytes(rows))).num_rows == 5


def test_a_total_is_counted_and_no_entry(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [delivered(csv_bytes(TABLES["cmbc"]()))]))
    assert account.accepted == 6
    assert account.warnings == {"total or note of the bank": 1}


def test_a_period_left_out_between_two_files_is_named(tmp_path: Path) -> None:
    later = TABLES["ccb"](LATER, Decimal("43855.25"))
    jump = TABLES["ccb"](LATER, Decimal("99999.00"))
    april = csv_bytes(TABLES["ccb"]())
    whole = ingested(tmp_path / "a", [delivered(april), delivered(csv_bytes(later), "b.csv")])
    gap = ingested(tmp_path / "b", [delivered(april), delivered(csv_bytes(jump), "b.csv")])
    assert [account.warnings for account in whole.file_counts] == [{}, {}]
    assert [sum(account.warnings.values()) for account in gap.file_counts] == [0, 1]


def test_entries_delivered_again_count_once(tmp_path: Path) -> None:
    again = [*MOVEMENTS[2:], *LATER]
    overlapping = TABLES["icbc"](again, Decimal("1900.50"))
    result = ingested(tmp_path, [delivered(csv_bytes(TABLES["icbc"]())), delivered(csv_bytes(overlapping), "b.csv")])
    assert result.tables["bank_entry"].num_rows == 7
    assert sum(sum(account.duplicates.values()) for account in result.file_counts) == 3


def test_two_equal_entries_of_one_file_are_both_kept(tmp_path: Path) -> None:
    there_and_back = [Movement("20240401", "5.00"), Movement("20240401", "-5.00"), Movement("20240401", "5.00")]
    assert entries(tmp_path, delivered(csv_bytes(TABLES["abc"](there_and_back)))).num_rows == 3


def test_a_camt_statement_of_each_version_is_recognised_and_read(tmp_path: Path) -> None:
    files = {version: camt_file(version=version) for version in ("001.02", "001.04", "001.08")}
    for version, data in files.items():
        (tmp_path / version).write_bytes(data)
        (found,) = recognise([tmp_path / version])
        assert [fit.contract.contract_id for fit in found.met] == ["camt053_statement"]
    result = ingested(tmp_path / "raw", [camt(data, f"{name}.xml", name) for name, data in files.items()])
    table = result.tables["bank_entry"]
    for version in files:
        assert of_day(table.filter(pc.equal(table["seller_id"], version)))[:4] == KINDS
    assert [account.warnings for account in result.file_counts] == [{"heading of a statement": 1}] * 3


def camt(data: bytes, name: str = "a.xml", seller: str = "S000001") -> RawFile:
    return delivered(data, name, "camt053_statement", seller)


@pytest.mark.parametrize("declared", ["UTF-8", "ISO-8859-1", "iso8859-1", "latin1", "US-ASCII"])
def test_a_camt_statement_is_read_in_the_encoding_it_declares(tmp_path: Path, declared: str) -> None:
    words = camt_entry(Movement("20240430", "-100.00", who="Müller GmbH", said="Rückzahlung Darlehen"))
    text = camt_file(more=words, closing=Decimal("43755.25")).decode().replace("UTF-8", declared, 1)
    data = text.encode(declared, "xmlcharrefreplace")
    (tmp_path / "recognised.xml").write_bytes(data)
    (found,) = recognise([tmp_path / "recognised.xml"])
    assert [fit.contract.contract_id for fit in found.met] == ["camt053_statement"]
    counterparties = entries(tmp_path / "raw", camt(data)).sort_by("event_date")["counterparty_kind"].to_pylist()
    assert counterparties[-1] == "loan_repayment"


def test_entries_that_are_only_announced_do_not_count(tmp_path: Path) -> None:
    announced = camt_entry(Movement("20240430", "777.00"), state="PDNG")
    result = ingested(tmp_path, [camt(camt_file(more=announced))])
    assert result.tables["bank_entry"].num_rows == 5
    assert only_account(result).warnings["entry not booked"] == 1


def test_a_statement_that_does_not_add_up_is_set_aside(tmp_path: Path) -> None:
    result = ingested(tmp_path, [camt(camt_file(closing=Decimal("1.00")))])
    assert quarantined(result) == ["balance:statement"]


def test_the_balance_decides_the_side_of_a_reversal(tmp_path: Path) -> None:
    reversal = camt_entry(Movement("20240430", "100.00"), reversal=True)
    files = [
        camt(camt_file(more=reversal, closing=Decimal(closing)), f"{name}.xml", name)
        for name, closing in (("turned", "43755.25"), ("plain", "43955.25"))
    ]
    table = entries(tmp_path, *files)
    last = table.filter(pc.equal(pc.day(table["event_date"]), 30))
    assert sorted(cells(last, "seller_id", "amount")) == [("plain", Decimal(100)), ("turned", Decimal(-100))]


def test_a_batch_becomes_its_transactions_and_its_charges(tmp_path: Path) -> None:
    parts = "".join(
        f'<TxDtls><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><RltdPties><Dbtr><Pty><Nm>{name}</Nm></Pty>'
        "</Dbtr></RltdPties></TxDtls>"
        for amount, name in (("60.00", "Amazon Payments"), ("41.00", "Whaleco Inc"))
    )
    batch = camt_entry(Movement("20240430", "100.00"), details=parts)
    table = entries(tmp_path, camt(camt_file(more=batch, closing=Decimal("43955.25")))).sort_by("event_date")
    assert of_day(table)[-3:] == [
        (Decimal("60.0000"), "platform_payout", "Amazon", None),
        (Decimal("41.0000"), "platform_payout", "Temu", None),
        (Decimal("-1.0000"), "other", None, None),
    ]


def test_the_template_is_checked_by_the_same_chain(tmp_path: Path) -> None:
    source = "template_bank_entry"
    assert known_source(source).mapping.partition_by is None
    rows = template_rows(["100.00", "-30.00", "5.00"], ["1100.00", "1070.00", "1075.00"])
    edited = template_rows(["100.00", "-30.00", "5.00"], ["1100.00", "1090.00", "1075.00"])
    good, bad = (
        ingested(tmp_path / name, [delivered(template_csv(some), source=source)])
        for name, some in (("a", rows), ("b", edited))
    )
    assert good.tables["bank_entry"].num_rows == 3
    assert quarantined(bad) == ["balance:chain"]


def template_rows(amounts: Sequence[str], left: Sequence[str]) -> list[dict[str, str]]:
    empty = {"platform": "", "reference": "", "counterparty_kind": "other", "event_date": "2024-04-01", "known_at": ""}
    return [
        template_row("bank_entry", f"E{place}", amount=amount, balance_after=balance, **empty)
        for place, (amount, balance) in enumerate(zip(amounts, left, strict=True))
    ]


SPOKEN = (
    ("11", "招商银行", "贷款发放", "loan_advance", None),
    ("-12", "招商银行", "归还贷款本金", "loan_repayment", None),
    ("-13", "招商银行", "扣息", "interest", None),
    ("14", "Amazon Capital Services", "Amazon Lending disbursement", "loan_advance", None),
    ("15", "AliExpress", "平台放款", "platform_payout", "AliExpress"),
    ("16", "某银行国际汇款暂挂", "PINGPONG GLOBAL", "wallet_payout", "PingPong"),
    ("-17", "Amazon Online", "boxes", "other", None),
    ("-18", "派安盈", "充值", "own_transfer", None),
    ("-19", "", "代发工资", "wages", None),
    ("20", "国家金库深圳分库", "退税", "tax", None),
    ("21", "Taxi Trading Ltd", "goods", "other", None),
)


def test_kinds_follow_from_names_words_and_side(tmp_path: Path) -> None:
    movements = [Movement("20240401", amount, who, said) for amount, who, said, _, _ in SPOKEN]
    table = entries(tmp_path, delivered(csv_bytes(TABLES["pingan"](movements))))
    told = {str(int(amount)): kind for amount, *kind in cells(table, "amount", "counterparty_kind", "platform")}
    assert told == {amount: [kind, platform] for amount, _, _, kind, platform in SPOKEN}


def test_numbers_of_other_accounts_do_not_stay_in_references(tmp_path: Path) -> None:
    said = "AMAZON 17000013310 to DE89370400440532013000 6222021234567890123"
    data = csv_bytes(TABLES["pingan"]([replace(MOVEMENTS[0], said=said)], OPENING))
    assert cells(entries(tmp_path, delivered(data)), "reference") == ["AMAZON 17000013310 to … …"]


def test_an_mt940_file_is_recognised_and_its_reversals_are_signed(tmp_path: Path) -> None:
    data = MT940_FILE.encode()
    (tmp_path / "statement").write_bytes(data)
    (found,) = recognise([tmp_path / "statement"])
    assert [fit.contract.contract_id for fit in found.met] == ["mt940_statement"]
    result = ingested(tmp_path / "raw", [delivered(data, "a.sta", "mt940_statement")])
    table = result.tables["bank_entry"]
    assert cells(table, "amount") == [Decimal(100), Decimal(-50), Decimal(7), Decimal(-5), Decimal(1)]
    assert cells(table, "event_date")[3] == dt.date(2024, 1, 2)
    assert cells(table, "reference")[0] == "12345 AMAZON 17000013310 GUTSCHRIFT"
    assert only_account(result).warnings["heading of a statement"] == 2


def test_an_mt940_message_that_does_not_add_up_is_set_aside_and_the_others_stay(tmp_path: Path) -> None:
    data = MT940_FILE.replace(":61:2404030403RD7,00", ":61:2404030403RD8,00").encode()
    result = ingested(tmp_path, [delivered(data, "a.sta", "mt940_statement")])
    assert quarantined(result) == ["balance:statement"]
    assert cells(result.tables["bank_entry"], "amount") == [Decimal(1)]


def test_an_entry_in_another_form_is_set_aside_and_not_lost(tmp_path: Path) -> None:
    data = MT940_FILE.replace("RD7,00NMSCX", "RD seven").encode()
    account = only_account(ingested(tmp_path, [delivered(data, "a.sta", "mt940_statement")]))
    assert account.quarantined == {"balance:statement": 4, "type:amount": 1}


def test_ofx_files_are_recognised_and_read_in_both_versions(tmp_path: Path) -> None:
    second = OFX_1.partition("<OFX>")[2]
    closed = re.sub(r"<([A-Z]+)>([^<\n]+)", r"<\1>\2</\1>", f"<OFX>{second}")
    files = {"one": OFX_1, "two": f'<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200"?>\n{closed}'}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (found,) = recognise([tmp_path / name])
        assert [fit.contract.contract_id for fit in found.met] == ["ofx_statement"]
    sent = [delivered(text.encode(), f"{name}.ofx", "ofx_statement", name) for name, text in files.items()]
    table = entries(tmp_path / "raw", *sent)
    assert (
        cells(table, "amount", "counterparty_kind", "platform")
        == [
            (Decimal("1200.5000"), "platform_payout", "Amazon"),
            (Decimal("-1000.2500"), "other", None),
        ]
        * 2
    )


def test_an_ofx_entry_whose_sign_or_thousands_are_unclear_is_set_aside(tmp_path: Path) -> None:
    for change, rule in (("1.000,25", "sign_fits_kind"), ("-1,000", "type:amount")):
        data = OFX_1.replace("-1.000,25", change).encode()
        result = ingested(tmp_path / rule.partition(":")[2] / rule[:4], [delivered(data, "a.ofx", "ofx_statement")])
        assert quarantined(result) == [rule]
        assert cells(result.tables["bank_entry"], "amount") == [Decimal("1200.50")]


def test_a_gap_between_two_ofx_files_shows_in_their_closing_balances(tmp_path: Path) -> None:
    may = OFX_1.replace("202404", "202405").replace(">F1", ">G1").replace(">F2", ">G2")
    files = [OFX_1, may.replace("<BALAMT>700.25", "<BALAMT>900.50")], [OFX_1, may]
    found = [
        ingested(
            tmp_path / str(number),
            [delivered(text.encode(), f"{place}.ofx", "ofx_statement") for place, text in enumerate(pair)],
        )
        for number, pair in enumerate(files)
    ]
    assert [[sum(a.warnings.values()) for a in result.file_counts] for result in found] == [[1, 1], [1, 2]]


def test_a_statement_without_entries_whose_balance_changes_is_refused(tmp_path: Path) -> None:
    headings = (":20", ":25", ":60", ":62", "-")
    silent = "".join(line for line in MT940_FILE.splitlines(keepends=True) if line.startswith(headings))
    for name, data in (("camt053", camt_file(closing=Decimal("2.00"), movements=())), ("mt940", silent.encode())):
        with pytest.raises(InputRefused, match="no entries, but its balance changes"):
            ingested(tmp_path / name, [delivered(data, source=f"{name}_statement")])
    quiet = camt_file(movements=(), closing=OPENING)
    assert entries(tmp_path / "quiet", delivered(quiet, source="camt053_statement")).num_rows == 0
