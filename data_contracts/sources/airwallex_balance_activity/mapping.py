"""Map Airwallex's balance activity report to ``bank_entry``: the wallet is an account."""

from __future__ import annotations

import functools

from data_contracts.mapping.bank.entries import BankSource, with_statement_key

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


MAPPING = BankSource(
    source="airwallex_balance_activity",
    entries=_ENTRIES,
    silent_reason="'movement without an amount'",
    prepare=functools.partial(with_statement_key, columns=("money_code",)),
    happened="moved_at",
).mapping()
