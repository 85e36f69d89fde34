"""Map Etsy statements to ``money_event``: amount and fees of each entry, and deposits as payouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.arrow import with_column
from data_contracts.mapping.days.written_days import WrittenDays
from data_contracts.mapping.days_in_words import with_days_in_words
from data_contracts.mapping.money_events import MoneyEventSource
from data_contracts.mapping.repetition import rows_delivered_before
from data_contracts.values.money_text import NumberStyle, plain_amount, with_plain_amounts

if TYPE_CHECKING:
    from collections.abc import Mapping

# The title of a fee ends with the goods: "Transaction fee: Blending jar". Only the words before say what it is.
_ENTRIES = """
SELECT raw.*, left(source_sha256, 16) || ':' || source_row AS identity, part, amount,
    CAST(NULL AS VARCHAR) AS event_type, CAST(entry_type AS VARCHAR) AS kind,
    trim(split_part(coalesce(title, ''), ':', 1)) AS purpose,
    CASE WHEN amount > 0 THEN 'in' ELSE 'out' END AS direction,
    nullif(regexp_extract(concat_ws(' ', further, title), '(?i)order #?\\s*(\\d+)', 1), '') AS order_id,
    entry_type AS raw_type, title AS raw_subtype, money_code AS currency,
    CAST(NULL AS TIMESTAMPTZ) AS event_at, entry_on AS event_date,
    CASE WHEN lower(entry_type) = 'deposit' THEN entry_on END AS paid_out_on,
    CASE WHEN lower(entry_type) = 'deposit' THEN 'paid' WHEN lower(entry_type) = 'reserve' AND amount < 0
        THEN 'reserved' ELSE 'released' END AS status
FROM raw, LATERAL (SELECT unnest(['amount', 'fees']) AS part, unnest([main_amount, fees_and_taxes]) AS amount)
WHERE amount <> 0
"""


def prepare(text_rows: pa.Table) -> pa.Table:
    """Return the text rows with ISO days and plain amounts, and the amount of a deposit taken from its title."""
    rows = with_days_in_words(text_rows, ("entry_on",))
    styles = [NumberStyle.POINT] * rows.num_rows
    rows = with_plain_amounts(rows, ("main_amount", "fees_and_taxes", "net_amount"), "money_code", styles)
    amounts = [_deposited(row) for row in rows.select(["entry_type", "title", "money_code", "main_amount"]).to_pylist()]
    return with_column(rows, "main_amount", pa.array(amounts, pa.string()))


def _deposited(row: Mapping[str, Any]) -> str:
    """Return the amount of an entry; a deposit may only have it in its title: ``$38.18 sent to your bank``."""
    given = str(row["main_amount"])
    if row["entry_type"].strip().casefold() != "deposit" or given.strip() not in {"", "--", "0", "0.00"}:
        return given
    title = str(row["title"]).strip()
    shown = title.split(" sent ")[0] if " sent " in title else title
    amount = plain_amount(shown, str(row["money_code"]).strip().upper(), NumberStyle.POINT)
    return f"-{amount}" if amount[:1].isdigit() else amount


def screen(raw: pa.Table) -> pa.Table:
    """Return the entries delivered before."""
    return rows_delivered_before(raw, "etsy_statement")


MAPPING = MoneyEventSource(
    source="etsy_statement",
    platform="Etsy",
    entries=_ENTRIES,
    kinds=("kind", "part", "purpose", "direction"),
    silent_reason="'entry without an amount'",
    screen=screen,
    prepare=prepare,
    days=WrittenDays(columns=("entry_on",)),
    happened="entry_on",
).mapping()
