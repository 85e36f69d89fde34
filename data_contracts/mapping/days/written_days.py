"""Rewrite the days of files to ISO form, if a source may write them day first or month first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.errors import InputRefused
from data_contracts.mapping.days.day_order import DayEvidence, DayOrder, Movement, certain_orders, readings, told_order
from data_contracts.mapping.days.local_moments import time_of_day

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract

REMEDY = "state it: --date-order day-first or --date-order month-first, or the column 'Date order' of deliveries.csv"
_LAST_MARK = re.compile(r"[.,](?=\d{1,2}$)")


@dataclass(frozen=True)
class WrittenDays:
    """The text columns of a source that hold days, and those that tell the order of day and month.

    Attributes:
        columns: the columns with days, or with days and times; the first one orders the rows.
        time, zone: columns with the time of the day and the time zone, or None.
        credit, debit: columns with the amount that a row adds to the balance, and that it takes from it, or None.
        balance, currency: columns with the balance after the row, and its currency, or None.
        language: column with the language of the file, or None; only in English are days ever written month first.
    """

    columns: tuple[str, ...]
    time: str | None = None
    zone: str | None = None
    credit: str | None = None
    debit: str | None = None
    balance: str | None = None
    currency: str | None = None
    language: str | None = None


class DeclaredFile(NamedTuple):
    """What the delivery declares about a file: its name, period and, if stated, its order of day and month."""

    name: str
    first_day: datetime.date
    last_day: datetime.date
    order: DayOrder | None


def with_iso_days(
    rows: pa.Table, written: WrittenDays, contract: CompiledContract, files: Sequence[DeclaredFile]
) -> tuple[pa.Table, dict[int, str]]:
    """Return text rows with their days in ISO form, and a note on each file whose order only its evidence tells.

    Text that is not a day stays unchanged, so that casting sets its row aside.

    Raises:
        InputRefused: the order of day and month in a file cannot be told, or its days are written in both orders.
    """
    borders = np.searchsorted(rows["file_order"].to_numpy(), np.arange(len(files) + 1))
    orders, notes = [], {}
    for number, file in enumerate(files):
        part = rows.slice(borders[number], borders[number + 1] - borders[number])
        order, note = _order_of(part, written, file, contract)
        orders.append(order)
        if note:
            notes[number] = note
    for name in written.columns:
        file_of = rows["file_order"].to_numpy().tolist()
        days = [_iso(text, orders[file]) for text, file in zip(_cells(rows, name), file_of, strict=True)]
        rows = with_column(rows, name, pa.array(days, pa.string()))
    return rows, notes


def _iso(text: str, order: DayOrder) -> str:
    day_text, _, rest = text.partition(" ")
    day, clock = readings(day_text).by(order), time_of_day(rest)
    if day is None or (rest and clock is None):
        return text
    return day.isoformat() if clock is None else f"{day.isoformat()} {clock.isoformat()}"


def _days(rows: pa.Table, name: str) -> list[str]:
    """Return the days of a column without the times that may follow them."""
    return [text.partition(" ")[0] for text in _cells(rows, name)]


def _order_of(
    rows: pa.Table, written: WrittenDays, file: DeclaredFile, contract: CompiledContract
) -> tuple[DayOrder, str]:
    """Return the order of a file's days, and a note if only the evidence about ambiguous days tells it."""
    texts = [text for name in written.columns for text in _days(rows, name)]
    certain = certain_orders(texts)
    if file.order is not None:
        certain.setdefault(file.order, "")
    if len(certain) == len(DayOrder):
        raise _both_orders(rows, written, file, contract, certain)
    for order in certain:
        return order, ""
    if any(not language.startswith("en") for language in _cells(rows.slice(0, 1), written.language) if language):
        return DayOrder.DAY_FIRST, ""
    ambiguous = next((text for text in texts if readings(text).is_ambiguous), None)
    if ambiguous is None:
        return DayOrder.DAY_FIRST, ""
    told = told_order(_evidence(rows, written, file))
    if told is None:
        found = readings(ambiguous)
        column, row = _place_of(rows, written, ambiguous)
        raise InputRefused(
            file=file.name,
            row=row,
            column=contract.column(column).header,
            rule=f"the order of day and month cannot be told: {ambiguous!r} is {found.day_first} if written day first "
            f"and {found.month_first} if written month first",
            remedy=REMEDY,
        )
    return told, f"no day is above 12; the days are read {told}, as the period, the rows, the balance or the zone tell"


def _both_orders(
    rows: pa.Table,
    written: WrittenDays,
    file: DeclaredFile,
    contract: CompiledContract,
    certain: Mapping[DayOrder, str],
) -> InputRefused:
    if file.order is not None and not certain[file.order]:
        text = certain[file.order.other]
        rule = f"the order is stated as {file.order}, but {text!r} can only be {file.order.other}"
    else:
        text, other = certain[DayOrder.DAY_FIRST], certain[DayOrder.MONTH_FIRST]
        rule = f"the days are written in two orders: {text!r} can only be day first, {other!r} only month first"
    column, row = _place_of(rows, written, text)
    return InputRefused(
        file=file.name,
        row=row,
        column=contract.column(column).header,
        rule=rule,
        remedy="correct the stated order" if file.order is not None else "export the file again, or correct the day",
    )


def _place_of(rows: pa.Table, written: WrittenDays, text: str) -> tuple[str, int | None]:
    """Return the column and the physical row that hold a day."""
    for name in written.columns:
        texts = _days(rows, name)
        if text in texts:
            row: int = rows["source_row"][texts.index(text)].as_py()
            return name, row
    return written.columns[0], None


def _cells(rows: pa.Table, name: str | None) -> list[str]:
    if name is None:
        return [""] * rows.num_rows
    texts: Values = pc.utf8_trim_whitespace(rows[name])
    return [str(text) for text in texts.to_pylist()]


def _evidence(rows: pa.Table, written: WrittenDays, file: DeclaredFile) -> DayEvidence:
    first, time = _cells(rows, written.columns[0]), _cells(rows, written.time)
    times = time if written.time else [text.partition(" ")[2] for text in first]
    money = (written.currency, written.credit, written.debit, written.balance)
    movements = zip(*(_cells(rows, name) for name in money), strict=True)
    return DayEvidence(
        days=_days(rows, written.columns[0]),
        times=[time_of_day(text) for text in times],
        zones=_cells(rows, written.zone),
        movements=[_movement(*row) for row in movements],
        period=(file.first_day, file.last_day),
    )


def _movement(currency: str, credit: str, debit: str, balance: str) -> Movement | None:
    added, taken, after = _number(credit), _number(debit), _number(balance)
    if after is None or (added is None and taken is None):
        return None
    return Movement(currency, (added or Decimal()) - abs(taken or Decimal()), after)


def _number(text: str) -> Decimal | None:
    """Return a number in any locale; only the last mark, with one or two digits after it, is a decimal mark."""
    whole, *fraction = _LAST_MARK.split(text)
    digits = "".join(letter for letter in whole if letter.isdigit())
    if not digits:
        return None
    value = Decimal(f"{digits}.{fraction[0]}" if fraction else digits)
    return -value if "-" in text or "\u2212" in text or text.startswith("(") else value
