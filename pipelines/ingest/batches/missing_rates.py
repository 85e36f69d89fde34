"""Count the amounts of canonical rows that have no value in US dollars, because their currency has no known rate."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.mapping.currency import MONEY, REFERENCE_CURRENCY, to_usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data_contracts.arrow import Values
    from data_contracts.mapping.currency import ExchangeRates
    from data_contracts.mapping.source_mapping import Tables
    from pipelines.runs.file_counts import FileCounts

_IN_DOLLARS = f"_{REFERENCE_CURRENCY.lower()}"


def with_missing_rates(
    all_counts: Sequence[FileCounts], tables: Tables, rates: ExchangeRates
) -> tuple[FileCounts, ...]:
    """Return the counts of files with a warning for each currency without a known rate on the day of an amount."""
    missing: dict[str, Counter[str]] = {}
    for table in tables.values():
        for file, currency in _places(table, rates):
            missing.setdefault(file, Counter())[_remark(currency)] += 1
    return tuple(
        replace(counts, warnings=dict(sorted({**counts.warnings, **missing[counts.file]}.items())))
        if counts.file in missing
        else counts
        for counts in all_counts
    )


def _remark(currency: str) -> str:
    return f"no exchange rate for {currency}; deliver one as exchange_rates (setting ingest.exchange_rate_file)"


def _places(table: pa.Table, rates: ExchangeRates) -> Iterator[tuple[str, str]]:
    """Yield the file and currency of every row whose amounts cannot be valued in US dollars."""
    in_dollars = [name for name in table.column_names if name.endswith(_IN_DOLLARS)]
    if "currency" not in table.column_names or not any(table[name].null_count for name in in_dollars):
        return
    ones: Values = pa.repeat(pa.scalar(1, MONEY), table.num_rows)
    unknown: Values = pc.and_(
        pc.is_null(to_usd(ones, table["currency"], table["event_date"], rates)),
        pc.and_(pc.is_valid(table["currency"]), pc.is_valid(table["event_date"])),
    )
    rows = table.select(["source_file", "currency"]).filter(unknown)
    yield from zip(rows["source_file"].to_pylist(), rows["currency"].to_pylist(), strict=True)
