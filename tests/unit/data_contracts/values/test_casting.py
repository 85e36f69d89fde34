from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.errors import ConfigurationRefused
from data_contracts.reading.dispatch import read_delimited
from data_contracts.values.casting import _surely_decimals, cast_columns, cast_text
from data_contracts.values.datetimes import dates_from_text
from tests.factories.contracts import column, contract_of, delimited


def cast(values: list[str], prop: dict[str, Any], **server: object) -> list[Any]:
    """Cast one column; a value that was set aside becomes the word ``bad``."""
    contract = contract_of([{**prop, "name": "a", "physicalName": "A"}], server=delimited("\t", **server))
    data = "A\tB\n" + "".join(f"{value}\tx\n" for value in values)
    result = cast_columns(read_delimited(data.encode(), contract, "f"), contract)
    good = {row["source_row"]: row["a"] for row in result.rows.to_pylist()}
    for row in result.quarantined.to_pylist():
        assert (row["rule_id"], row["column"], row["value"]) == ("type:a", "a", values[row["source_row"] - 2])
        assert row["original"] == f"{values[row['source_row'] - 2]}\tx".encode()
    assert result.rows_in == len(values) == result.rows.num_rows + result.quarantined.num_rows
    return [good.get(row, "bad") for row in range(2, len(values) + 2)]


NUMBER = column("a", "number")
DAY = column("a", "date", logicalTypeOptions={"format": "yyyy/M/d"})


def test_amounts_are_exact() -> None:
    values = ["0.1", "-12.3400", "+5", "99999999999999.9999", "007", " 610.49 ", "1.10000", "", "-0"]
    assert cast(values, NUMBER) == [
        Decimal(text) if text else None
        for text in ("0.1", "-12.34", "5", "99999999999999.9999", "7", "610.49", "1.1", "", "0")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1.23456",
        "1,5",
        "1e5",
        "NaN",
        "inf",
        "(5)",
        "5-",
        "$5",
        "1.",
        ".5",
        "-.5",
        "+.5",
        "-",
        "1 000",
        "--1",
        "0x1",
        "١٢",
        "100000000000000",
    ],
)
def test_an_inexact_amount_is_set_aside(text: str) -> None:
    assert cast(["1", text], NUMBER) == [Decimal(1), "bad"]


def test_a_contract_may_round_long_fractions_half_to_even() -> None:
    prop = column("a", "number", custom={"roundTo": 2})
    values = ["1.005", "1.015", "2.675000001", "-0.125"]
    assert cast(values, prop) == [Decimal(text) for text in ("1.00", "1.02", "2.68", "-0.12")]
    assert cast(values[:2], prop) == [Decimal("1.00"), Decimal("1.02")]
    longest = f"0.00{'4' * 18}"
    assert cast([longest, f"{longest}4"], prop) == [Decimal("0.00"), "bad"]


def test_numbers_are_read_in_the_locale_of_the_file_and_no_other() -> None:
    values = ["1.234.567,89", "1234,5", "12", "1.5", "12.34,5", "1,234.5", "0.250", "-0.250", "0,250"]
    expected = [Decimal("1234567.89"), Decimal("1234.5"), Decimal(12), *["bad"] * 5, Decimal("0.250")]
    assert cast(values, NUMBER, decimalMark=",", thousandsMark=".") == expected
    assert cast(["1.500", "2.500"], NUMBER, decimalMark=",", thousandsMark=".") == [Decimal(1500), Decimal(2500)]
    assert cast(["1234,5", "1.5", "1.234"], NUMBER, decimalMark=",") == [Decimal("1234.5"), "bad", "bad"]
    assert cast(["1,234.5", "1.234,5"], NUMBER, thousandsMark=",") == [Decimal("1234.5"), "bad"]


def test_three_kinds_of_space_may_group_digits() -> None:
    values = ["1 234,5", "1\u00a0234,5", "1\u202f234,5", "1234,5", "1 23,5"]
    assert cast(values, NUMBER, decimalMark=",", thousandsMark=" ") == [Decimal("1234.5")] * 4 + ["bad"]


def test_integers_are_whole_and_in_range() -> None:
    assert cast(["12", "-3", "+007", "1.0", "1e3", ""], column("a", "integer")) == [12, -3, 7, "bad", "bad", None]
    small = column("a", "integer", physicalType="int32")
    assert cast(["2147483647", "2147483648", "-2147483648"], small) == [2147483647, "bad", "bad"]


def test_floating_numbers_are_finite() -> None:
    values = ["+4.5", "1e3", "1e999", "nan", "-0.25"]
    assert cast(values, column("a", "number", physicalType="double")) == [4.5, 1000.0, "bad", "bad", -0.25]


def test_text_keeps_its_leading_zeros() -> None:
    assert cast(["000000", "NA", " x "], column("a")) == ["000000", "NA", "x"]


def test_trimming_can_be_switched_off() -> None:
    assert cast([" x ", "\u3000y"], column("a", custom={"trim": False})) == [" x ", "\u3000y"]
    assert cast(["\u3000作废发票\u00a0"], column("a")) == ["作废发票"]


def test_text_with_few_values_becomes_a_dictionary() -> None:
    columns = [column("a", header="A", physicalType="dictionary"), column("b", header="B")]
    contract = contract_of(columns, server=delimited())
    rows = cast_columns(read_delimited(b"A,B\nx,1\nx,2\ny,3\n", contract, "f"), contract).rows
    assert rows.schema.types[:2] == [pa.dictionary(pa.int32(), pa.string()), pa.string()]
    assert rows["a"].to_pylist() == ["x", "x", "y"]


def test_booleans_use_the_words_of_the_contract() -> None:
    prop = column("a", "boolean", custom={"trueValues": ["是"], "falseValues": ["否"]})
    assert cast(["是", "否", "", "yes"], prop) == [True, False, None, "bad"]
    assert cast(["TRUE", "no", "1"], column("a", "boolean")) == [True, False, "bad"]


def test_missing_tokens_are_missing() -> None:
    assert cast(["/", "", "1"], NUMBER, missingTokens=["/"]) == [None, None, Decimal(1)]


def test_dates_that_do_not_exist_are_set_aside() -> None:
    values = [
        "2017/7/18",
        "2016/2/29",
        "2017/02/28",
        "2017/2/29",
        "2017/13/1",
        "2017/0/1",
        "2017-7-18",
        "17/7/18",
        "2567/1/1",
    ]
    days = [date(2017, 7, 18), date(2016, 2, 29), date(2017, 2, 28)]
    assert cast(values, DAY) == [*days, *["bad"] * 6]


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("yyyyMMdd", "20240331", date(2024, 3, 31)),
        ("dd.MM.yyyy", "01.07.2025", date(2025, 7, 1)),
        ("MM/dd/yy", "01/02/03", None),
    ],
)
def test_dates_are_read_in_the_format_of_the_contract(form: str, text: str, expected: date | None) -> None:
    prop = column("a", "date", logicalTypeOptions={"format": form})
    if expected is None:
        with pytest.raises(ConfigurationRefused, match="unknown letters at 'yy'"):
            cast([text], prop)
    else:
        assert cast([text, "2024-03-31"], prop) == [expected, "bad"]


def test_alternative_date_formats_are_tried_in_order() -> None:
    prop = column("a", "date", logicalTypeOptions={"format": "yyyy-MM-dd | yyyy/M/d"})
    assert cast(["2020-01-02", "2020/1/2", "2020.1.2"], prop) == [date(2020, 1, 2), date(2020, 1, 2), "bad"]


def moment(form: str, **options: str) -> dict[str, Any]:
    return column("a", "timestamp", logicalTypeOptions={"format": form, **options})


def test_times_become_utc() -> None:
    assert cast(["2025-06-09 23:30:00 UTC", "2025-06-09 24:00:00 UTC"], moment("yyyy-MM-dd HH:mm:ss z")) == [
        datetime(2025, 6, 9, 23, 30, tzinfo=UTC),
        "bad",
    ]
    values = [
        "2026-08-30 16:59:53 +0400",
        "2026-08-30 00:00:00 -0730",
        "2026-08-30 00:00:00 +1500",
        "2026-08-30 00:00:00",
    ]
    assert cast(values, moment("yyyy-MM-dd HH:mm:ss X")) == [
        datetime(2026, 8, 30, 12, 59, 53, tzinfo=UTC),
        datetime(2026, 8, 30, 7, 30, tzinfo=UTC),
        "bad",
        "bad",
    ]


def test_iso_times_need_no_declared_format() -> None:
    values = ["2025-01-01T08:00:00+08:00", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00.25Z", "2025-01-01 00:00:00 UTC"]
    first = datetime(2025, 1, 1, tzinfo=UTC)
    assert cast(values, column("a", "timestamp")) == [first, first, first.replace(microsecond=250_000), first]


def test_a_local_time_that_does_not_exist_is_set_aside() -> None:
    prop = moment("yyyy-MM-dd HH:mm:ss", defaultTimezone="America/New_York")
    values = ["2024-03-10 01:30:00", "2024-03-10 02:30:00", "2024-11-03 01:30:00"]
    early, late = datetime(2024, 3, 10, 6, 30, tzinfo=UTC), datetime(2024, 11, 3, 5, 30, tzinfo=UTC)
    assert cast(values, prop) == [early, "bad", late]


def test_a_row_with_two_bad_columns_is_set_aside_once_under_the_first() -> None:
    contract = contract_of([column("a", "number", header="A"), column("b", "date", header="B")], server=delimited())
    result = cast_columns(read_delimited(b"B,A\nx,y\n2020-01-01,z\nx,1\n2020-01-01,2\n", contract, "f"), contract)
    assert [(r["source_row"], r["rule_id"]) for r in result.quarantined.to_pylist()] == [
        (2, "type:a"),
        (3, "type:a"),
        (4, "type:b"),
    ]
    assert result.rows["a"].to_pylist() == [Decimal(2)]


def test_an_empty_file_casts_to_typed_columns_without_rows() -> None:
    contract = contract_of([column("a", "number", header="A"), column("b", "date", header="B")], server=delimited())
    rows = cast_columns(read_delimited(b"A,B\n", contract, "f"), contract).rows
    assert rows.schema.types[:2] == [pa.decimal128(18, 4), pa.date32()]


def test_the_first_and_last_day_of_a_year_a_month_and_the_calendar_are_read() -> None:
    prop = column("a", "date", logicalTypeOptions={"format": "yyyy-MM-dd"})
    good = ["1990-01-01", "2100-12-31", "2024-02-29", "2024-04-30", "1999-12-31", "2000-01-01"]
    bad = [
        "1989-12-31",
        "2101-01-01",
        "2023-02-29",
        "2024-04-31",
        "2024-00-10",
        "2024-13-10",
        "2024-01-00",
        "2024-01-32",
        "2024-01-0:",
        "2024-01-0/",
    ]
    assert cast([*good, *bad], prop) == [*map(date.fromisoformat, good), *["bad"] * len(bad)]


def test_the_last_second_of_a_day_is_read_and_none_after_it() -> None:
    good = ["2025-06-09 23:59:59", "2025-06-09 00:00:00", "2025-06-09 01:02:03"]
    bad = [
        "2025-06-09 24:00:00",
        "2025-06-09 00:60:00",
        "2025-06-09 00:00:60",
        "2025-06-09 00:00",
        "2025-06-09T00:00:00",
    ]
    expected = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in good]
    assert cast([*good, *bad], moment("yyyy-MM-dd HH:mm:ss")) == [*expected, *["bad"] * len(bad)]


def test_an_offset_has_hours_and_minutes_and_at_most_fourteen_hours() -> None:
    texts = [
        *("2026-08-30 12:00:00 +1400", "2026-08-30 12:00:00 -14:00", "2026-08-30 12:00:00 +05:45"),
        *("2026-08-30 12:00:00 -0959", "2026-08-30 12:00:00 +02", "2026-08-30 12:00:00 Z"),
    ]
    hours = [(-14, 0), (14, 0), (-5, -45), (9, 59), (-2, 0), (0, 0)]
    noon = datetime(2026, 8, 30, 12, tzinfo=UTC)
    bad = ["2026-08-30 12:00:00 +1401", "2026-08-30 12:00:00 +0160", "2026-08-30 12:00:00 +0199"]
    assert cast([*texts, *bad], moment("yyyy-MM-dd HH:mm:ss X")) == [
        *(noon + timedelta(hours=hour, minutes=minute) for hour, minute in hours),
        *["bad"] * 3,
    ]


def test_fractions_of_a_second_have_one_to_six_digits() -> None:
    texts = ["2025-01-01T00:00:00.5Z", "2025-01-01T00:00:00.000001Z", "2025-01-01T00:00:00.0000001Z"]
    first = datetime(2025, 1, 1, tzinfo=UTC)
    assert cast(texts, column("a", "timestamp")) == [
        first.replace(microsecond=500_000),
        first.replace(microsecond=1),
        "bad",
    ]


def test_a_quoted_text_in_a_format_is_read_as_it_is() -> None:
    prop = column("a", "date", logicalTypeOptions={"format": "yyyy'年'M'月'd'日'"})
    assert cast(["2024年3月5日", "2024-3-5"], prop) == [date(2024, 3, 5), "bad"]
    noon = datetime(2024, 3, 5, 12, tzinfo=UTC)
    times = ["2024-03-05 at 12:00:00", "2024-03-05 ta 12:00:00"]
    assert cast(times, moment("yyyy-MM-dd' at 'HH:mm:ss")) == [noon, "bad"]
    assert cast(["2024-03-05 12:00:00 GMT"], moment("yyyy-MM-dd HH:mm:ss z")) == [noon]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2147483647", 2147483647),
        ("-2147483647", -2147483647),
        ("2147483648", "bad"),
        ("+7", 7),
        ("007", 7),
        ("7.0", "bad"),
        ("1234567890123456789", "bad"),
        ("", None),
    ],
)
def test_a_whole_number_is_read_within_its_range(text: str, value: object) -> None:
    assert cast([text], column("a", "integer", physicalType="int32")) == [value]


def test_a_whole_number_has_at_most_eighteen_digits() -> None:
    assert cast(["2147483648", "9" * 18, "9" * 19], column("a", "integer")) == [2147483648, int("9" * 18), "bad"]


def test_many_amounts_at_once_are_as_exact_as_one_by_one() -> None:
    texts = ["1.5", "-22.25", "333.1234", "4444.0", "-5.55"]
    assert cast(texts, NUMBER) == [Decimal(text) for text in texts]
    for spoiled in ("1.23456", ".5", "-.5", "5.", "5-", "1.2.3", "5:5", "/5"):
        assert cast([*texts, spoiled], NUMBER) == [*(Decimal(text) for text in texts), "bad"]
    assert cast(["1", "2.5"], NUMBER) == [Decimal(1), Decimal("2.5")]
    assert cast(["99999999999999", "100000000000000"], NUMBER) == [Decimal(99999999999999), "bad"]
    assert cast(["", "1.5"], NUMBER) == [None, Decimal("1.5")]


@pytest.mark.parametrize(
    ("texts", "is_sure"),
    [
        (["1.5", "-22.2500", "3.0"], True),
        (["1", "-2", "12345678901234"], True),
        (["-1.5"], True),
        (["1.23456"], False),
        (["123456789012345"], False),
        (["1.5", "2"], False),
        (["4", "1.2.3"], False),
        (["1.2.3", "4"], False),
        *(([text], False) for text in ("", ".5", "-.5", "5.", "5-", "+5", "1e5", "1,5", "--1", "5:5")),
        ([], False),
    ],
)
def test_the_fast_way_reads_plain_amounts_and_no_others(texts: list[str], is_sure: bool) -> None:
    assert _surely_decimals(pa.array(texts, pa.string()), 14, 4) is is_sure
    # A part of a longer array, with missing cells.
    longer = pa.array(["spoiled.", *texts, None, "?"], pa.string())
    assert _surely_decimals(longer.slice(1, len(texts) + 1), 14, 4) is is_sure


def test_sound_and_unsound_days_may_alternate() -> None:
    prop = column("a", "date", logicalTypeOptions={"format": "yyyy-MM-dd"})
    texts = ["2024-01-02", "x", "2024-01-03", "yy", "2024-01-04", "later than that", "2024-01-05"]
    days = [date(2024, 1, day) for day in (2, 3, 4, 5)]
    assert cast(texts, prop) == [days[0], "bad", days[1], "bad", days[2], "bad", days[3]]


@pytest.mark.parametrize(
    ("form", "text", "hour"),
    [
        ("yyyy-MM-dd HH:mm:ss X", "2025-01-01 12:00:00 +0200", 10),
        ("yyyy-MM-dd HH:mm:ss z", "2025-01-01 12:00:00 UTC", 12),
        ("yyyy-MM-dd HH:mm:ss", "2025-01-01 12:00:00", 4),
    ],
)
def test_a_stated_zone_counts_and_only_without_one_the_zone_of_the_column(form: str, text: str, hour: int) -> None:
    prop = moment(form, defaultTimezone="Asia/Shanghai")
    assert cast([text], prop) == [datetime(2025, 1, 1, hour, tzinfo=UTC)]


def test_amounts_in_an_array_for_longer_texts_are_read_the_same() -> None:
    contract = contract_of([column("a", "number", header="A")], server=delimited())
    values, bad = cast_text(pa.array(["1.5", "x", "-2"], pa.large_string()), contract.columns[0], contract.read_spec)
    assert values.to_pylist() == [Decimal("1.5"), None, Decimal(-2)]
    assert bad is not None
    assert bad.tolist() == [False, True, False]


def test_a_missing_cell_stays_missing_whatever_its_bytes_hold() -> None:
    text = pa.array(["2024-01-02", "2024-01-03"])
    _, *buffers = text.buffers()
    masked = pa.StringArray.from_buffers(2, *buffers, pa.array([True, False]).buffers()[1])
    assert masked.to_pylist() == ["2024-01-02", None]
    assert dates_from_text(masked, ("yyyy-MM-dd",)).to_pylist() == [date(2024, 1, 2), None]
