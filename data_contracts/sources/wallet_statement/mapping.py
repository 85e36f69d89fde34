"""Map wallet statements in our own format to ``bank_entry``: the wallet is an account."""

from __future__ import annotations

import functools
from dataclasses import replace

from data_contracts.mapping.bank.entries import BankSource, with_statement_key
from data_contracts.mapping.days.written_days import WrittenDays

_ENTRIES = """
SELECT
    statement, row_order, file_order, delivered_for, delivered_at, source_file, source_sha256, source_row,
    concat_ws(' ', wallet, wallet_account) AS own_account, CAST(NULL AS VARCHAR) AS own_name,
    money_code AS currency, moved_on AS booked_on, CAST(NULL AS DATE) AS valued_on,
    CAST(coalesce(paid_in, 0) - coalesce(paid_out, 0) - coalesce(fee, 0) AS DECIMAL(18, 4)) AS amount,
    balance AS balance_after, CAST(NULL AS DECIMAL(18, 4)) AS opening, CAST(NULL AS DECIMAL(18, 4)) AS closing,
    coalesce(counterparty, '') AS who, CAST(kind_name AS VARCHAR) AS said, transaction_number AS serial
FROM raw
WHERE coalesce(paid_in, 0) <> 0 OR coalesce(paid_out, 0) <> 0 OR coalesce(fee, 0) <> 0
"""


_SOURCE = BankSource(
    source="wallet_statement",
    entries=_ENTRIES,
    silent_reason="'movement without an amount'",
    prepare=functools.partial(with_statement_key, columns=("wallet", "wallet_account", "money_code")),
    happened="moved_on",
)
MAPPING = replace(
    _SOURCE.mapping(),
    days=WrittenDays(
        ("moved_on",), "local_time", credit="paid_in", debit="paid_out", balance="balance", currency="money_code"
    ),
)
