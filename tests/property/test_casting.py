"""A cell is typed the same whatever the other cells contain."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.definition.contract import CellSpec, Column, ReadSpec
from data_contracts.values.casting import cast_text
from data_contracts.values.datetimes import FIRST_YEAR, LAST_YEAR

SPEC = ReadSpec(format="delimited")
AMOUNT = Column("amount", "Amount", pa.decimal128(18, 4), "", "", "internal")
FORM = "yyyy-MM-dd'T'HH:mm:ss"
MOMENT = Column(
    "moment", "Moment", pa.timestamp("us", "UTC"), "", "", "internal", cell=CellSpec(formats=(FORM, "dd.MM.yyyy"))
)

amounts = (
    st.decimals(-(10**6), 10**6, places=2).map(str)
    | st.decimals(-(10**18), 10**18, allow_nan=False, places=5).map(str)
    | st.text("0123456789.-+ e", max_size=8)
)
moments = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S")) | st.text("0123-T: .", max_size=19)


def _cast(cells: list[str], column: Column) -> list[object]:
    values, bad = cast_text(pa.array(cells, pa.string()), column, SPEC)
    flags = [False] * len(cells) if bad is None else bad.tolist()
    return [(value, bool(flag)) for value, flag in zip(values.to_pylist(), flags, strict=True)]


@given(st.lists(amounts, min_size=1) | st.lists(st.decimals(-99, 99, places=2).map(str), min_size=1))
def test_amounts_do_not_depend_on_other_cells(cells: list[str]) -> None:
    assert _cast(cells, AMOUNT) == _cast([*cells, "no number"], AMOUNT)[:-1]


@given(st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=1), st.integers(0, 4))
def test_amounts_in_one_format_are_exact(numbers: list[Decimal], places: int) -> None:
    rounded = [round(number, min(places, 2)) for number in numbers]
    cells = [f"{number:.{places}f}" for number in rounded]
    assert _cast(cells, AMOUNT) == [(number, False) for number in rounded]


@given(st.lists(st.text("0123456789.-", min_size=1, max_size=7), min_size=1, max_size=3))
def test_an_amount_needs_digits_on_both_sides_of_its_decimal_mark(cells: list[str]) -> None:
    for cell, (value, bad) in zip(cells, _cast(cells, AMOUNT), strict=True):
        whole, point, fraction = cell.removeprefix("-").partition(".")
        sound = (
            whole.isdigit()
            and (fraction.rstrip("0").isdigit() or fraction.strip("0") == "")
            and bool(fraction or not point)
        )
        if sound and len(fraction.rstrip("0")) <= 4:
            assert (value, bad) == (Decimal(cell), False)
        else:
            assert (value, bad) == (None, True)


@given(st.lists(moments, min_size=1))
def test_times_are_valid_calendar_times_or_missing(cells: list[str]) -> None:
    assert _cast(cells, MOMENT) == [_expected_moment(cell.strip()) for cell in cells]


def _expected_moment(cell: str) -> tuple[datetime | None, bool]:
    if not cell:
        return None, False
    for form, width in (("%Y-%m-%dT%H:%M:%S", 19), ("%d.%m.%Y", 10)):
        try:
            moment = datetime.strptime(cell, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if len(cell) == width and FIRST_YEAR <= moment.year <= LAST_YEAR:
            return moment, False
    return None, True


zones = st.sampled_from(["Z", "+08", "-0530", "+05:30", "+14:00", "-14:01", "+99:99", "UTC", " UTC", " GMT", "", "z"])
zoned_moments = st.tuples(st.datetimes(datetime(1989, 12, 31), datetime(2101, 1, 1)), zones)
ZONED_MOMENT = replace(MOMENT, cell=CellSpec(formats=("yyyy-MM-dd HH:mm:ss z", f"{FORM}X", f"{FORM}.SSSX")))


@given(st.lists(zoned_moments, min_size=1))
def test_a_zone_offset_shifts_a_time_in_every_notation(given_moments: list[tuple[datetime, str]]) -> None:
    written = [(moment.replace(microsecond=0), zone) for moment, zone in given_moments]
    cells = [
        f"{moment:%Y-%m-%d}{' ' if zone.startswith(' ') else 'T'}{moment:%H:%M:%S}{zone}" for moment, zone in written
    ]
    assert _cast(cells, ZONED_MOMENT) == [_expected_zoned(moment, zone) for moment, zone in written]


def _expected_zoned(moment: datetime, zone: str) -> tuple[datetime | None, bool]:
    offsets = {"Z": 0, "+08": 480, "-0530": -330, "+05:30": 330, "+14:00": 840, " UTC": 0, " GMT": 0}
    if zone not in offsets or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return None, True
    return moment.replace(tzinfo=UTC) - timedelta(minutes=offsets[zone]), False
