"""Invented workbooks of trade-data publishers, with the oddities of real ones."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from data_contracts.mapping.code_lists import country_names
from data_contracts.privacy import keyed_pseudonyms
from data_contracts.sources.customs_declaration.mapping import country_codes
from data_contracts.sources.trade_data_workbook.days import iso_days
from pipelines.ingest.deliveries.recognition import recognise
from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import (
    HMAC_KEY,
    RawFile,
    cells,
    declaration,
    declaration_item,
    declarations_file,
    ingested,
    only_account,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from pipelines.ingest.stage import IngestResult

HEADER = ("Date", "Exporter", "Importer", "HS Code", "Destination Country", "Gross Weight (KG)", "Value (USD)")
ROW: tuple[object, ...] = ("2023-06-01", "Lampworks Co., Ltd.", "Lamp House Ltd.", "9405420000", "Germany", 12.5, 1500)


def record(**given: object) -> list[object]:
    """Return a record; a name stands for the header that starts with it."""
    places = {"date": 0, "exporter": 1, "importer": 2, "code": 3, "country": 4, "weight": 5, "value": 6}
    row = list(ROW)
    for name, value in given.items():
        row[places[name]] = value
    return row


def file_of(*rows: Sequence[object], header: Sequence[str] = HEADER, above: int = 0, name: str = "a.xlsx") -> RawFile:
    titles: list[list[object]] = [["Shipment records"], [None, "2023"], []]
    return RawFile(name, "trade_data_workbook", workbook({"Sheet1": [*titles[:above], list(header), *rows]}), "S000001")


def read(folder: Path, *rows: Sequence[object], header: Sequence[str] = HEADER, above: int = 0) -> IngestResult:
    return ingested(folder, [file_of(*rows, header=header, above=above)])


def records(result: IngestResult) -> pa.Table:
    return result.tables["export_document"]


def test_a_record_is_a_document_known_when_it_is_published(tmp_path: Path) -> None:
    (row,) = records(read(tmp_path, record())).to_pylist()
    assert (row["document_kind"], row["amount"], row["currency"]) == ("trade_record", Decimal(1500), "USD")
    assert (row["commodity_code"], row["destination_country"]) == ("9405420000", "DE")
    assert (row["gross_weight_kg"], row["event_date"]) == (Decimal("12.5"), dt.date(2023, 6, 1))
    assert row["known_at"].date() == dt.date(2023, 7, 31)


def test_a_record_that_its_file_repeats_counts_once(tmp_path: Path) -> None:
    header = (*HEADER, "RECORD_ID")
    rows = [[*record(), "R1"], [*record(), "R1"], [*record(), "R2"], [*record(value=7), "R1"]]
    result = read(tmp_path, *rows, header=header)
    assert cells(records(result), "amount") == [Decimal(1500), Decimal(1500), Decimal(7)]
    assert only_account(result).duplicates == {"repeated record": 1}
    # Rows without the publisher's number may be equal and still be two.
    assert records(read(tmp_path / "unnumbered", record(), record())).num_rows == 2


def test_headers_are_found_in_any_place_and_in_many_spellings(tmp_path: Path) -> None:
    header = ("出口日期", "发货人", "CONSIGNEE  NAME", "HS编码", "目的国", "毛重", "金额(美元)")
    table = records(read(tmp_path, record(), header=header, above=3))
    assert cells(table, "amount", "source_row") == [(Decimal(1500), 5)]


def test_headers_are_recognised_below_titles(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(file_of(record(), above=2).data)
    (found,) = recognise([tmp_path / "x.bin"])
    assert [fit.contract.contract_id for fit in found.met] == ["trade_data_workbook"]


@pytest.mark.parametrize(
    "name", ["TO ORDER", "TO THE ORDER", "To The Order of Some Bank", "NULL", "null", "N/A", "-", None]
)
def test_a_missing_name_is_not_a_counterparty(tmp_path: Path, name: str | None) -> None:
    assert cells(records(read(tmp_path, record(importer=name))), "counterparty_id") == [None]


def test_a_buyer_has_the_same_pseudonym_as_in_declarations(tmp_path: Path) -> None:
    data = declarations_file([declaration("222520230000000001", [declaration_item("1")])])
    declared = RawFile("d.json", "customs_declaration", data, "S000001")
    result = ingested(tmp_path, [file_of(record(importer="LAMP HOUSE, LTD")), declared])
    (buyer,) = cells(records(result), "counterparty_id")
    assert [buyer] == cells(result.tables["export_declaration"], "consignee_id")
    assert keyed_pseudonyms(records(result)["counterparty_id"], HMAC_KEY, "other")[0].as_py() != buyer


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("9405.42.00.00", "9405420000"),
        (901210000, "0901210000"),
        ("0901210000", "0901210000"),
        (90121, "090121"),
        ("9405", "9405"),
    ],
)
def test_codes_regain_the_leading_zero_that_a_spreadsheet_dropped(tmp_path: Path, written: object, code: str) -> None:
    assert cells(records(read(tmp_path, record(code=written))), "commodity_code") == [code]


@pytest.mark.parametrize(
    ("country", "alpha_2"),
    [
        ("DEU", "DE"),
        ("VIET NAM", "VN"),
        ("墨西哥", "MX"),
        ("US", "US"),
        ("united kingdom", "GB"),
        ("NULL", None),
        ("Atlantis", None),
    ],
)
def test_destinations_are_read_by_name_or_code_and_are_otherwise_missing(
    tmp_path: Path, country: str, alpha_2: str | None
) -> None:
    assert cells(records(read(tmp_path, record(country=country))), "destination_country") == [alpha_2]


def test_a_value_in_another_currency_keeps_that_currency(tmp_path: Path) -> None:
    header = (*HEADER[:6], "Total Value", "Currency")
    rows = [[*record(value="1,234.50"), "EUR"], [*record(value=5), "NULL"], [*record(value="NULL"), None]]
    result = read(tmp_path, *rows, header=header)
    assert cells(records(result), "amount", "currency") == [(Decimal("1234.5"), "EUR"), (None, None)]
    assert only_account(result).quarantined == {"value_has_currency": 1}
    assert only_account(result).warnings == {"value_given": 1}


def test_records_of_another_exporter_than_most_are_set_aside(tmp_path: Path) -> None:
    rows = [
        record(),
        record(value=2, exporter="LAMPWORKS CO LTD"),
        record(value=3, exporter="Candle Trading Co., Ltd."),
    ]
    result = read(tmp_path, *rows)
    assert cells(records(result), "amount") == [Decimal(1500), Decimal(2)]
    assert only_account(result).quarantined == {"exporter:one": 1}


def declared_by(name: str, seller: str = "S000001") -> RawFile:
    one = declaration("222520230000000001", [declaration_item("1")], cnsnTradeCname=name, consignorCname=name)
    return RawFile("declared.json", "customs_declaration", declarations_file([one]), seller)


@pytest.mark.parametrize(
    ("declared", "rules"),
    [
        ("Candle Trading Co., Ltd.", {"exporter:is_seller": 2}),
        ("Lampworks Company Limited", {}),
        ("义乌市明亮照明有限公司", {}),  # its English name may be any
    ],
)
def test_a_file_wholly_about_another_exporter_than_the_seller_is_refused(
    tmp_path: Path, declared: str, rules: dict[str, int]
) -> None:
    rows = [record(exporter="LAMPWORKS CO LTD"), record(value=2, exporter="LAMPWORKS CO LTD")]
    result = ingested(tmp_path, [file_of(*rows), declared_by(declared)])
    (account,) = (one for one in result.file_counts if one.file == "a.xlsx")
    assert account.quarantined == rules
    assert records(result).num_rows == (0 if rules else 2)


def test_the_sellers_own_records_are_kept_even_if_most_are_of_others(tmp_path: Path) -> None:
    rows = [
        record(exporter="Candle Trading Ltd."),
        record(value=2, exporter="LAMPWORKS"),
        record(value=3, exporter="LAMPWORKS"),
    ]
    result = ingested(tmp_path, [file_of(*rows), declared_by("Candle Trading Co., Ltd.")])
    assert cells(records(result), "amount") == [Decimal(1500)]
    other = ingested(tmp_path / "other", [file_of(*rows), declared_by("Candle Trading Co., Ltd.", "S000002")])
    assert cells(records(other), "amount") == [Decimal(2), Decimal(3)]


def test_pinyin_of_the_declared_name_is_the_seller_and_other_pinyin_is_not(tmp_path: Path) -> None:
    declared = declared_by("义乌市明亮照明有限公司")
    for name, kept in (("YIWU MINGLIANG LIGHTING CO LTD", 1), ("YIWU HUARUI LIGHTING CO LTD", 0)):
        result = ingested(tmp_path / str(kept), [file_of(record(exporter=name)), declared])
        assert records(result).num_rows == kept


def test_records_in_which_no_exporter_has_more_than_half_are_nobodys(tmp_path: Path) -> None:
    rows = [record(), record(exporter="Candle Trading Co., Ltd."), record(), record(exporter="Wax Ltd.")]
    result = read(tmp_path, *rows)
    assert records(result).num_rows == 0
    assert only_account(result).quarantined == {"exporter:one": 4}


def test_records_delivered_again_are_duplicates_and_equal_ones_in_one_file_are_two(tmp_path: Path) -> None:
    result = ingested(
        tmp_path, [file_of(record(), record()), file_of(record(), record(), record(value=3), name="b.xlsx")]
    )
    assert records(result).num_rows == 3
    assert cells(result.duplicates, "reason", "source_file") == [("repeated row", "b.xlsx")] * 2


@pytest.mark.parametrize(
    ("extra", "present"),
    [((), "none of them"), (("FOB",), "'FOB'"), (("UNIT_PRICE_USD", "USD_FREIGHT"), "none of them")],
)
def test_a_workbook_without_a_value_or_its_currency_is_refused_in_one_line(
    tmp_path: Path, extra: tuple[str, ...], present: str
) -> None:
    said = rf"it needs 'Value \(USD\)', or 'Total Value' with 'Currency'; present: {present}"
    with pytest.raises(InputRefused, match=said) as refusal:
        read(tmp_path, [*record()[:6], *extra], header=(*HEADER[:6], *extra))
    assert "\n" not in str(refusal.value)


def test_of_several_values_that_of_the_line_in_dollars_free_on_board_counts(tmp_path: Path) -> None:
    values = {"TOTAL_VALUE": 9000, "CURRENCY": "EUR", "USD_CIF": 1100, "CUSTOMS_VALUE_USD": 1050, "FOB_USD": 1000}
    header = ("EXP_DATE", "EXPORTER_NAME", "BUYER_NAME", "HS_CODE", "DESTINATION_COUNTRY", "GROSS_WEIGHT", *values)
    unknown = {**values, "FOB_USD": 0}
    rows = [[*record()[:6], *found.values()] for found in (values, unknown, {**unknown, "TOTAL_VALUE": 0})]
    result = read(tmp_path, *rows, header=header, above=3)
    amounts = [(Decimal(1000), "USD"), (Decimal(9000), "EUR"), (None, None)]
    assert cells(records(result), "amount", "currency") == amounts
    assert any("'USD_CIF', 'CUSTOMS_VALUE_USD'" in note for note in only_account(result).notes)


def test_monthly_sums_are_named_as_such(tmp_path: Path) -> None:
    header = ("HS_CODE", "SUPPLIER_NAME", "ORIGIN_COUNTRY", "TOTALVALUE", "MONTHYEAR")
    (tmp_path / "x.bin").write_bytes(workbook({"Sheet1": [list(header), ["940542", "Lampworks", "CN", 5, "Jan 2023"]]}))
    (found,) = recognise([tmp_path / "x.bin"])
    assert found.nearest is not None
    assert found.nearest.contract.contract_id == "trade_data_workbook"
    assert "monthly sums, not single records (column 'MONTHYEAR')" in str(found.nearest.problem)
    with pytest.raises(InputRefused, match="column 'MONTHYEAR': the workbook holds monthly sums"):
        read(tmp_path, header, header=header)


@pytest.mark.parametrize(("unit", "kilograms"), [("LB", "4.5359"), ("KGS", "10"), (None, "10"), ("CTN", None)])
def test_a_weight_is_converted_from_the_unit_that_the_record_states(
    tmp_path: Path, unit: str | None, kilograms: str | None
) -> None:
    header = (*HEADER[:5], "GROSS_WEIGHT", HEADER[6], "GROSS_WEIGHT_UNIT")
    result = read(tmp_path, [*record(weight=10), unit], header=header)
    assert cells(records(result), "gross_weight_kg") == [kilograms and Decimal(kilograms)]


def test_numbers_of_more_than_15_digits_in_number_cells_are_set_aside(tmp_path: Path) -> None:
    header = (*HEADER, "DECLARATION_NUMBER")
    numbers = (223120250000000101.0, "223120250000000102", 107575325100.0)
    rows = [[*record(value=place), number] for place, number in enumerate(numbers, start=1)]
    result = read(tmp_path, *rows, header=header)
    assert cells(records(result), "declaration_id") == ["223120250000000102", "107575325100"]
    assert only_account(result).quarantined == {"cell:digits_lost": 1}


def test_a_spreadsheet_time_that_is_midnight_in_another_zone_is_the_date_in_that_zone(tmp_path: Path) -> None:
    rows = [record(date=dt.datetime(2023, 5, 31, 16)), record(date=dt.datetime(2023, 6, 7, 16), value=2)]
    assert [str(day) for day in cells(records(read(tmp_path, *rows)), "event_date")] == ["2023-06-01", "2023-06-08"]


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["2023-05-31T16:00:00Z", "2023-06-01T16:00:00.000Z"], ["2023-06-01", "2023-06-02"]),
        (["2023-06-01T07:00:00Z", "2023-12-01T08:00:00Z"], ["2023-06-01", "2023-12-01"]),
        (["2023-06-01T04:00:00+00:00"], ["2023-06-01"]),
        (["2023-06-01 00:00:00", "2023-06-02T00:00:00Z"], ["2023-06-01", "2023-06-02"]),
        (["2023-05-31 16:00:00", "2023-05-31 09:12:30"], ["2023-05-31", "2023-05-31"]),
        (["2023-05-31T16:20:00Z", "2023-05-31T09:12:30Z"], ["2023-06-01", "2023-05-31"]),
        (["2023/6/1", "20230602", "03-JUN-2023", "4 June 2023", "2023.6.5"], [f"2023-06-0{n}" for n in range(1, 6)]),
        (["2023-02-30", "soon", "31-Foo-2023", "06/01/2023"], ["2023-02-30", "soon", "31-Foo-2023", "06/01/2023"]),
    ],
)
def test_dates_follow_from_the_time_of_day_that_a_file_has_in_common(texts: list[str], days: list[str]) -> None:
    assert iso_days(texts, [0] * len(texts)) == days


def test_each_file_has_its_own_midnight() -> None:
    texts = ["2023-05-31 16:00:00", "2023-05-31 16:00:00", "2023-05-31 09:12:30"]
    assert iso_days(texts, [0, 1, 1]) == ["2023-06-01", "2023-05-31", "2023-05-31"]


def test_every_country_name_belongs_to_an_existing_country() -> None:
    names = country_names("data_contracts.sources.trade_data_workbook")
    assert set(cells(names, "alpha_2")) <= set(cells(country_codes(), "alpha_2"))
    assert len(set(cells(names, "folded_name"))) == names.num_rows > 100
