"""Invented reports; the headers are the contract's synonyms for each language."""

from __future__ import annotations

import csv
import io
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused
from data_contracts.sources.amazon_date_range.mapping import languages
from data_contracts.sources.amazon_date_range.moments import iso_moment
from pipelines.ingest.deliveries.recognition import described, recognise
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

SOURCE = "amazon_date_range"
NEW = ("release_state", "released_at")
PREAMBLE = ["Includes Amazon Marketplace transactions", "All amounts in USD, unless specified", "Definitions:"]


def heading(locale: str, leave_out: Sequence[str] = NEW) -> dict[str, str]:
    """Return the header of a language: our name to the file's words."""
    names = {
        column.name: {place: words for words, place in column.locales} for column in source_contract(SOURCE).columns
    }
    return {name: words[locale] for name, words in names.items() if locale in words and name not in leave_out}


def row(**given: str) -> dict[str, str]:
    return {"settlement_number": "987", "marketplace_name": "amazon.com", "stock_unit": "LAMP-1", **given}


def report(
    rows: Sequence[dict[str, str]],
    locale: str = "en-US",
    name: str = "2023",
    leave_out: Sequence[str] = NEW,
    preamble: Sequence[str] = PREAMBLE,
) -> RawFile:
    header = heading(locale, leave_out)
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([line] for line in preamble)
    writer.writerow(header.values())
    writer.writerows([one.get(name, "") for name in header] for one in rows)
    data = "\ufeff".encode() + text.getvalue().encode()
    return RawFile(f"{SOURCE}/S000001/{name}.csv", SOURCE, data, "S000001", "A1")


def events_of(folder: Path, *files: RawFile) -> pa.Table:
    return ingested(folder, files).tables["money_event"]


SALE = row(
    posted_at="Mar 1, 2023 12:01:49 AM PST",
    transaction_type="Order",
    amazon_order="111-0000001-0000001",
    purchased="2",
    product_sales="1,200.00",
    product_sales_tax="96.00",
    shipping_credits="5.00",
    promotional_rebates="-5.00",
    marketplace_withheld_tax="-96.00",
    selling_fees="-180.00",
    fba_fees="-20.00",
    row_total="1,000.00",
)
TRANSFER = row(
    posted_at="Mar 15, 2023 3:00:00 PM PDT",
    transaction_type="Transfer",
    marketplace_name="",
    other_amount="-1,000.00",
    row_total="-1,000.00",
)


def test_every_amount_of_a_transaction_is_a_row_and_a_paid_settlement_sums_to_zero(tmp_path: Path) -> None:
    events = events_of(tmp_path, report([SALE, TRANSFER]))
    assert sorted(cells(events, "event_type", "amount")) == [
        ("commission", Decimal("-180.0000")),
        ("discount", Decimal("-5.0000")),
        ("fulfilment_fee", Decimal("-20.0000")),
        ("payout", Decimal("-1000.0000")),
        ("sale", Decimal("1200.0000")),
        ("sale_tax", Decimal("96.0000")),
        ("shipping", Decimal("5.0000")),
        ("withholding_tax", Decimal("-96.0000")),
    ]
    assert sum(cells(events, "amount")) == 0
    assert set(cells(events, "statement_id", "currency")) == {("987", "USD")}


def test_only_the_price_row_has_units(tmp_path: Path) -> None:
    refund = {**SALE, "transaction_type": "Refund", "product_sales": "-1,200.00", "row_total": "-1,400.00"}
    events = events_of(tmp_path, report([SALE, refund]))
    found = {pair for pair in cells(events, "event_type", "quantity") if pair[1] is not None}
    assert found == {("sale", 2), ("refund", -2)}


LANGUAGES = {
    "en-GB": ("1 Mar 2023 00:01:49 GMT", "Order", "amazon.co.uk", "1,234.56", "GBP"),
    "de-DE": ("01.03.2023 00:01:49 UTC", "Bestellung", "amazon.de", "1.234,56", "EUR"),
    "fr-FR": ("1 mars 2023 00:01:49 UTC", "Commande", "amazon.fr", "1\u202f234,56", "EUR"),
    "it-IT": ("1 mar 2023 00:01:49 UTC", "Ordine", "amazon.it", "1.234,56", "EUR"),
    "es-ES": ("1 mar. 2023 00:01:49 UTC", "Pedido", "amazon.es", "1.234,56", "EUR"),
    "es-MX": ("1 mar 2023 00:01:49 GMT-7", "Pedido", "amazon.com.mx", "1,234.56", "MXN"),
    "nl-NL": ("1 mrt. 2023 00:01:49 UTC", "Bestelling", "amazon.nl", "1.234,56", "EUR"),
    "ja-JP": ("2023/03/01 0:01:49JST", "注文", "amazon.co.jp", "1,234", "JPY"),
    "sv-SE": ("1 mars 2023 00:01:49 UTC", "Beställning", "amazon.se", "1\u00a0234,56", "SEK"),
    "pl-PL": ("1 mar 2023 00:01:49 UTC", "Zamówienie", "amazon.pl", "1 234,56", "PLN"),
    "tr-TR": ("1 Mar 2023 00:01:49 UTC", "Sipariş", "amazon.com.tr", "1.234,56", "TRY"),
    "pt-BR": ("1 de mar. de 2023 00:01:49 GMT-8", "Pedido", "amazon.com.br", "1.234,56", "BRL"),
    "en-US": ("Mar 1, 2023 12:01:49 AM PST", "Order", "amazon.com", "$1,234.56", "USD"),
}
ENGLISH_MARKETS = {
    "amazon.ae": ("1 Mar 2023 00:01:49 GST", "1,234.56", "AED"),
    "amazon.sa": ("1 Mar 2023 00:01:49 UTC", "1,234.56", "SAR"),
    "amazon.eg": ("1 Mar 2023 00:01:49 UTC", "1,234.56", "EGP"),
    "amazon.sg": ("1 Mar 2023 00:01:49 SGT", "1,234.56", "SGD"),
    "amazon.com.au": ("1 Mar 2023 00:01:49 AEDT", "1,234.56", "AUD"),
    "amazon.co.za": ("1 Mar 2023 00:01:49 SAST", "1,234.56", "ZAR"),
    "amazon.in": ("1 Mar 2023 12:01:49 AM IST", "1,44,957.78", "INR"),
}


@pytest.mark.parametrize("locale", LANGUAGES)
def test_a_report_is_read_in_its_language(tmp_path: Path, locale: str) -> None:
    moment, kind, marketplace, number, currency = LANGUAGES[locale]
    one = row(
        posted_at=moment,
        transaction_type=kind,
        marketplace_name=marketplace,
        product_sales=number,
        row_total=number,
    )
    (event,) = events_of(tmp_path, report([one], locale)).to_pylist()
    assert (event["event_type"], event["currency"]) == ("sale", currency)
    assert event["amount"] == Decimal("1234.0000") if locale == "ja-JP" else Decimal("1234.5600")
    assert event["event_at"].minute == 1


@pytest.mark.parametrize("marketplace", ENGLISH_MARKETS)
def test_an_english_report_has_the_currency_of_its_marketplace(tmp_path: Path, marketplace: str) -> None:
    moment, number, currency = ENGLISH_MARKETS[marketplace]
    one = row(posted_at=moment, transaction_type="Order", marketplace_name=marketplace) | {
        "product_sales": number,
        "row_total": number,
    }
    result = ingested(tmp_path, [report([one], preamble=[])])
    assert cells(result.tables["money_event"], "event_type", "currency") == [("sale", currency)]
    assert cells(result.tables["money_event"], "amount") == [Decimal(number.replace(",", ""))]


def test_no_kind_of_transaction_is_listed_twice() -> None:
    for section in ("kinds", "states", "months"):
        names = [name.lower() for name in languages()[section]]
        assert len(names) == len(set(names)), section


@pytest.mark.parametrize("other", [{"amazon_order": "S01-1-1"}, {"marketplace_name": "Non-Amazon US"}])
def test_of_an_order_of_another_channel_only_the_fees_have_a_meaning(tmp_path: Path, other: dict[str, str]) -> None:
    channel = row(posted_at=SALE["posted_at"], transaction_type="Order", fba_fees="-6.50", row_total="-6.50")
    sold = {**channel, **other, "product_sales": "20.00", "row_total": "13.50"}
    result = ingested(tmp_path, [report([SALE, {**channel, **other}, sold])])
    found = cells(result.tables["money_event"], "event_type", "amount", "currency")[7:]
    fee = ("fulfilment_fee", Decimal("-6.5000"), "USD")
    assert found == [fee, fee, ("other", Decimal("20.0000"), "USD")]
    kind = "amount of unknown kind / Order of another channel / product_sales / "
    assert only_account(result).warnings == {kind: 1}


@pytest.mark.parametrize("marketplace", ["", "sim1.stores.amazon.com", "amazon.xx"])
def test_the_lines_above_the_header_state_the_currency_where_no_row_does(tmp_path: Path, marketplace: str) -> None:
    one = {**TRANSFER, "marketplace_name": marketplace}
    assert set(cells(events_of(tmp_path, report([one])), "currency")) == {"USD"}
    account = only_account(ingested(tmp_path / "silent", [report([one], preamble=["Definitions:"])]))
    assert account.quarantined == {"marketplace_name:known": 1}


def test_a_transfer_has_the_currency_of_its_settlement(tmp_path: Path) -> None:
    rows = [
        {**SALE, "settlement_number": "1"},
        {**SALE, "settlement_number": "2", "marketplace_name": "amazon.ca"},
        {**TRANSFER, "settlement_number": "2"},
    ]
    assert cells(events_of(tmp_path, report(rows, preamble=[])), "event_type", "currency")[-1] == ("payout", "CAD")


def test_a_currency_above_the_header_that_contradicts_the_marketplace_is_named(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [report([SALE], preamble=["All amounts in CAD"])]))
    assert account.warnings == {"in doubt: the file states another currency than that of the marketplace": 1}


def test_a_header_in_an_unknown_language_is_named_as_such(tmp_path: Path) -> None:
    file = report([SALE], preamble=[])
    words = list(heading("en-US"))
    header = ",".join(f'"slovo {number}"' for number, _ in enumerate(words))
    data = header.encode() + file.data[file.data.index(b"\r\n") :]
    with pytest.raises(InputRefused, match="it is an Amazon date-range report in a language that is not known"):
        ingested(tmp_path, [RawFile(file.name, SOURCE, data, "S000001", "A1")])
    (tmp_path / "a.csv").write_bytes(data)
    (line, wrong, *_) = described(next(recognise([tmp_path / "a.csv"])))
    assert "nearest: amazon_date_range" in line
    assert "in a language that is not known" in wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jul 1, 2025 12:01:49 PM PDT", "2025-07-01T12:01:49-07:00"),
        ("1 Jul 2025 00:01:49 BST", "2025-07-01T00:01:49+01:00"),
        ("15 abr 2025 8:05:00 UTC+2", "2025-04-15T08:05:00+02:00"),
        ("Jul 1, 2025 1:01:49 p.m. PDT", "2025-07-01T13:01:49-07:00"),
        ("15 août 2025 08:05:00 UTC", "2025-08-15T08:05:00+00:00"),
        ("1\u00a0juil. 2025 08:05:00 UTC", "2025-07-01T08:05:00+00:00"),
        ("Jul 1, 2025 13:01:49 PM PDT", None),
        ("Jul 1, 2025 12:01:49 AM XYZ", None),
        ("Foo 1, 2025 12:01:49 AM PDT", None),
        ("1.7.2025", None),
    ],
)
def test_times_in_words_become_iso_or_missing(text: str, expected: str | None) -> None:
    assert iso_moment(text, languages()["months"]) == expected


def test_a_day_that_does_not_exist_sets_its_row_aside_with_the_text(tmp_path: Path) -> None:
    bad = [{**SALE, "posted_at": moment} for moment in ("Feb 30, 2023 1:00:00 AM PST", "yesterday")]
    result = ingested(tmp_path, [report([SALE, *bad])])
    assert only_account(result).quarantined == {"type:posted_at": 2}
    assert cells(result.quarantine, "source_row") == [6, 7]


def test_german_numbers_in_an_english_report_are_not_numbers(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [report([SALE, {**SALE, "product_sales": "1.200,00"}])]))
    assert account.quarantined == {"type:product_sales": 1}


def test_a_row_whose_amounts_do_not_sum_to_its_total_is_set_aside(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [report([SALE, {**SALE, "row_total": "1,000.01"}])]))
    assert (account.accepted, account.quarantined) == (1, {"row_adds_up": 1})


def test_a_typographic_minus_is_a_minus(tmp_path: Path) -> None:
    one = {
        **TRANSFER,
        "marketplace_name": "amazon.com",
        "other_amount": "\u22121,000.00",
        "row_total": "\u22121,000.00",
    }
    assert cells(events_of(tmp_path, report([one])), "amount") == [Decimal("-1000.0000")]


def test_a_row_without_a_known_currency_is_set_aside(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [report([TRANSFER], preamble=[])]))
    assert account.quarantined == {"marketplace_name:known": 1}


def test_a_transaction_without_an_amount_is_counted_separately(tmp_path: Path) -> None:
    nothing = {**TRANSFER, "other_amount": "0.00", "row_total": "0.00"}
    account = only_account(ingested(tmp_path, [report([SALE, nothing])]))
    assert (account.accepted, account.warnings) == (2, {"transaction without an amount": 1})


@pytest.mark.parametrize(
    ("kind", "what", "expected"),
    [
        ("Service Fee", "Cost of Advertising", "advertising"),
        ("Servicegebühr", "Werbekosten", "advertising"),
        ("注文外料金", "月額登録料", "subscription"),
        ("FBA Inventory Fee", "FBA storage fee", "storage_fee"),
        ("Adjustment", "FBA Inventory Reimbursement", "compensation"),
        ("Chargeback Refund", "", "chargeback"),
        ("Debt", "Debt payment", "debt_carried"),
        ("Deuda", "", "debt_carried"),
        ("Transfer", "Transfer of funds unsuccessful", "payout_reversal"),
        ("Other", "Amazon Lending", "advance_repayment"),
        ("Anpassung", "Darlehensrückzahlung", "advance_repayment"),
        ("Anpassung", "Kreditauszahlung", "advance_repayment"),
        ("Anpassung", "Kreditkarte belastet", "compensation"),
        ("Ajuste", "Pago de préstamo", "advance_repayment"),
        ("Ajustement", "Remboursement de prêt", "advance_repayment"),
        ("Modifica", "Rimborso prestito", "advance_repayment"),
        ("Korekta", "Spłata pożyczki", "advance_repayment"),
        ("調整", "ローン返済", "advance_repayment"),
        ("Other", "Payable to Amazon", "debt_carried"),
        ("Moon Fee", "", "other"),
    ],
)
def test_kind_and_description_decide_the_event_type(tmp_path: Path, kind: str, what: str, expected: str) -> None:
    one = {**TRANSFER, "marketplace_name": "amazon.com", "transaction_type": kind, "what": what}
    result = ingested(tmp_path, [report([one])])
    assert cells(result.tables["money_event"], "event_type") == [expected]
    unknown = {"amount of unknown kind / Moon Fee / other_amount / ": 1} if expected == "other" else {}
    assert only_account(result).warnings == unknown


def test_deferred_money_counts_once_it_is_released(tmp_path: Path) -> None:
    deferred = {**SALE, "release_state": "Deferred"}
    released = {**SALE, "release_state": "Released", "released_at": "Mar 20, 2023 1:00:00 PM PDT"}
    files = [report([deferred], name="2023a", leave_out=()), report([released], name="2023b", leave_out=())]
    result = ingested(tmp_path, files)
    events = result.tables["money_event"]
    assert set(cells(events, "status")) == {"released"}
    assert {str(day) for day in cells(events, "available_on")} == {"2023-03-20"}
    assert cells(result.duplicates, "reason") == ["repeated row"]
    alone = ingested(tmp_path / "alone", [files[0]]).tables["money_event"]
    assert set(cells(alone, "status")) == {"deferred"}
    both = report([{**deferred, "settlement_number": ""}, released, released], name="2023c", leave_out=())
    assert only_account(ingested(tmp_path / "both", [both])).duplicates == {"repeated row": 1}


def test_a_deferred_order_released_on_another_day_counts_once(tmp_path: Path) -> None:
    deferred = {**SALE, "release_state": "Deferred", "settlement_number": ""}
    released = {**SALE, "release_state": "Released", "released_at": "Mar 20, 2023 1:00:00 PM PDT"}
    released |= {"posted_at": "Mar 20, 2023 1:00:00 PM PDT"}
    one = ingested(tmp_path / "one", [report([deferred, released], leave_out=())])
    assert set(cells(one.tables["money_event"], "status")) == {"released"}
    assert only_account(one).duplicates == {"repeated row": 1}
    waiting = ingested(tmp_path / "two", [report([deferred, deferred, released], leave_out=())])
    assert Counter(cells(waiting.tables["money_event"], "status")) == {"released": 7, "deferred": 7}


def test_a_status_in_unknown_words_is_deferred_unless_the_row_has_a_release_date(tmp_path: Path) -> None:
    waits = {**SALE, "release_state": "Moon"}
    free = {**SALE, "release_state": "Moon", "released_at": "Mar 20, 2023 1:00:00 PM PDT", "amazon_order": "2"}
    result = ingested(tmp_path, [report([waits, free], leave_out=())])
    assert cells(result.tables["money_event"], "status") == ["deferred"] * 7 + ["released"] * 7
    reason = "status of unknown meaning, read as"
    assert only_account(result).warnings == {f"{reason} deferred: Moon": 1, f"{reason} released: Moon": 1}


def test_a_row_without_status_is_deferred_if_other_rows_of_its_file_have_a_release_date(tmp_path: Path) -> None:
    free = {**SALE, "released_at": "Mar 20, 2023 1:00:00 PM PDT"}
    result = ingested(tmp_path, [report([free, {**SALE, "amazon_order": "2"}], leave_out=("release_state",))])
    assert cells(result.tables["money_event"], "status") == ["released"] * 7 + ["deferred"] * 7
    assert only_account(result).warnings == {"neither status nor release date, read as deferred": 1}


def test_the_report_of_deferred_transactions_is_read_and_its_money_is_deferred(tmp_path: Path) -> None:
    cells_of = {"ReportType": "Deferred", "date/time": SALE["posted_at"], "type": "Order", "sku": "LAMP-1"}
    cells_of |= {"settlement-id": "", "order-id": "111-1", "description": "", "quantity": "1", "store": "amazon.com"}
    cells_of |= {"product-sales": "20.00", "selling-fees": "-3.00", "Total Amount": "17.00", "total": "17.00"}
    text = "\n".join(",".join(f'"{cell}"' for cell in line) for line in (cells_of, cells_of.values())) + "\n"
    events = events_of(tmp_path, RawFile("holds.csv", SOURCE, text.encode(), "S000001", "A1"))
    assert cells(events, "event_type", "status") == [("sale", "deferred"), ("commission", "deferred")]


def test_a_preamble_of_any_length_is_skipped(tmp_path: Path) -> None:
    events = events_of(tmp_path, report([SALE], preamble=[f"line {number}, with a comma" for number in range(20)]))
    assert events.num_rows == 7


def test_a_report_without_its_total_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [report([SALE], "de-DE", leave_out=("row_total",))])
    text = str(refusal.value)
    assert "file amazon_date_range/S000001/2023.csv, row 4, column 'total': missing columns" in text
    assert "; remedy: export the file with all columns of amazon_date_range@2.3.0" in text
    assert "\n" not in text


def test_a_report_in_shift_jis_is_refused_with_a_remedy(tmp_path: Path) -> None:
    data = "指定のない場合、単位は円\r\n".encode("shift_jis")
    file = RawFile(f"{SOURCE}/S000001/2023.csv", SOURCE, data, "S000001", "A1")
    named = "at offset 0 is not valid utf-8; remedy: export the file as utf-8; its text is in Shift-JIS, so open it"
    with pytest.raises(InputRefused, match=named):
        ingested(tmp_path, [file])
