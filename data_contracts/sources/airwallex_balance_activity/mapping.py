"""Map Airwallex's balance activity report to ``bank_entry``: the wallet is an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.mapping.bank.entries import BankSource

if TYPE_CHECKING:
    from data_contracts.arrow import Values

_ENTRIES = """
SELECT
    statement, row_order, file_order, delivered_for, delivered_at, source_file, source_sha256, source_row,
    coalesce(account, 'not named: ' || delivered_for) AS own_account, CAST(NULL AS VARCHAR) AS own_name,
    money_code AS currency, CAST(moved_at AS DATE) AS booked_on, CAST(NULL AS DATE) AS valued_on,
    CAST(coalesce(credit, 0) - coalesce(debit, 0) AS DECIMAL(18, 4)) AS amount, balance AS balance_after,
    CAST(NULL AS DECIMAL(18, 4)) AS opening, CAST(NULL AS DECIMAL(18, 4)) AS closing,
    '' AS who, concat_ws(' ', kind_name, finer_kind, note, words) AS said, transaction_number AS serial
FROM raw
"""


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the rows with the key of the statement: the file and the currency."""
    parts = (text_rows[name].to_pylist() for name in ("file_order", "money_code"))
    keys: Values = pa.array([":".join(map(str, key)) for key in zip(*parts, strict=True)], pa.string())
    return text_rows.append_column("statement", keys)


MAPPING = BankSource(
    source="airwallex_balance_activity",
    entries=_ENTRIES,
    silent_reason="'movement without an amount'",
    prepare=prepare,
    happened="moved_at",
).mapping()
