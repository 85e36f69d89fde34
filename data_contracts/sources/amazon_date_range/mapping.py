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
from data_contracts.definition.compiler import source_contract
from data_contracts.definition.contract import CompiledContract, ReadSpec
from data_contracts.lineage import ROW_ORDER, ReadResult, concat_quarantine
from data_contracts.mapping.amazon.marketplaces import currencies
from data_contracts.mapping.event_types import event_type_rules, event_types, money_event_table, unknown_kinds
from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql
from data_contracts.reading.doubts import doubt
from data_contracts.sources.amazon_date_range.moments import iso_moment
from data_contracts.values.casting import cast_columns

if TYPE_CHECKING:
    from data_contracts.arrow import Values

AMOUNT_COLUMNS = (
    *("product_sales", "product_sales_tax", "shipping_credits", "shipping_credits_tax", "gift_wrap_credits"),
    *("gift_wrap_credits_tax", "regulatory_fee", "regulatory_fee_tax", "promotional_rebates"),
    *("promotional_rebates_tax", "amazon_points", "marketplace_withheld_tax", "sales_tax_liable", "tcs_cgst"),
    *("tcs_sgst", "tcs_igst", "tds_withheld", "selling_fees", "fba_fees", "other_transaction_fees", "other_amount"),
)
_MOMENTS = ("posted_at", "released_at")
_KIND = ("type", "part", "description")
# Indian grouping, such as 1,44,957.78; no other language has groups of two digits.
_INDIAN_NUMBER = r"^-?\d{1,2}(,\d{2})+,\d{3}(\.\d+)?$"

_KNOWN = """
SELECT raw.*, currencies.currency AS own,
    coalesce(kinds.english, CAST(transaction_type AS VARCHAR)) AS english,
    coalesce(regexp_matches(amazon_order, '^S[0-9]{2}-')
        OR regexp_matches(lower(marketplace_name), '[.]stores[.]amazon[.]|^non-amazon|^si .* prod marketplace'), false)
        AS is_other_channel
FROM raw
LEFT JOIN currencies ON lower(marketplace_name) = currencies.name
LEFT JOIN kinds ON lower(transaction_type) = lower(kinds.name)
"""

# Without a status, money is released, unless the file has release dates and none in the row.
# A row that names no marketplace, or another sales channel, has the currency of the other rows of its settlement, else
# of its file, else the one stated above the header, else that of the account. A marketplace of Amazon that is not known
# has only the stated one. The description is part of the kind where it says what the amount is, not what was sold.
_PLACED = """
WITH spread AS (
    SELECT *,
        if(min(own) OVER settlement = max(own) OVER settlement, min(own) OVER settlement, NULL) AS by_settlement,
        if(min(own) OVER file = max(own) OVER file, min(own) OVER file, NULL) AS by_file,
        if(min(own) OVER shop = max(own) OVER shop, min(own) OVER shop, NULL) AS by_account,
        report_kind IS NOT NULL OR (released_at IS NULL AND count(released_at) OVER file > 0) AS may_wait
    FROM known
    WINDOW settlement AS (PARTITION BY file_order, settlement_number), file AS (PARTITION BY file_order),
        shop AS (PARTITION BY delivered_for, "account")
)
SELECT * EXCLUDE (own, english, by_settlement, by_file, by_account, may_wait),
    CASE WHEN is_other_channel AND lower(english) IN ('order', 'refund') THEN english || ' of another channel'
        ELSE english END AS type,
    CASE WHEN lower(english) IN ('service fee', 'amazon fees') THEN coalesce(what, '')
        WHEN lower(english) NOT IN ('order', 'refund') AND regexp_matches(lower(what), $debt_words) THEN what
        ELSE '' END AS description,
    CASE WHEN own IS NOT NULL THEN own
        WHEN marketplace_name IS NULL OR is_other_channel
            THEN coalesce(by_settlement, by_file, stated_currency, by_account)
        ELSE stated_currency END AS currency,
    CASE WHEN release_state IS NULL THEN if(may_wait, 'deferred', 'released')
        WHEN states.meaning IS NOT NULL THEN states.meaning
        WHEN released_at IS NULL THEN 'deferred' ELSE 'released' END AS state
FROM spread LEFT JOIN states ON lower(trim(release_state)) = states.name
"""
_DEBT_WORDS = (
    "payable to amazon|successful charge|debt adjustment|unsuccessful|(^| )loan|lending|(cash|capital) advance"
    "|working capital|repayment"
    # Loans in the languages of the reports; Kreditkarte and kredi kartı are cards.
    "|darlehen|kredit([^k]|$)|(^| )prêt( |s|$)|avance de trésorerie|préstamo|prestito|finanziamento|empréstimo"
    "|(^| )lening|pożyczk|kredyt|(^| )lån|(^| )kredi( [^k]|$)|ローン|融資|貸付"
)

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
    CASE WHEN event_type = 'advance' AND amount < 0 THEN 'advance_repayment' ELSE event_type END AS event_type,
    transaction_type AS raw_type,
    part AS raw_subtype,
    amount,
    currency,
    posted_at AS event_at,
    CAST(released_at AS DATE) AS available_on,
    CASE event_type WHEN 'payout' THEN CAST(posted_at AS DATE) END AS paid_out_on,
    CASE WHEN event_type = 'payout' THEN 'paid' ELSE state END AS status,
    CAST(posted_at AS DATE) AS event_date,
    posted_at + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM amounts JOIN event_types USING (type, part, description)
ORDER BY row_order, part
"""

# What a transaction gets when it is released, and what the file says about itself.
_OF_THE_RELEASE = (
    "release_state",
    "released_at",
    "settlement_number",
    "report_language",
    "stated_currency",
    "report_kind",
)
# A transaction may be shown both deferred and released, and an order also with the day of its release as its own.
_RELEASED_SINCE = """
WITH numbered AS (
    SELECT *, row_number() OVER (
        PARTITION BY delivered_for, {content}, same_day, state = 'deferred' ORDER BY row_order
    ) AS nth
    FROM (SELECT *, CASE WHEN amazon_order IS NULL THEN concat(file_order, posted_at) END AS same_day FROM placed)
    ANTI JOIN repeated USING (row_order)
)
SELECT row_order FROM (
    SELECT row_order, state, posted_at, max(CASE WHEN state <> 'deferred' THEN posted_at END) OVER (
        PARTITION BY delivered_for, {content}, same_day, nth
    ) AS freed_at
    FROM numbered
)
WHERE state = 'deferred' AND freed_at >= posted_at
"""
_OBJECTIONS = """
SELECT row_order, reason, rule_id FROM repeated
UNION SELECT row_order, 'repeated row', NULL FROM released
UNION SELECT row_order, 'neither the marketplace nor the file tells the currency', 'marketplace_name:known'
    FROM placed WHERE currency IS NULL
ORDER BY row_order
"""

_REMARKS = f"""
SELECT DISTINCT row_order, reason FROM unknown
UNION SELECT row_order, 'status of unknown meaning, read as ' || state || ': ' || release_state FROM placed
    WHERE lower(trim(release_state)) NOT IN (SELECT name FROM states)
UNION SELECT row_order, 'neither status nor release date, read as deferred' FROM placed
    WHERE release_state IS NULL AND report_kind IS NULL AND state = 'deferred' AND lower(type) <> 'transfer'
UNION SELECT row_order, '{doubt("the file states another currency than that of the marketplace")}' FROM placed
    WHERE currency <> stated_currency
ORDER BY row_order, reason
"""  # noqa: S608 - put together from constants


@functools.cache
def languages() -> dict[str, Any]:
    """Return the settings that differ by language, from ``languages.toml``."""
    return tomllib.loads(resources.files(__package__).joinpath("languages.toml").read_text(encoding="utf-8"))


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with timestamps in ISO form and amounts without currency sign and with a plain minus.

    Text in an unknown form stays unchanged, so that casting sets it aside.
    """
    indian = _files_of_india(text_rows)
    for name in _MOMENTS:
        text_rows = with_column(text_rows, name, _iso_moments(_with_indian_zone(text_rows[name], indian)))
    for name in (*AMOUNT_COLUMNS, "row_total"):
        text_rows = with_column(text_rows, name, _plain_amounts(text_rows[name]))
    return text_rows


def _plain_amounts(values: Values) -> Values:
    plain = pc.replace_substring(values, "\u2212", "-")
    plain = pc.utf8_trim_whitespace(pc.replace_substring_regex(plain, r"R\$|\b(kr|TL)\b|zł|[$€£¥￥₹₺]", ""))
    grouped = pc.match_substring_regex(plain, _INDIAN_NUMBER)
    return pc.if_else(grouped, pc.replace_substring(plain, ",", ""), plain)


def _files_of_india(text_rows: pa.Table) -> Values:
    """Return, for each row, whether its file has rows of amazon.in, whose time zone IST is that of India."""
    indian: Values = pc.equal(
        pc.utf8_lower(pc.utf8_trim_whitespace(text_rows["marketplace_name"])), pa.scalar("amazon.in")
    )
    return pc.is_in(text_rows["file_order"], value_set=text_rows["file_order"].filter(indian).combine_chunks())


def _with_indian_zone(values: Values, indian: Values) -> Values:
    return pc.if_else(indian, pc.replace_substring_regex(values, r"\bIST$", "+05:30"), values)


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
    """Return the rows delivered before, deferred rows of transactions released since, and rows without a currency.

    A transaction gets its settlement number when it is released, so the number is not compared.
    """
    placed = _placed(raw)
    repeated = rows_delivered_before(placed, "amazon_date_range", ignoring=_OF_THE_RELEASE, waits="state = 'deferred'")
    names = [column.name for column in source_contract("amazon_date_range").columns]
    content = ", ".join(f'"{name}"' for name in names if name not in {*_OF_THE_RELEASE, "posted_at"})
    released = run_sql(_RELEASED_SINCE.format(content=content), placed=placed, repeated=repeated)
    return run_sql(_OBJECTIONS, repeated=repeated, released=released, placed=placed)


def silent(raw: pa.Table) -> pa.Table:
    """Return the transactions without an amount."""
    amounts = run_sql(_AMOUNTS, raw=raw)
    return run_sql(
        "SELECT row_order, 'transaction without an amount' AS reason FROM raw ANTI JOIN amounts USING (row_order)",
        raw=raw,
        amounts=amounts,
    )


def remarks(raw: pa.Table) -> pa.Table:
    """Return amounts of unknown kind, which count as ``other``, unknown states and contradicting currencies."""
    placed = _placed(raw)
    unknown = unknown_kinds(run_sql(_AMOUNTS, raw=placed), _KIND, event_type_rules(__package__))
    return run_sql(_REMARKS, unknown=unknown, placed=placed, states=_setting("states", "meaning"))


def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
    """Map raw rows to ``money_event``, one row for each non-zero amount."""
    amounts = run_sql(_AMOUNTS, raw=_placed(raw))
    types = event_types(amounts, _KIND, event_type_rules(__package__))
    mapped = run_sql(_EVENTS, context.parameters, amounts=amounts, event_types=types)
    return money_event_table(mapped, context)


def _placed(raw: pa.Table) -> pa.Table:
    known = run_sql(_KNOWN, raw=raw, currencies=currencies(), kinds=_setting("kinds", "english"))
    return run_sql(_PLACED, {"debt_words": _DEBT_WORDS}, known=known, states=_setting("states", "meaning"))


def _setting(section: str, column: str) -> pa.Table:
    values = languages()[section]
    return pa.table({"name": pa.array([*values], pa.string()), column: pa.array([*values.values()], pa.string())})


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
