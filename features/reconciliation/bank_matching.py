"""Payouts in the bank: which payouts of a platform arrived as a credit of the seller's bank account.

A payout and a credit match if the credit names the platform or a wallet and has the payout's amount, exactly or less
fees, within days of it. Exact amounts go first, and each credit is used once. A payout is missing only where bank
statements were delivered for all days on which it could have arrived: no delivery means unknown, never absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from features.engine.coverage import stretches_sql
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.sql_text import date_literal, nested, with_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.engine.as_of import AsOf

ENTRIES: Final = "bank_entry"
EVENTS: Final = "money_event"
COVERAGE: Final = "source_coverage"
# The findings about payouts and credits. A payout whose days no statement covers in full is not judged.
MATCHED, NEVER_SEEN, NOT_JUDGED = "matched", "never_seen", "not_judged"
UNDECLARED_PLATFORM, WITHOUT_PAYOUT = "undeclared_platform", "credit_without_payout"
FINDINGS: Final = (MATCHED, NEVER_SEEN, NOT_JUDGED, UNDECLARED_PLATFORM, WITHOUT_PAYOUT)
# How a pair agrees, in the order in which pairs are formed.
AGREEMENTS: Final = (
    *("reference", "same_platform", "wallet", "same_platform_less_fees", "wallet_less_fees", "converted"),
)

_MONEY = pa.decimal128(18, 4)
_FIELDS: list[pa.Field[Any]] = [
    pa.field("seller_id", pa.string(), nullable=False),
    pa.field("month", pa.date32(), nullable=False),
    pa.field("finding", pa.string(), nullable=False),
    pa.field("platform", pa.string()),
    pa.field("statement_id", pa.string()),
    pa.field("payout_id", pa.string()),
    pa.field("paid_on", pa.date32()),
    pa.field("amount", _MONEY),
    pa.field("currency", pa.string()),
    pa.field("usd", _MONEY),
    pa.field("bank_entry_id", pa.string()),
    pa.field("credited_on", pa.date32()),
    pa.field("credited_amount", _MONEY),
    pa.field("credited_usd", _MONEY),
    pa.field("agreement", pa.string()),
]
PAYOUT_MATCH_SCHEMA: Final = pa.schema(_FIELDS)
"""One row per payout, with its credit if there is one, and one per credit of a platform or wallet without a payout.

``month`` is the first day of the month of the payout, or of the credit if there is no payout.
"""

_PAIR_SCHEMA: Final = pa.schema([pa.field("payout_id", pa.string()), pa.field("bank_entry_id", pa.string())])


@dataclass(frozen=True)
class BankMatchSettings:
    """How payouts and credits are matched. Ours, except for the five days: no published figure was found.

    Attributes:
        latest_days: how many days after the payout the credit may come.
        earliest_days: how many days before it, because bank and platform count days in different zones.
        fee_share: largest share of the payout that fees may take, or that rounding may add.
        conversion_share: the same where the credit is in another currency, compared in US dollars.
        threads: threads of the embedded engine; None for all processors. They change no bit of the result.
    """

    latest_days: int = 5
    earliest_days: int = 1
    fee_share: float = 0.01
    conversion_share: float = 0.02
    threads: int | None = None


def payouts_in_bank(tables: Mapping[str, pa.Table], as_of: AsOf, settings: BankMatchSettings | None = None) -> pa.Table:
    """Match the payouts of all sellers with the credits of their bank accounts, from what was known as of the date.

    Args:
        tables: canonical tables by name; without ``bank_entry`` nothing is judged.
        as_of: the date and, when replaying, the instant of recording.
        settings: how payouts and credits are matched.

    Returns:
        A table of ``PAYOUT_MATCH_SCHEMA``, sorted by seller, month and finding.

    Raises:
        InputRefused: an amount is too large to sum exactly.
    """
    settings = settings or BankMatchSettings()
    present = [tables.get(name) for name in (ENTRIES, EVENTS, COVERAGE)]
    if any(table is None for table in present):
        return PAYOUT_MATCH_SCHEMA.empty_table()
    with DuckDbEngine(settings.threads) as engine:
        for name, table in zip((ENTRIES, EVENTS, COVERAGE), present, strict=True):
            if table is not None:
                engine.load(name, table)
        seen = as_of.condition()
        engine.load("payout", engine.query(_PAYOUTS.format(seen=seen)))
        engine.load("credit", engine.query(_CREDITS.format(seen=seen)))
        engine.load("named", engine.query(_NAMED))
        engine.load("candidate", engine.query(_CANDIDATES.format(**vars(settings))))
        engine.load("pair", _pairs(engine))
        parts = {"stretch": stretches_sql(nested(_PERIODS.format(seen=seen), "periods"), "seller_id")}
        parts |= {"found": _FOUND.format(as_of=date_literal(as_of.day), **vars(settings))}
        return engine.query(with_parts(parts, _RESULT)).cast(PAYOUT_MATCH_SCHEMA)


def _pairs(engine: DuckDbEngine) -> pa.Table:
    """Return the pairs: round by round those that are the best candidate of both sides, until none is left."""
    pairs = _PAIR_SCHEMA.empty_table()
    while True:
        engine.load("pair", pairs)
        found = engine.query(_MUTUAL_BEST).cast(_PAIR_SCHEMA)
        if not found.num_rows:
            return pairs
        pairs = pa.concat_tables([pairs, found])


# A statement may list its payout in several rows. The sign of money events is the seller's: a payout is negative.
# Sources spell a platform in lower or mixed case.
_PAYOUTS = """
SELECT seller_id, MIN(event_id) AS payout_id, CAST(platform AS VARCHAR) AS platform, MAX(statement_id) AS statement_id,
    event_date AS day, -SUM(amount) AS amount, CAST(currency AS VARCHAR) AS currency, -SUM(amount_usd) AS usd
FROM money_event WHERE {seen} AND event_type = 'payout' AND status <> 'estimated'
GROUP BY seller_id, platform, store_id, COALESCE(statement_id, event_id), event_date, currency
HAVING SUM(amount) < 0
"""

# One entry may be in the statements of two sources; the same entry again in one source is another entry.
_CREDITS = """
SELECT seller_id, MIN(bank_entry_id) AS bank_entry_id, MIN(platform) AS platform, MIN(kind) AS kind, day, amount,
    currency, MIN(usd) AS usd, MAX(reference) AS reference
FROM (
    SELECT seller_id, account_id, bank_entry_id, CAST(platform AS VARCHAR) AS platform,
        CAST(counterparty_kind AS VARCHAR) AS kind, event_date AS day, amount, CAST(currency AS VARCHAR) AS currency,
        amount_usd AS usd, reference, ROW_NUMBER() OVER (
            PARTITION BY seller_id, account_id, event_date, amount, currency, source ORDER BY bank_entry_id
        ) AS nth
    FROM bank_entry
    WHERE {seen} AND amount > 0 AND counterparty_kind IN ('platform_payout', 'wallet_payout')
)
GROUP BY seller_id, account_id, day, amount, currency, nth
"""

# A credit that names a settlement is the credit of no other one.
_NAMED = """
SELECT bank_entry_id, MIN(payout_id) AS payout_id
FROM credit JOIN payout ON payout.seller_id = credit.seller_id AND LENGTH(payout.statement_id) >= 6
    AND CONTAINS(credit.reference, payout.statement_id)
GROUP BY bank_entry_id
"""

# Fees make a credit smaller; one that is larger is the last choice.
_CANDIDATES = """
SELECT payout_id, bank_entry_id, agreement, off > 0 AS is_more, ABS(off) AS off, ABS(days) AS days FROM (
    SELECT payout.payout_id, credit.bank_entry_id, DATE_DIFF('day', payout.day, credit.day) AS days,
        CASE WHEN same_money THEN CAST(credit.amount - payout.amount AS DOUBLE) / CAST(payout.amount AS DOUBLE)
            ELSE CAST(credit.usd - payout.usd AS DOUBLE) / CAST(payout.usd AS DOUBLE) END AS off,
        CASE
            WHEN same_money AND ABS(off) <= {fee_share} AND is_named THEN 0
            WHEN same_money AND off = 0 AND same_platform THEN 1
            WHEN same_money AND off = 0 AND kind = 'wallet_payout' THEN 2
            WHEN same_money AND ABS(off) <= {fee_share} AND same_platform THEN 3
            WHEN same_money AND ABS(off) <= {fee_share} AND kind = 'wallet_payout' THEN 4
            WHEN NOT same_money AND ABS(off) <= {conversion_share} AND (same_platform OR kind = 'wallet_payout') THEN 5
        END AS agreement
    FROM (
        SELECT payout, credit, payout.currency = credit.currency AS same_money, credit.kind AS kind,
            LOWER(payout.platform) = LOWER(credit.platform) AS same_platform, named.payout_id IS NOT NULL AS is_named
        FROM payout JOIN credit ON payout.seller_id = credit.seller_id
            AND credit.day BETWEEN payout.day - {earliest_days} AND payout.day + {latest_days}
        LEFT JOIN named USING (bank_entry_id)
        WHERE payout.usd > 0 AND COALESCE(named.payout_id, payout.payout_id) = payout.payout_id
    )
)
WHERE agreement IS NOT NULL
"""

_MUTUAL_BEST = """
WITH open AS (
    SELECT * FROM candidate ANTI JOIN pair USING (payout_id) ANTI JOIN pair USING (bank_entry_id)
), ranked AS (
    SELECT payout_id, bank_entry_id,
        ROW_NUMBER() OVER (PARTITION BY payout_id ORDER BY agreement, is_more, off, days, bank_entry_id) AS of_payout,
        ROW_NUMBER() OVER (PARTITION BY bank_entry_id ORDER BY agreement, is_more, off, days, payout_id) AS of_credit
    FROM open
)
SELECT payout_id, bank_entry_id FROM ranked WHERE of_payout = 1 AND of_credit = 1 ORDER BY payout_id
"""

_PERIODS = """
SELECT seller_id, period_from, period_to FROM source_coverage WHERE covered_table = 'bank_entry' AND {seen}
"""

_FOUND = """
SELECT payout.seller_id, payout.platform, payout.statement_id, payout.payout_id, payout.day AS paid_on, payout.amount,
    payout.currency, payout.usd, credit.bank_entry_id, credit.day AS credited_on,
    credit.amount AS credited_amount, credit.usd AS credited_usd,
    candidate.agreement AS agreed,
    CASE WHEN credit.bank_entry_id IS NOT NULL THEN 'matched'
        WHEN payout.day + {latest_days} <= {as_of} AND EXISTS (
            SELECT 1 FROM stretch WHERE stretch.seller_id = payout.seller_id
                AND period_from <= payout.day - {earliest_days} AND period_to >= payout.day + {latest_days}
        ) THEN 'never_seen' ELSE 'not_judged' END AS finding
FROM payout LEFT JOIN pair USING (payout_id) LEFT JOIN candidate USING (payout_id, bank_entry_id)
    LEFT JOIN credit USING (bank_entry_id)
UNION ALL BY NAME
SELECT credit.seller_id, credit.platform, credit.bank_entry_id, credit.day AS credited_on,
    credit.amount AS credited_amount, credit.usd AS credited_usd,
    CASE WHEN credit.kind = 'platform_payout' AND declared.platform IS NULL THEN 'undeclared_platform'
        ELSE 'credit_without_payout' END AS finding
FROM credit ANTI JOIN pair USING (bank_entry_id)
    LEFT JOIN (SELECT DISTINCT seller_id, LOWER(platform) AS platform FROM payout) AS declared
        ON declared.seller_id = credit.seller_id AND declared.platform = LOWER(credit.platform)
"""

_RESULT = f"""
SELECT seller_id, CAST(DATE_TRUNC('month', COALESCE(paid_on, credited_on)) AS DATE) AS month, finding, platform,
    statement_id, payout_id, paid_on, CAST(amount AS DECIMAL(18, 4)) AS amount, currency,
    CAST(usd AS DECIMAL(18, 4)) AS usd, bank_entry_id, credited_on,
    CAST(credited_amount AS DECIMAL(18, 4)) AS credited_amount, CAST(credited_usd AS DECIMAL(18, 4)) AS credited_usd,
    {list(AGREEMENTS)}[agreed + 1] AS agreement
FROM found ORDER BY seller_id, month, finding, paid_on, payout_id, credited_on, bank_entry_id
"""  # noqa: S608 - put together from constants of this module
