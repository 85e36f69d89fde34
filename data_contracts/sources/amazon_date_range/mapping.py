"""Map Amazon's date-range reports to ``money_event``, one row for each non-zero amount of a transaction."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.definition.contract import CompiledContract, ReadSpec
from data_contracts.lineage import ROW_ORDER, ReadResult, concat_quarantine
from data_contracts.mapping.event_types import event_type_rules, event_types, money_event_table, unknown_kinds
from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql
from data_contracts.sources.amazon_date_range.moments import iso_moment
from data_contracts.values.casting import cast_columns

if TYPE_CHECKING:
    from data_contracts.arrow import Values

AMOUNT_COLUMNS = (
    *("product_sales", "product_sales_tax", "shipping_credits", "shipping_credits_tax", "gift_wrap_credits"),
    *("gift_wrap_credits_tax", "regulatory_fee", "regulatory_fee_tax", "promotional_rebates"),
    *("promotional_rebates_tax", "amazon_points", "marketplace_withheld_tax", "selling_fees", "fba_fees"),
    *("other_transaction_fees", "other_amount"),
)
_MOMENTS = ("posted_at", "released_at")
_KIND = ("type", "part", "description")

# A row without a marketplace, such as a transfer, has the currency of its file. The product is not part of the kind.
_PLACED = """
SELECT raw.*, coalesce(kinds.english, CAST(transaction_type AS VARCHAR)) AS type,
    CASE WHEN lower(coalesce(kinds.english, transaction_type)) = 'service fee' THEN coalesce(what, '') ELSE '' END
        AS description,
    coalesce(currencies.currency, CASE WHEN marketplace_name IS NULL AND lowest = highest THEN lowest END) AS currency
FROM (
    SELECT raw.*, min(known.currency) OVER (PARTITION BY file_order) AS lowest,
        max(known.currency) OVER (PARTITION BY file_order) AS highest
    FROM raw LEFT JOIN currencies AS known ON lower(marketplace_name) = known.name
) AS raw
LEFT JOIN currencies ON lower(marketplace_name) = currencies.name
LEFT JOIN kinds ON lower(transaction_type) = lower(kinds.name)
"""

_AMOUNTS = f"""
SELECT * FROM raw UNPIVOT (amount FOR part IN ({", ".join(AMOUNT_COLUMNS)})) WHERE amount <> 0
"""  # noqa: S608 - the columns named above

_EVENTS = """
SELECT
    'amazon-range:' || coalesce(account, delivered_for) || ':' || left(source_sha256, 16) || ':' || source_row || ':'
        || part AS event_id,
    delivered_for AS seller_id,
    'amazon' AS platform,
    account AS store_id,
    lower(marketplace_name) AS marketplace,
    settlement_number AS statement_id,
    amazon_order AS order_id,
    stock_unit AS sku,
    CASE WHEN part = 'product_sales' AND event_type IN ('refund', 'chargeback') THEN -abs(purchased)
        WHEN part = 'product_sales' THEN purchased END AS quantity,
    event_type,
    transaction_type AS raw_type,
    part AS raw_subtype,
    amount,
    currency,
    posted_at AS event_at,
    CAST(released_at AS DATE) AS available_on,
    CASE event_type WHEN 'payout' THEN CAST(posted_at AS DATE) END AS paid_out_on,
    CASE WHEN event_type = 'payout' THEN 'paid' WHEN lower(release_state) = 'deferred' THEN 'deferred'
        ELSE 'released' END AS status,
    CAST(posted_at AS DATE) AS event_date,
    posted_at + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM amounts JOIN event_types USING (type, part, description)
ORDER BY row_order, part
"""

_NO_CURRENCY = """
SELECT row_order, 'the marketplace tells no currency' AS reason, 'marketplace_name:known' AS rule_id
FROM placed WHERE currency IS NULL
"""


@functools.cache
def languages() -> dict[str, Any]:
    """Return the settings that differ by language and marketplace, from ``languages.toml``."""
    return tomllib.loads(resources.files(__package__).joinpath("languages.toml").read_text(encoding="utf-8"))


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with timestamps in ISO form and amounts without currency sign and with a plain minus.

    Text in an unknown form stays unchanged, so that casting sets it aside.
    """
    for name in _MOMENTS:
        text_rows = with_column(text_rows, name, _iso_moments(text_rows[name]))
    for name in (*AMOUNT_COLUMNS, "row_total"):
        plain = pc.replace_substring(text_rows[name], "\u2212", "-")
        text_rows = with_column(text_rows, name, pc.replace_substring_regex(plain, "[$€£¥￥]", ""))
    return text_rows


def _iso_moments(values: Values) -> Values:
    encoded = values.combine_chunks().dictionary_encode()
    written = encoded.dictionary.to_pylist()
    moments = [iso_moment(text, languages()["months"]) or text for text in written]
    return pa.array(moments, pa.string()).take(encoded.indices)


def cast(result: ReadResult, contract: CompiledContract) -> ReadResult:
    """Cast the text rows, each file with the number format of its header language, never cell by cell."""
    spec = contract.read_spec or ReadSpec("delimited")
    written: Values = result.rows["report_language"]
    parts = []
    for language in sorted({"en-US", *written.unique().to_pylist()}):
        decimal, thousands = languages()["numbers"].get(language, (".", ","))
        own = dataclasses.replace(spec, decimal_mark=decimal, thousands_mark=thousands)
        chosen = dataclasses.replace(result, rows=result.rows.filter(pc.equal(written, language)))
        parts.append(cast_columns(chosen, dataclasses.replace(contract, read_spec=own)))
    rows = pa.concat_tables([part.rows for part in parts]).unify_dictionaries().sort_by(ROW_ORDER)
    return dataclasses.replace(result, rows=rows, quarantined=concat_quarantine([part.quarantined for part in parts]))


def screen(raw: pa.Table) -> pa.Table:
    """Return the rows delivered before, deferred rows of transactions released since, and rows without a currency."""
    repeated = rows_delivered_before(
        raw,
        "amazon_date_range",
        ignoring=("release_state", "released_at"),
        first="lower(release_state) = 'deferred' NULLS FIRST, file_order",
    )
    unclear = run_sql(_NO_CURRENCY, placed=_placed(raw))
    return run_sql("SELECT * FROM repeated UNION ALL SELECT * FROM unclear", repeated=repeated, unclear=unclear)


def silent(raw: pa.Table) -> pa.Table:
    """Return the transactions without an amount."""
    amounts = run_sql(_AMOUNTS, raw=raw)
    return run_sql(
        "SELECT row_order, 'transaction without an amount' AS reason FROM raw ANTI JOIN amounts USING (row_order)",
        raw=raw,
        amounts=amounts,
    )


def remarks(raw: pa.Table) -> pa.Table:
    """Return the amounts whose kind matches no rule; they count as ``other``."""
    amounts = run_sql(_AMOUNTS, raw=_placed(raw))
    unknown = unknown_kinds(amounts, _KIND, event_type_rules(__package__))
    return run_sql("SELECT DISTINCT row_order, reason FROM unknown ORDER BY row_order", unknown=unknown)


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``money_event``, one row for each non-zero amount."""
    amounts = run_sql(_AMOUNTS, raw=_placed(raw))
    types = event_types(amounts, _KIND, event_type_rules(__package__))
    mapped = run_sql(_EVENTS, context.parameters, amounts=amounts, event_types=types)
    return money_event_table(mapped, context)


def _placed(raw: pa.Table) -> pa.Table:
    currencies, kinds = languages()["currencies"], languages()["kinds"]
    return run_sql(
        _PLACED,
        raw=raw,
        currencies=pa.table({"name": list(currencies), "currency": list(currencies.values())}),
        kinds=pa.table({"name": list(kinds), "english": list(kinds.values())}),
    )


MAPPING = SourceMapping(
    source="amazon_date_range",
    covered_tables=("money_event",),
    to_canonical=to_canonical,
    prepare=prepare,
    cast=cast,
    happened="posted_at",
    screen=screen,
    remarks=remarks,
    silent=silent,
    unfolds=True,
)
