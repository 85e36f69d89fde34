"""Check the balance that an account export states after each row, and name where it does not follow from the amounts.

A download may be filtered, so its rows are kept: the break is a remark that is counted, not a reason to set rows aside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.mapping.bank.entries import gaps_between, statements_of
from data_contracts.mapping.source_mapping import run_sql
from data_contracts.reading.doubts import doubt

if TYPE_CHECKING:
    from data_contracts.arrow import Values

BROKEN: Final = doubt("the balance does not follow from the amounts before it: rows are missing or were changed")

_ENTRIES: Final = """
SELECT concat_ws(':', file_order, {currency}) AS statement, delivered_for, coalesce(account, '') AS own_account,
    CAST({currency} AS VARCHAR) AS currency, row_order, source_row, CAST({happened} AS DATE) AS booked_on,
    CAST({movement} AS DECIMAL(18, 4)) AS amount, {balance} AS balance_after,
    CAST(NULL AS DECIMAL(18, 4)) AS opening, CAST(NULL AS DECIMAL(18, 4)) AS closing
FROM raw WHERE {moves}
"""


@dataclass(frozen=True)
class RunningBalance:
    """How the rows of a source move a balance.

    Attributes:
        movement: SQL over ``raw`` for the amount that a row adds to the balance.
        balance, currency, happened: columns with the balance after the row, its currency, and the time of the row.
        moves: SQL condition of the rows that move the balance.
    """

    movement: str
    balance: str
    currency: str
    happened: str
    moves: str = "true"

    def remarks(self, raw: pa.Table) -> pa.Table:
        """Return as remarks the first row of each file and currency whose balance breaks, is missing, or has a gap."""
        query = _ENTRIES.format(
            movement=self.movement,
            balance=self.balance,
            currency=self.currency,
            happened=self.happened,
            moves=self.moves,
        )
        entries = run_sql(query, raw=raw)
        broken = {one.key: one.first_row for one in statements_of(entries) if one.broken is not None}
        found = pa.table(
            {
                "row_order": pa.array(broken.values(), pa.int64()),
                "reason": pa.array([BROKEN] * len(broken), pa.string()),
            }
        )
        others: Values = pc.invert(pc.is_in(entries["statement"], value_set=pa.array(broken, pa.string())))
        return pa.concat_tables([found, gaps_between(entries.filter(others))])
