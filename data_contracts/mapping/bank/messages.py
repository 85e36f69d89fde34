"""Bank statements in message formats, whose readers give headings and entries the same columns."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from data_contracts.mapping.bank.entries import BankSource, with_statement_key

if TYPE_CHECKING:
    from data_contracts.mapping.source_mapping import SourceMapping

# Banks disagree whether the side of a reversal is already turned. The balances tell: the reading that leads from the
# opening to the closing balance is right. Without balances the side holds, as the standard says.
_ENTRIES = """
SELECT
    statement, row_order, file_order, delivered_for, delivered_at, source_file, source_sha256, source_row,
    coalesce(regexp_replace(own_account, '[ -]', '', 'g'), account, 'not named: ' || delivered_for) AS own_account,
    own_name,
    money_code AS currency, booked_on, valued_on,
    CASE WHEN opening + sum(turned) OVER whole = closing AND opening + sum(plain) OVER whole <> closing
        THEN turned ELSE plain END AS amount,
    CAST(NULL AS DECIMAL(18, 4)) AS balance_after, opening, closing,
    coalesce(who, '') AS who, said, serial
FROM (
    SELECT *, CASE WHEN is_reversal THEN -plain ELSE plain END AS turned
    FROM (SELECT *, CASE WHEN side = 'CRDT' THEN amount ELSE -amount END AS plain FROM raw)
)
WHERE row_kind = 'entry' AND state = 'BOOK'
WINDOW whole AS (PARTITION BY statement)
"""


def message_mapping(source: str) -> SourceMapping:
    """Return the mapping of a source of statements in a message format."""
    return BankSource(
        source=source,
        entries=_ENTRIES,
        silent_reason="CASE WHEN row_kind = 'entry' THEN 'entry not booked' ELSE 'heading of a statement' END",
        prepare=functools.partial(with_statement_key, columns=("statement_number",)),
        happened="booked_on",
    ).mapping()
