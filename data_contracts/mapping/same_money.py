"""Find amounts that two reports, or two files of one report, state for the same movement of money.

A platform offers one settlement in several reports: Amazon as a settlement file and as a date-range report, PayPal as
activity and as settlement report, Shopify as payouts and as payout transactions. Of two reports the one with more
detail counts. The other row stays in the table, but is superseded from the time at which both could be known. What is
found by then depends only on rows known by then, so later deliveries change nothing about earlier dates.

Two reports of one platform state the same money where one of these holds:

- rows agree in type, currency and amount, and in order and day, moment, statement, or order within a week;
- payouts of one amount are at most a week apart;
- one report closes a statement, its amounts and payout summing to zero, so that it holds all amounts of the statement;
- the amounts of one kind that both state for an order or a statement sum to the same.

Two files of one report repeat a row if they agree in type, currency, amount, day, moment and order, even under the
names of two accounts. Equal rows of one file are different amounts, so the n-th of several equal rows is compared with
the n-th.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# Reports write the day of a payout or an order in their own time zone, as sent or as arrived; ours.
DAYS_APART: Final = 7
# Rounding when a report states amounts in several parts; ours.
CLOSED_WITHIN: Final = "0.02"

MONEY: Final = "money"
"""Table of the rows to compare: ``place``, ``seller_id``, ``platform``, ``source``, ``source_rank`` (0 for the report
with most detail), ``file_rank`` (of files of one report), ``crossing`` (whether another report covers the same days),
``kind`` (its type, or the name of types that a report may state net of each other, such as loans and their repayment),
``is_corrected``, ``corrected_at`` (the row's own ``superseded_at``) and columns of ``money_event``."""

PLATFORM_KEY: Final = "regexp_replace(lower(platform), '[^a-z0-9]|shop$|payments$', '', 'g')"
"""SQL: one key for a platform that is written in several ways, "TikTok Shop" and "tiktok"."""

_SAME_ACCOUNT: Final = "seller_id, platform, currency, event_type"
# A moment at midnight is mostly a day written as a moment.
_HAS_MOMENT: Final = "event_at IS NOT NULL AND event_at <> date_trunc('day', event_at)"


@dataclass(frozen=True)
class _EqualRows:
    """A rule that says which single rows are the same money.

    Attributes:
        key: SQL expressions in which they agree, besides account, type, currency and amount.
        condition: SQL condition on both.
        apart: SQL condition on a pair (``other``, ``better``).
        of_files: whether files of one report are compared instead of reports.
    """

    key: str
    condition: str
    apart: str = "true"
    of_files: bool = False

    def sql(self) -> str:
        """Return SQL for the matches: ``place``, ``counts_from``, ``recorded_at``, ``counted_in``."""
        of_files = self.of_files
        group = f"{_SAME_ACCOUNT}, amount, {self.key}" + (", source_rank" if of_files else "")
        rank, within = ("file_rank", "file_rank") if of_files else ("source_rank", "source_rank, row_version")
        return f"""
        SELECT other.place, greatest(other.known_at, better.known_at) AS counts_from, better.recorded_at,
            better.source AS counted_in
        FROM (
            SELECT *, hash({group}) AS same, row_number() OVER equal_rows AS nth FROM {MONEY}
            WHERE amount <> 0 AND {self.condition}
            WINDOW equal_rows AS (PARTITION BY {group}, {within} ORDER BY known_at, file_rank, place)
        ) AS other JOIN (
            SELECT *, hash({group}) AS same, row_number() OVER equal_rows AS nth FROM {MONEY}
            WHERE amount <> 0 AND {self.condition}
            WINDOW equal_rows AS (PARTITION BY {group}, {within} ORDER BY known_at, file_rank, place)
        ) AS better ON better.same = other.same AND better.nth = other.nth AND better.seller_id = other.seller_id
            AND better.amount = other.amount AND better.{rank} < other.{rank} AND {self.apart}
        """  # noqa: S608 - put together from constants of this module


_WITHIN_DAYS: Final = f"abs(date_diff('day', other.event_date, better.event_date)) <= {DAYS_APART}"
_IN_ORDER: Final = "coalesce(order_id, '')"
# Without order and moment, two equal rows in two files may be two fees of one day. With a moment they are one, whatever
# the delivery calls the account.
_IN_FILES: Final = f"""
    event_date, coalesce(event_at, event_date), {_IN_ORDER},
    CASE WHEN order_id IS NULL AND event_type <> 'payout' AND NOT coalesce({_HAS_MOMENT}, false)
    THEN coalesce(store_id, '') END,
    CASE WHEN order_id IS NULL AND event_type <> 'payout' THEN coalesce(marketplace, '') END,
    CASE WHEN order_id IS NULL AND event_type <> 'payout' AND NOT coalesce({_HAS_MOMENT}, false)
    THEN coalesce(statement_id, '') END
"""
_RULES: Final = (
    _EqualRows(f"event_date, {_IN_ORDER}", "crossing"),
    _EqualRows("event_at", f"crossing AND {_HAS_MOMENT}"),
    _EqualRows("statement_id", "crossing AND statement_id IS NOT NULL"),
    _EqualRows("order_id", "crossing AND order_id IS NOT NULL", apart=_WITHIN_DAYS),
    _EqualRows(_IN_FILES, "NOT is_corrected", of_files=True),
)

_PAYOUTS: Final = f"""
    SELECT other.place, greatest(other.known_at, better.known_at) AS counts_from, better.recorded_at,
        better.source AS counted_in
    FROM (FROM {MONEY} WHERE crossing AND event_type = 'payout' AND amount <> 0) AS other
    JOIN (FROM {MONEY} WHERE crossing AND event_type = 'payout') AS better USING (seller_id, platform, currency, amount)
    WHERE better.source_rank < other.source_rank AND {_WITHIN_DAYS}
"""  # noqa: S608 - put together from constants of this module

# All amounts of a closed statement are in the report that closes it; payouts are matched by their own amounts.
_CLOSED: Final = f"""
    WITH running AS (
        SELECT seller_id, platform, currency, statement_id, source_rank, source, known_at, recorded_at,
            sum(amount) OVER so_far AS balance,
            count_if(event_type = 'payout') OVER so_far AS payouts,
            count_if(event_type <> 'payout') OVER so_far AS others
        FROM {MONEY} WHERE crossing AND statement_id IS NOT NULL
        WINDOW so_far AS (
            PARTITION BY seller_id, platform, currency, statement_id, source_rank, row_version ORDER BY known_at
        )
    ), closed AS (
        SELECT seller_id, platform, currency, statement_id, source_rank, source, min(known_at) AS known_at,
            min(recorded_at) AS recorded_at
        FROM running WHERE abs(balance) <= {CLOSED_WITHIN} AND payouts > 0 AND others > 0 GROUP BY ALL
    )
    SELECT other.place, greatest(other.known_at, closed.known_at) AS counts_from, closed.recorded_at,
        closed.source AS counted_in
    FROM {MONEY} AS other JOIN closed USING (seller_id, platform, currency, statement_id)
    WHERE other.crossing AND other.event_type <> 'payout' AND closed.source_rank < other.source_rank
"""  # noqa: S608 - put together from constants of this module


def _equal_sums(key: str) -> str:
    """Return SQL for the rows of a kind and key of a report once their sum equals that of a report with more detail."""
    group = f"seller_id, platform, currency, kind, {key}"
    return f"""
    WITH sums AS (
        SELECT {group}, source_rank, any_value(source) AS source, known_at, max(recorded_at) AS recorded_at,
            sum(amount) AS amount
        FROM {MONEY} WHERE crossing AND {key} IS NOT NULL AND row_version = 1
        GROUP BY {group}, source_rank, known_at
    ), reports AS (SELECT DISTINCT {group}, source_rank, source FROM sums
    ), pairs AS (
        SELECT {group}, other.source_rank AS other_rank, better.source_rank AS better_rank, better.source AS counted_in
        FROM reports AS other JOIN reports AS better USING ({group}) WHERE better.source_rank < other.source_rank
    ), steps AS (
        SELECT {group}, other_rank, counted_in, known_at, recorded_at,
            sum(CASE WHEN source_rank = other_rank THEN amount ELSE 0 END) OVER so_far AS other_sum,
            sum(CASE WHEN source_rank = better_rank THEN amount ELSE 0 END) OVER so_far AS better_sum
        FROM pairs JOIN sums USING ({group}) WHERE source_rank IN (other_rank, better_rank)
        WINDOW so_far AS (PARTITION BY {group}, other_rank, better_rank ORDER BY known_at)
    )
    SELECT other.place, steps.known_at AS counts_from, steps.recorded_at, steps.counted_in
    FROM {MONEY} AS other JOIN steps USING ({group})
    WHERE other.crossing AND other.source_rank = steps.other_rank AND steps.known_at >= other.known_at
        AND other_sum = better_sum AND other_sum <> 0
    """  # noqa: S608 - our own column names


_EVERY_RULE: Final = (
    *(rule.sql() for rule in _RULES),
    _PAYOUTS,
    _CLOSED,
    *map(_equal_sums, ("order_id", "statement_id")),
)

_FIRST: Final = f"""
    WITH earliest AS (
        SELECT place, min(counts_from) AS superseded_at,
            arg_min(recorded_at, (counts_from, counted_in)) AS superseded_recorded_at,
            arg_min(counted_in, (counts_from, counted_in)) AS counted_in
        FROM matches GROUP BY place
    )
    SELECT earliest.* FROM earliest JOIN {MONEY} USING (place)
    WHERE corrected_at IS NULL OR superseded_at < corrected_at ORDER BY place
"""  # noqa: S608 - put together from constants of this module


def same_money(database: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the rows of ``MONEY`` that another row states as well and that do not count from some time on.

    Returns:
        ``place``, ``superseded_at``, ``superseded_recorded_at`` and ``counted_in`` (the source whose row counts), in
        order of place.
    """
    database.execute(
        "CREATE TEMP TABLE matches (place BIGINT, counts_from TIMESTAMPTZ, recorded_at TIMESTAMPTZ, counted_in VARCHAR)"
    )
    for rule in _EVERY_RULE:
        database.execute(f"INSERT INTO matches SELECT place, counts_from, recorded_at, counted_in FROM ({rule})")  # noqa: S608
    found: pa.Table = database.sql(_FIRST).to_arrow_table()
    return found.combine_chunks()
