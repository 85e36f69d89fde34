"""The chain of export documents: order, receipt, waybill, list of goods, summary list and declaration.

Customs asks three parties for the documents of one parcel. Their numbers join them: receipt and list name the order,
the list names the waybill, the summary names list and declaration. Whoever invents exports has to invent all of them
consistently. A document that joins nothing, joins twice, or differs in value, weight or order of days is a break: a
question to ask, not a proof.

A document is reported missing only where the source that would contain it was delivered for the days around it. No
delivery means unknown, never absent.
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

DOCUMENTS: Final = "export_document"
DECLARATIONS: Final = "export_declaration"
COVERAGE: Final = "source_coverage"
TEMPLATE: Final = "template_export_document"
KIND_OF_SOURCE: Final = {
    "ceb_order": "order",
    "ceb_receipt": "receipt",
    "ceb_waybill": "waybill",
    "ceb_list": "list",
    "ceb_summary": "summary",
}

_MONEY = pa.decimal128(18, 4)
_FIELDS: list[pa.Field[Any]] = [
    pa.field("seller_id", pa.string(), nullable=False),
    pa.field("break_kind", pa.string(), nullable=False),
    pa.field("document_kind", pa.string(), nullable=False),
    pa.field("document_number", pa.string(), nullable=False),
    pa.field("event_date", pa.date32(), nullable=False),
    pa.field("other_kind", pa.string(), nullable=False),
    pa.field("other_number", pa.string()),
    pa.field("usd", _MONEY),
    pa.field("other_usd", _MONEY),
    pa.field("days", pa.int32()),
    pa.field("documents", pa.int32(), nullable=False),
]
BREAK_SCHEMA: Final = pa.schema(_FIELDS)
"""One row per break: the document that shows it and the one it was compared with, the value of both in US dollars, how
many days the first is later than the second, and how many documents are involved.
"""


@dataclass(frozen=True)
class Relation:
    """A document that must have a partner.

    Attributes:
        name: name of the break if it has none.
        kind: kind of the document.
        partner: kind of the partner.
        key: column in which both are equal.
        days_before, days_after: days around the document in which to look for the partner. The partner is missing only
            if its source was delivered for all of them. Ours.
        only: SQL condition on the document ``d``.
    """

    name: str
    kind: str
    partner: str
    key: str
    days_before: int
    days_after: int
    only: str = "true"


@dataclass(frozen=True)
class Repetition:
    """A document that may be used once: ``counted`` must be one for equal ``keys``, over all sellers."""

    name: str
    kind: str
    keys: str
    counted: str
    only: str = "true"


# Goods go to an overseas warehouse (9810) before anybody buys them, so their chain does not begin with an order.
_SOLD_FIRST = "coalesce(d.supervision_mode, '') <> '9810'"
RELATIONS: Final = (
    Relation("receipt_without_order", "receipt", "order", "order_number", 90, 0),
    Relation("order_without_receipt", "order", "receipt", "order_number", 0, 90),
    Relation("order_without_list", "order", "list", "order_number", 0, 60),
    Relation("list_without_order", "list", "order", "order_number", 90, 0, _SOLD_FIRST),
    Relation("list_without_waybill", "list", "waybill", "waybill_number", 60, 30),
    Relation("waybill_without_list", "waybill", "list", "waybill_number", 30, 60),
    Relation("list_without_summary", "list", "summary", "list_number", 0, 60, "d.is_summed_later"),
    Relation("summary_without_list", "summary", "list", "list_number", 120, 0),
    Relation("summary_without_declaration", "summary", "declaration", "declaration_id", 60, 60),
)
REPETITIONS: Final = (
    Repetition("waybill_used_twice", "list", "carrier_code, waybill_number", "export_document_id"),
    Repetition("payment_used_twice", "receipt", "document_number", "order_number", "document_number <> order_number"),
    Repetition("list_summed_twice", "summary", "list_number", "declaration_id"),
    Repetition("order_of_two_sellers", "order", "platform_code, order_number", "seller_id"),
)
DIFFERENCES: Final = (
    *("list_value_differs", "receipt_differs", "declaration_differs", "weight_differs"),
    *("shipped_before_sale", "paid_before_order", "waybill_after_export", "listed_after_declaration"),
)
BREAKS: Final = (*(one.name for one in (*RELATIONS, *REPETITIONS)), *DIFFERENCES)
"""Every kind of break, in reporting order."""


@dataclass(frozen=True)
class ChainSettings:
    """How far documents may differ before it is a break. Ours: no published figure was found.

    Attributes:
        tolerance_share: share of the larger of two values; doubled when their currencies differ.
        tolerance_amount: in the currency of the values, on top.
        weight_tolerance_share, weight_tolerance_kg: share of the larger of two weights, and kilograms on top.
        slack_days: how many days documents may be in the wrong order.
        threads: threads of the embedded engine; None for all processors. They change no bit of the result.
    """

    tolerance_share: float = 0.02
    tolerance_amount: float = 1.0
    weight_tolerance_share: float = 0.2
    weight_tolerance_kg: float = 0.1
    slack_days: int = 3
    threads: int | None = None


def document_breaks(tables: Mapping[str, pa.Table], as_of: AsOf, settings: ChainSettings | None = None) -> pa.Table:
    """Find the breaks in the documents of all sellers, from what was known as of the date.

    Args:
        tables: canonical tables by name; without ``export_document`` there are no breaks.
        as_of: the date and, when replaying, the instant of recording.
        settings: how far documents may differ.

    Returns:
        A table of ``BREAK_SCHEMA``, sorted by seller, kind of break and document.

    Raises:
        InputRefused: an amount is too large to sum exactly.
    """
    settings = settings or ChainSettings()
    documents, declarations, coverage = (tables.get(name) for name in (DOCUMENTS, DECLARATIONS, COVERAGE))
    if documents is None or documents.num_rows == 0:
        return BREAK_SCHEMA.empty_table()
    has_coverage = coverage is not None
    with DuckDbEngine(settings.threads) as engine:
        engine.load(DOCUMENTS, documents)
        if declarations is not None:
            engine.load(DECLARATIONS, declarations)
        if coverage is not None:
            engine.load(COVERAGE, coverage)
        query = breaks_sql(as_of, settings, has_declarations=declarations is not None, has_coverage=has_coverage)
        return engine.query(query).cast(BREAK_SCHEMA)


def breaks_sql(as_of: AsOf, settings: ChainSettings, *, has_declarations: bool, has_coverage: bool) -> str:
    """Return the query over ``export_document`` and, if present, ``export_declaration`` and the coverage."""
    seen = as_of.condition()
    held = _HELD.format(seen=seen)
    if has_declarations:
        held = f"{held}\nUNION ALL BY NAME\n{_DECLARED.format(seen=seen)}"
    parts = {"held": held, "document": "SELECT * FROM held WHERE NOT is_withdrawn"}
    found = [_REPEATED.format(**vars(one)) for one in REPETITIONS]
    if has_coverage:
        parts["stretch"] = _stretches(seen)
        found += [_MISSING.format(**vars(one), as_of=date_literal(as_of.day)) for one in RELATIONS]
    found += [text.format(**vars(settings)) for text in _COMPARISONS]
    parts["found"] = "\nUNION ALL BY NAME\n".join(found)
    return with_parts(parts, _BREAKS)


def _stretches(seen: str) -> str:
    sources = ", ".join(f"('{source}', '{kind}')" for source, kind in KIND_OF_SOURCE.items())
    periods = _PERIODS.format(seen=seen, sources=sources, template=TEMPLATE)
    return stretches_sql(nested(periods, "periods"), "seller_id, document_kind")


_HELD = """
SELECT export_document_id, seller_id, CAST(document_kind AS VARCHAR) AS document_kind, document_number, order_number,
    waybill_number, list_number, declaration_id, platform_code, carrier_code,
    CAST(supervision_mode AS VARCHAR) AS supervision_mode, is_summed_later, is_withdrawn, amount,
    CAST(currency AS VARCHAR) AS currency, amount_usd, freight_amount, gross_weight_kg, event_date,
    CAST(source AS VARCHAR) AS source
FROM export_document WHERE {seen}
"""

_DECLARED = """
SELECT declaration_id AS export_document_id, seller_id, 'declaration' AS document_kind,
    declaration_id AS document_number, declaration_id, false AS is_withdrawn, SUM(declared_amount) AS amount,
    CASE WHEN COUNT(DISTINCT currency) = 1 THEN MIN(CAST(currency AS VARCHAR)) END AS currency,
    SUM(declared_amount_usd) AS amount_usd, MIN(event_date) AS event_date
FROM export_declaration WHERE {seen} GROUP BY seller_id, declaration_id
"""

# A file in our own template covers only the kinds of documents that its seller delivered in it.
_PERIODS = """
SELECT seller_id, kind AS document_kind, period_from, period_to
FROM source_coverage JOIN (VALUES {sources}) AS sources(name, kind) ON CAST(delivered_source AS VARCHAR) = name
WHERE covered_table = 'export_document' AND {seen}
UNION ALL
SELECT seller_id, kind, period_from, period_to
FROM source_coverage JOIN (
    SELECT DISTINCT seller_id, document_kind AS kind FROM held WHERE starts_with(source, '{template}@')
) AS given USING (seller_id)
WHERE CAST(delivered_source AS VARCHAR) = '{template}' AND {seen}
UNION ALL
SELECT seller_id, 'declaration', period_from, period_to
FROM source_coverage WHERE covered_table = 'export_declaration' AND {seen}
"""

_MISSING = """
SELECT d.seller_id, '{name}' AS break_kind, d.document_kind, d.document_number, d.event_date,
    '{partner}' AS other_kind, d.{key} AS other_number, d.amount_usd AS usd, 1 AS documents
FROM document AS d
WHERE d.document_kind = '{kind}' AND d.{key} IS NOT NULL AND ({only})
    AND d.event_date + {days_after} <= {as_of}
    AND EXISTS (
        SELECT 1 FROM stretch WHERE stretch.seller_id = d.seller_id AND stretch.document_kind = '{partner}'
            AND period_from <= d.event_date - {days_before} AND period_to >= d.event_date + {days_after}
    )
    AND NOT EXISTS (
        SELECT 1 FROM held
        WHERE held.seller_id = d.seller_id AND held.document_kind = '{partner}' AND held.{key} = d.{key}
    )
"""

_REPEATED = """
SELECT seller_id, '{name}' AS break_kind, document_kind, document_number, event_date, document_kind AS other_kind,
    CAST(NULL AS VARCHAR) AS other_number, amount_usd AS usd, uses AS documents
FROM (
    SELECT *, COUNT(DISTINCT {counted}) OVER (PARTITION BY {keys}) AS uses
    FROM document WHERE document_kind = '{kind}' AND ({only})
) WHERE uses > 1
"""

# Values are compared in their own currency if it is the same, else in US dollars with twice the tolerance.
_LIST_VALUE = """
SELECT d.seller_id, 'list_value_differs' AS break_kind, d.document_kind, d.document_number, d.event_date,
    'list' AS other_kind, lists.first_number AS other_number, d.amount_usd AS usd, lists.usd AS other_usd,
    1 + lists.documents AS documents
FROM document AS d JOIN (
    SELECT seller_id, order_number, SUM(amount) AS amount, SUM(amount_usd) AS usd, COUNT(*) AS documents,
        MIN(document_number) AS first_number, CASE WHEN COUNT(DISTINCT currency) = 1 THEN MIN(currency) END AS currency
    FROM document WHERE document_kind = 'list' GROUP BY ALL
) AS lists USING (seller_id, order_number)
WHERE d.document_kind = 'order' AND CASE WHEN lists.currency = d.currency
    THEN ABS(d.amount - lists.amount) > {tolerance_share} * GREATEST(d.amount, lists.amount) + {tolerance_amount}
    ELSE ABS(d.amount_usd - lists.usd) > 2 * {tolerance_share} * GREATEST(d.amount_usd, lists.usd) + {tolerance_amount}
    END
"""

# A buyer pays for the goods, or for the goods and their freight.
_RECEIPT = """
SELECT d.seller_id, 'receipt_differs' AS break_kind, d.document_kind, d.document_number, d.event_date,
    'receipt' AS other_kind, paid.first_number AS other_number, d.amount_usd AS usd, paid.usd AS other_usd,
    1 + paid.documents AS documents
FROM document AS d JOIN (
    SELECT seller_id, order_number, SUM(amount) AS amount, SUM(amount_usd) AS usd, COUNT(*) AS documents,
        MIN(document_number) AS first_number, CASE WHEN COUNT(DISTINCT currency) = 1 THEN MIN(currency) END AS currency
    FROM document WHERE document_kind = 'receipt' GROUP BY ALL
) AS paid USING (seller_id, order_number)
WHERE d.document_kind = 'order' AND paid.currency = d.currency AND (
    paid.amount < d.amount * (1 - {tolerance_share}) - {tolerance_amount}
    OR paid.amount > (d.amount + COALESCE(d.freight_amount, 0)) * (1 + {tolerance_share}) + {tolerance_amount}
)
"""

# Comparable only when every list named in the customs response was delivered.
_DECLARATION = """
SELECT d.seller_id, 'declaration_differs' AS break_kind, d.document_kind, d.document_number, d.event_date,
    'list' AS other_kind, summed.first_number AS other_number, d.amount_usd AS usd, summed.usd AS other_usd,
    1 + summed.documents AS documents
FROM document AS d JOIN (
    SELECT s.seller_id, s.declaration_id, SUM(l.amount_usd) AS usd, COUNT(*) AS documents,
        MIN(l.document_number) AS first_number
    FROM (
        SELECT DISTINCT seller_id, declaration_id, list_number FROM document WHERE document_kind = 'summary'
    ) AS s LEFT JOIN (SELECT * FROM document WHERE document_kind = 'list') AS l USING (seller_id, list_number)
    GROUP BY ALL HAVING COUNT(*) = COUNT(l.amount_usd)
) AS summed USING (seller_id, declaration_id)
WHERE d.document_kind = 'declaration'
    AND ABS(d.amount_usd - summed.usd) > 2 * {tolerance_share} * GREATEST(d.amount_usd, summed.usd) + {tolerance_amount}
"""

_WEIGHT = """
SELECT d.seller_id, 'weight_differs' AS break_kind, d.document_kind, d.document_number, d.event_date,
    'waybill' AS other_kind, w.document_number AS other_number, d.amount_usd AS usd, 2 AS documents
FROM document AS d JOIN (SELECT * FROM document WHERE document_kind = 'waybill') AS w USING (seller_id, waybill_number)
WHERE d.document_kind = 'list' AND ABS(d.gross_weight_kg - w.gross_weight_kg)
    > {weight_tolerance_share} * GREATEST(d.gross_weight_kg, w.gross_weight_kg) + {weight_tolerance_kg}
"""

_DAYS = """
SELECT d.seller_id, '{name}' AS break_kind, d.document_kind, d.document_number, d.event_date,
    '{other}' AS other_kind, o.document_number AS other_number, d.amount_usd AS usd, o.amount_usd AS other_usd,
    {late} AS days, 2 AS documents
FROM document AS d JOIN (SELECT * FROM document WHERE document_kind = '{other}') AS o USING (seller_id, {key})
WHERE d.document_kind = '{kind}' AND {late} > {{slack_days}} AND ({only})
"""
_AFTER, _BEFORE = "DATE_DIFF('day', o.event_date, d.event_date)", "DATE_DIFF('day', d.event_date, o.event_date)"
# Only the summary joins list and declaration.
_LISTED = """
SELECT d.seller_id, 'listed_after_declaration' AS break_kind, d.document_kind, d.document_number, d.event_date,
    'declaration' AS other_kind, o.document_number AS other_number, d.amount_usd AS usd, o.amount_usd AS other_usd,
    DATE_DIFF('day', o.event_date, d.event_date) AS days, 2 AS documents
FROM document AS d
JOIN (
    SELECT DISTINCT seller_id, list_number, declaration_id FROM document WHERE document_kind = 'summary'
) AS s ON s.seller_id = d.seller_id AND s.list_number = d.list_number
JOIN document AS o
    ON o.seller_id = d.seller_id AND o.document_kind = 'declaration' AND o.declaration_id = s.declaration_id
WHERE d.document_kind = 'list' AND DATE_DIFF('day', o.event_date, d.event_date) > {slack_days}
"""

_COMPARISONS = (
    *(_LIST_VALUE, _RECEIPT, _DECLARATION, _WEIGHT),
    *(
        _DAYS.format(name=name, kind=kind, other=other, key=key, late=late, only=only)
        for name, kind, other, key, late, only in (
            ("shipped_before_sale", "list", "order", "order_number", _BEFORE, _SOLD_FIRST),
            ("paid_before_order", "receipt", "order", "order_number", _BEFORE, "true"),
            ("waybill_after_export", "waybill", "list", "waybill_number", _AFTER, "true"),
        )
    ),
    _LISTED,
)

_BREAKS = """
SELECT seller_id, break_kind, document_kind, document_number, event_date, other_kind, other_number,
    CAST(usd AS DECIMAL(18, 4)) AS usd, CAST(other_usd AS DECIMAL(18, 4)) AS other_usd, CAST(days AS INTEGER) AS days,
    CAST(documents AS INTEGER) AS documents
FROM found ORDER BY ALL
"""
