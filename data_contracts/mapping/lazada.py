"""Reports of Lazada, old and new: a fee or sale per row, with tax withheld; a shop's name may end with the currency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.mapping.days.written_days import WrittenDays
from data_contracts.mapping.days_in_words import with_days_in_words
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import repeated_or, rows_delivered_before
from data_contracts.mapping.source_mapping import run_sql
from data_contracts.values.money_text import with_plain_amounts

if TYPE_CHECKING:
    from data_contracts.mapping.source_mapping import SourceMapping

_CODES = "MYR|SGD|PHP|THB|IDR|VND|PKR|BDT|LKR|NPR"
_CURRENCY = f"coalesce(money_code, nullif(regexp_extract(account, '-({_CODES})$', 1), ''))"

_ENTRIES = """
SELECT raw.*, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CASE WHEN part = 'estimate' THEN 'other' END AS event_type,
    CAST({kind} AS VARCHAR) AS kind,
    CASE part WHEN 'withheld' THEN 'withholding' ELSE CAST(fee_name AS VARCHAR) END AS purpose,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    order_number AS order_id, coalesce(stock_unit, platform_unit) AS sku,
    {kind} AS raw_type, fee_name AS raw_subtype, {currency} AS currency,
    statement AS statement_id, CAST(NULL AS TIMESTAMPTZ) AS event_at,
    coalesce(transacted_on, covered_to) AS event_date, {available_on} AS available_on,
    {status} AS status
FROM raw, LATERAL (
    SELECT unnest(['amount', 'withheld', 'estimate']) AS part,
        unnest([signed_amount, CASE WHEN lower(withheld_within) = 'no' AND signed_amount IS NOT NULL
            THEN -abs(withheld) END, {estimate}]) AS amount
)
WHERE amount <> 0
"""

_NO_CURRENCY = f"""
SELECT row_order, 'no currency stated; name it at the end of the shop: --account SHOP-MYR' AS reason,
    'money_code:known' AS rule_id
FROM raw WHERE {_CURRENCY} IS NULL
"""  # noqa: S608 - put together from constants of this module

_TOLD = "currency_told"
_TOLD_CURRENCY = f"""
SELECT coalesce(nullif(upper(trim(money_code)), ''), regexp_extract(account, '-({_CODES})$', 1), '') AS currency
FROM text_rows ORDER BY row_order
"""  # noqa: S608 - put together from constants of this module


@dataclass(frozen=True)
class LazadaReport:
    """A form of the report.

    Attributes:
        source: name of the source.
        days: columns with days, which may be in words.
        changing: columns that may differ when a row is delivered again.
        is_final: SQL condition on a row in its last state; of one in several states, the last is kept.
        kind, status, available_on: SQL expressions over a row and its ``part``.
        estimated: column of amounts that are only estimated, or None.
        remarked: query over raw rows for remarks (``row_order``, ``reason``) beside those on kinds, or None.
    """

    source: str
    days: tuple[str, ...]
    changing: tuple[str, ...]
    is_final: str
    kind: str
    status: str
    available_on: str = "CAST(NULL AS DATE)"
    estimated: str | None = None
    remarked: str | None = None

    def prepare(self, text_rows: pa.Table) -> pa.Table:
        """Return the text rows with days in ISO form and amounts without grouping."""
        rows = with_days_in_words(text_rows, self.days)
        amounts = ("signed_amount", "vat_part", "withheld", *([self.estimated] if self.estimated else []))
        # A currency also tells the decimal mark: 100.000 rupiah are no 100.
        rows = rows.append_column(_TOLD, run_sql(_TOLD_CURRENCY, text_rows=text_rows)["currency"])
        return with_plain_amounts(rows, amounts, _TOLD).drop_columns(_TOLD)

    def screen(self, raw: pa.Table) -> pa.Table:
        """Return the rows delivered before, and those without a currency."""
        repeated = rows_delivered_before(raw, self.source, ignoring=self.changing, waits=f"NOT {self.is_final}")
        return repeated_or(repeated, run_sql(_NO_CURRENCY, raw=raw))

    def mapping(self) -> SourceMapping:
        """Return the mapping of the source."""
        entries = _ENTRIES.format(
            kind=self.kind, status=self.status, available_on=self.available_on, currency=_CURRENCY,
            estimate=self.estimated or "NULL",
        )  # fmt: skip
        mapping = MoneyEventSource(
            source=self.source,
            platform="Lazada",
            entries=entries,
            kinds=("kind", "purpose", "direction"),
            silent_reason="'row without an amount'",
            screen=self.screen,
            prepare=self.prepare,
            days=WrittenDays(columns=self.days),
            happened="transacted_on",
        ).mapping()
        query = self.remarked
        if query is None:
            return mapping

        def remarks(raw: pa.Table) -> pa.Table:
            found = [mapping.remarks(raw), run_sql(query, raw=raw)]
            return pa.concat_tables([one for one in found if one is not None], promote_options="permissive")

        return replace(mapping, remarks=remarks)
