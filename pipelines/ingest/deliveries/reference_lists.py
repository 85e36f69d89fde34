"""Reference lists describe other files or values; one bad row makes the whole list unusable."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused
from data_contracts.reading.dispatch import read_file
from data_contracts.values.casting import cast_columns

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

RATES_SOURCE = "exchange_rates"


def rows_of_list(data: bytes, source: str, file_name: str) -> list[dict[str, Any]]:
    """Return the rows of a reference list, read by its contract, each with its ``source_row``.

    Raises:
        InputRefused: the list cannot be read, or a row breaks a rule or repeats another; names the first such row.
    """
    contract = source_contract(source)
    typed = cast_columns(read_file(data, contract, file_name), contract)
    checked = check_rows(typed.rows, contract, typed.origin)
    for bad in (typed.quarantined, checked.quarantined, checked.duplicates):
        if bad.num_rows:
            first = bad.slice(0, 1).to_pylist()[0]
            raise InputRefused(
                file=file_name,
                row=first["source_row"],
                column=first["column"],
                rule=f"rule {first['rule_id']} is broken by {first['value']!r}",
                remedy="correct the row: a reference list is used only if every row is good",
            )
    rows: list[dict[str, Any]] = checked.accepted.to_pylist()
    return rows


def rate_overrides(path: Path, recorded_at: datetime) -> RateOverrides:
    """Return the exchange rates in a file.

    Raises:
        InputRefused: the file is missing, a row is bad, or a rate is dated after ``recorded_at``.
    """
    if not path.is_file():
        raise InputRefused(file=str(path), rule="no such file", remedy="correct exchange_rate_file")
    rates: RateOverrides = {}
    for row in rows_of_list(path.read_bytes(), RATES_SOURCE, path.name):
        if row["rate_on"] > recorded_at.date():
            raise InputRefused(
                file=path.name,
                row=row["source_row"],
                column="Date",
                rule=f"{row['rate_on']} is after the day of recording, {recorded_at.date()}",
                remedy="correct the day of the rate",
            )
        rates.setdefault(row["money_code"], {})[row["rate_on"]] = row["usd"]
    return rates


RateOverrides = dict[str, dict[date, Decimal]]
"""By currency and day, the value of one unit in US dollars."""
