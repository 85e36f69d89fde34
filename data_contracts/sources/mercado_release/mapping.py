"""Map Mercado Pago release reports to ``money_event``: each movement with its fees, and what is not listed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_or, rows_delivered_before
from data_contracts.mapping.source_mapping import run_sql
from data_contracts.reading.doubts import doubt
from data_contracts.values.money_text import with_plain_amounts

if TYPE_CHECKING:
    import pyarrow as pa

_AMOUNTS = ("credited", "debited", "gross_amount", "fee", "financing_fee", "shipping_fee", "taxes", "coupon")

_MOVEMENTS = """
WITH kinds AS (
    SELECT *, lower(record_type) AS record, coalesce(money_code, CASE upper(site) WHEN 'MLA' THEN 'ARS'
        WHEN 'MLB' THEN 'BRL' WHEN 'MLM' THEN 'MXN' WHEN 'MLC' THEN 'CLP' WHEN 'MCO' THEN 'COP' WHEN 'MLU' THEN 'UYU'
        WHEN 'MPE' THEN 'PEN' END) AS own_currency,
        coalesce(credited, 0) - abs(coalesce(debited, 0)) AS moved
    FROM raw
)
SELECT *, coalesce(own_currency, CASE WHEN min(own_currency) OVER same_file = max(own_currency) OVER same_file
        THEN min(own_currency) OVER same_file END) AS currency,
    record = 'release' OR record NOT IN ('initial_available_balance', 'total', 'available_balance') AS is_movement,
    sum(moved) FILTER (record = 'initial_available_balance') OVER same_file AS opening,
    sum(moved) FILTER (record NOT IN ('initial_available_balance', 'total', 'available_balance')) OVER same_file
        AS movements
FROM kinds WINDOW same_file AS (PARTITION BY file_order)
"""

# Fees are split off only if the gross amount is there.
_ENTRIES = f"""
WITH movements AS ({_MOVEMENTS}), parted AS (
    SELECT *, CASE WHEN is_movement AND gross_amount IS NOT NULL THEN gross_amount WHEN is_movement THEN moved END
            AS main_amount,
        CASE WHEN is_movement AND gross_amount IS NOT NULL THEN fee END AS paid_fee,
        CASE WHEN is_movement AND gross_amount IS NOT NULL THEN financing_fee END AS paid_financing,
        CASE WHEN is_movement AND gross_amount IS NOT NULL THEN shipping_fee END AS paid_shipping,
        CASE WHEN is_movement AND gross_amount IS NOT NULL THEN taxes END AS paid_taxes,
        CASE WHEN is_movement AND gross_amount IS NOT NULL THEN coupon END AS paid_coupon,
        CASE WHEN record = 'available_balance' AND opening IS NOT NULL THEN moved - opening - coalesce(movements, 0) END
            AS missing
    FROM movements
)
SELECT parted.* EXCLUDE (currency), currency, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type, coalesce(CAST(purpose_words AS VARCHAR), '') AS kind,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    CASE WHEN part <> 'not listed' THEN coalesce(order_number, source_number) END AS order_id,
    record_type AS raw_type, coalesce(purpose_words, part) AS raw_subtype, site AS marketplace,
    moved_at AS event_at, CAST(moved_at AS DATE) AS event_date, CAST(moved_at AS DATE) AS available_on,
    CASE WHEN regexp_matches(lower(purpose_words), 'payout|withdraw') THEN CAST(moved_at AS DATE) END AS paid_out_on,
    CASE WHEN regexp_matches(lower(purpose_words), '^(payout|withdraw)') THEN 'paid'
        WHEN starts_with(lower(purpose_words), 'reserve') AND amount < 0 THEN 'reserved' ELSE 'released' END AS status
FROM parted, LATERAL (
    SELECT unnest(['amount', 'fee', 'financing', 'shipping', 'taxes', 'coupon', 'rest', 'not listed']) AS part,
        unnest([main_amount, paid_fee, paid_financing, paid_shipping, paid_taxes, paid_coupon,
            CASE WHEN is_movement THEN moved - main_amount - coalesce(paid_fee, 0) - coalesce(paid_financing, 0)
                - coalesce(paid_shipping, 0) - coalesce(paid_taxes, 0) - coalesce(paid_coupon, 0) END,
            missing]) AS amount
)
WHERE amount <> 0
"""  # noqa: S608 - put together from constants of this module

_SILENT = "CASE WHEN lower(record_type) = 'release' THEN 'movement without an amount' ELSE 'balance or total' END"

_NO_CURRENCY = f"""
SELECT row_order, 'no currency stated, and the file has none or several' AS reason, 'money_code:known' AS rule_id
FROM ({_MOVEMENTS}) WHERE currency IS NULL
"""  # noqa: S608 - put together from constants of this module

_CHAIN = f"""
WITH balances AS (
    SELECT delivered_for, account, file_order, currency, min(moved_at) AS began,
        max(opening) AS opening, max(moved) FILTER (record = 'available_balance') AS closing,
        min(row_order) AS row_order
    FROM ({_MOVEMENTS}) GROUP BY delivered_for, account, file_order, currency
), chained AS (
    SELECT *, lag(closing) OVER (PARTITION BY delivered_for, account, currency ORDER BY began, file_order) AS before
    FROM balances
)
SELECT row_order, '{doubt("the opening balance is not the closing balance of the report before")}' AS reason
FROM chained WHERE opening <> before
"""  # noqa: S608 - put together from constants of this module


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with plain amounts."""
    return with_plain_amounts(text_rows, _AMOUNTS, "money_code")


def screen(raw: pa.Table) -> pa.Table:
    """Return the movements delivered before, and those without a currency of their own or of their file."""
    repeated = rows_delivered_before(raw, "mercado_release")
    return repeated_or(repeated, run_sql(_NO_CURRENCY, raw=raw))


_SOURCE = MoneyEventSource(
    source="mercado_release",
    platform="Mercado Libre",
    entries=_ENTRIES,
    kinds=("kind", "part", "direction"),
    silent_reason=_SILENT,
    screen=screen,
    prepare=prepare,
    happened="moved_at",
)


def remarks(raw: pa.Table) -> pa.Table:
    """Return amounts of unknown kind, and reports whose opening balance does not follow from the report before."""
    both = "SELECT * FROM unknown UNION ALL SELECT * FROM broken ORDER BY row_order"
    return run_sql(both, unknown=_SOURCE.remarks(raw), broken=run_sql(_CHAIN, raw=raw))


MAPPING = dataclasses.replace(_SOURCE.mapping(), remarks=remarks)
