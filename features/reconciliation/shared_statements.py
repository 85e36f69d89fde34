"""Statements and orders of a platform that several sellers deliver as theirs.

A platform numbers its settlements, payouts and orders across all accounts, and an account belongs to one seller. The
same number at two sellers means that one of them shows the trade of the other, or that both are one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from data_contracts.database import closed_database
from data_contracts.mapping.same_money import PLATFORM_KEY

if TYPE_CHECKING:
    import pyarrow as pa

STATEMENT, ORDER = "statement", "order"
COLUMNS_READ: Final = (
    *("seller_id", "platform", "statement_id", "order_id", "event_type", "currency"),
    *("amount", "amount_usd", "event_date", "known_at"),
)
# A number with so many digits is given out once; a shorter one may count the statements of each account. Ours.
_LONG: Final = "length(regexp_replace(number, '[^0-9]', '', 'g')) >= 8"
# Some reports tell statements apart only by their days.
_NUMBER: Final = r"""
    regexp_full_match(number, '[A-Za-z0-9_.\-]*[0-9][A-Za-z0-9_.\-]*')
    AND NOT regexp_full_match(number, '(20\d\d[\-_.]?\d\d[\-_.]?\d\d[\-_.]*){1,2}')
"""
# Most numbers belong to one seller; a hash of the others is found without reading them as text.
_EVENTS: Final = f"""
    CREATE TEMP TABLE events AS
    WITH repeated AS (
        SELECT hash(coalesce(statement_id, order_id)) AS of_number FROM rows_of_table
        WHERE coalesce(statement_id, order_id) IS NOT NULL GROUP BY ALL HAVING min(seller_id) <> max(seller_id)
    )
    SELECT seller_id, {PLATFORM_KEY} AS platform,
        CASE WHEN statement_id IS NULL THEN '{ORDER}' ELSE '{STATEMENT}' END AS document,
        coalesce(statement_id, order_id) AS number, CAST(event_type AS VARCHAR) AS event_type,
        CAST(currency AS VARCHAR) AS currency, amount, amount_usd, event_date, known_at
    FROM (
        SELECT * REPLACE (CAST(platform AS VARCHAR) AS platform) FROM rows_of_table
        SEMI JOIN repeated ON repeated.of_number = hash(coalesce(statement_id, order_id))
    )
    WHERE platform IS NOT NULL AND {_NUMBER}
"""  # noqa: S608 - constants of this module
# The sellers of a short number must state an equal amount of one day, and so must those of an order, because a wallet
# gives both sides of a transfer one number.
_SHARED: Final = f"""
    WITH shared AS (
        SELECT platform, document, number FROM events GROUP BY ALL HAVING min(seller_id) <> max(seller_id)
    ), found AS (SELECT * FROM events SEMI JOIN shared USING (platform, document, number)
    ), equal_rows AS (
        SELECT platform, document, number FROM found WHERE amount <> 0
        GROUP BY platform, document, number, event_type, currency, amount, event_date
        HAVING min(seller_id) <> max(seller_id)
    ), sides AS (
        SELECT seller_id, platform, document, number, min(known_at) AS known_at, count(*) AS rows,
            CAST(coalesce(sum(abs(amount_usd)) FILTER (event_type NOT LIKE 'payout%'), 0) AS DECIMAL(18, 4)) AS usd
        FROM found SEMI JOIN (
            FROM equal_rows UNION ALL
            SELECT platform, document, number FROM shared WHERE document = '{STATEMENT}' AND {_LONG}
        ) AS telling USING (platform, document, number)
        GROUP BY seller_id, platform, document, number
    )
    SELECT one.seller_id, one.platform, one.document, one.number, one.rows, one.usd,
        greatest(one.known_at, min(other.known_at)) AS known_from
    FROM sides AS one JOIN sides AS other USING (platform, document, number)
    WHERE one.seller_id <> other.seller_id
    GROUP BY one.seller_id, one.platform, one.document, one.number, one.rows, one.usd, one.known_at
    ORDER BY one.seller_id, one.platform, one.document, one.number
"""  # noqa: S608 - constants of this module


def shared_statements(money_event: pa.Table) -> pa.Table:
    """Return the statements and orders that several sellers deliver as theirs, one row for each and seller.

    Returns:
        ``seller_id``, ``platform`` (a key: ``amazon``), ``document`` (``statement``, or ``order`` where no statement
        has a number), ``number``, the ``rows`` and ``usd`` (absolute, without payouts) that the seller states, and
        ``known_from``: when it and another seller's were both known.
    """
    with closed_database({"threads": 1}) as database:
        database.register("rows_of_table", money_event.select(list(COLUMNS_READ)))
        database.execute(_EVENTS)
        found: pa.Table = database.sql(_SHARED).to_arrow_table()
    return found.combine_chunks()
