"""Map PayPal's settlement report to ``money_event``: the amount and the fee of each transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_keys, repeated_or
from data_contracts.mapping.source_mapping import run_sql

if TYPE_CHECKING:
    import pyarrow as pa

# PayPal's documentation shows amounts in yen both with and without hundredths.
UNCLEAR_CURRENCIES = ("JPY", "HUF", "TWD", "KRW", "VND", "CLP")

# Authorisations and rows for display only.
_MOVES_NOTHING = "starts_with(event_code, 'T13') OR event_code = 'T9800'"

_ENTRIES = f"""
SELECT raw.* EXCLUDE (direction), transaction_number || ':' || event_code AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type,
    CAST(event_code AS VARCHAR) AS code, CAST(direction AS VARCHAR) AS direction,
    coalesce(invoice_number, reference_number) AS order_id, event_code AS raw_type,
    CASE part WHEN 'fee' THEN fee_code ELSE money_code END AS currency,
    completed_at AS event_at, CAST(completed_at AS DATE) AS event_date, 'released' AS status
FROM raw, LATERAL (
    SELECT unnest(['amount', 'fee']) AS part, unnest([
        CAST(CASE direction WHEN 'CR' THEN gross_units ELSE -gross_units END * 0.01 AS DECIMAL(18, 4)),
        CAST(CASE fee_direction WHEN 'CR' THEN fee_units ELSE -fee_units END * 0.01 AS DECIMAL(18, 4))
    ]) AS amount
)
WHERE amount <> 0 AND NOT ({_MOVES_NOTHING})
"""  # noqa: S608 - the condition above

_SILENT = (
    f"CASE WHEN {_MOVES_NOTHING} THEN 'authorisation, which moves nothing' ELSE 'transaction without an amount' END"
)

_UNCLEAR = """
SELECT row_order, 'the unit of the amount is not known' AS reason, 'money_code:two_decimals' AS rule_id
FROM raw WHERE money_code IN (SELECT unnest($unclear)) OR fee_code IN (SELECT unnest($unclear))
"""


def screen(raw: pa.Table) -> pa.Table:
    """Return the transactions delivered before, and those in currencies whose unit is uncertain."""
    repeated = repeated_keys(raw, "transaction_number, event_code, direction, money_code")
    unclear = run_sql(_UNCLEAR, {"unclear": list(UNCLEAR_CURRENCIES)}, raw=raw)
    return repeated_or(repeated, unclear)


MAPPING = MoneyEventSource(
    source="paypal_settlement",
    platform="PayPal",
    entries=_ENTRIES,
    kinds=("code", "direction", "part"),
    silent_reason=_SILENT,
    screen=screen,
    happened="completed_at",
).mapping()
