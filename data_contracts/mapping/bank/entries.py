"""Mappings of bank statements to ``bank_entry``; a source states its entries as one query, all else is shared.

The query of a source selects from ``raw`` (typed rows, with ``statement``: the key of the file, account and currency):

- ``statement``, ``row_order``, ``file_order``, ``delivered_for``, ``delivered_at`` and the file lineage;
- ``own_account``, ``own_name``: number and holder of the account; ``currency``;
- ``booked_on``, ``valued_on``: days; ``amount``: positive if money came in; ``balance_after``, or null;
- ``opening``, ``closing``: balances that the statement states, or null;
- ``who``: name of the counterparty; ``said``: the words of the entry; ``serial``: the bank's own number, or null.

Rows that the query leaves out are headings, totals or entries that are not booked.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from data_contracts.mapping.bank.balances import ChainEntry, balance_chain
from data_contracts.mapping.bank.words import KINDS_WITH_REFERENCE, PAYOUT_KINDS, kind_sql, payer_sql
from data_contracts.mapping.source_mapping import (
    MappingContext,
    SourceMapping,
    Tables,
    canonical_table,
    run_sql,
)
from data_contracts.privacy import keyed_pseudonyms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date

    from data_contracts.arrow import Values

TABLE = "bank_entry"
CHAIN_RULE, SUM_RULE = "balance:chain", "balance:statement"
GAP = "the opening balance is not the closing balance of the statement before: a period is missing"
UNCHECKED = "the statement states no balance, so nothing shows whether entries are missing or changed"

# Two entries of one file may be equal in everything; the same entries in another file are the same ones again. An entry
# with a number and a balance is the same under any name that a delivery gives the account.
_IDENTIFIED = """
SELECT *, concat_ws('|', own_account, content) AS identity,
    CASE WHEN serial IS NULL OR balance_after IS NULL THEN concat_ws('|', own_account, content) ELSE content END AS once
FROM (
    SELECT entries.*,
        concat_ws('|', currency, booked_on, amount, serial, balance_after, who, said, row_number() OVER (
            PARTITION BY statement, booked_on, amount, serial, balance_after, who, said ORDER BY row_order
        )) AS content
    FROM entries
)
"""
_REPEATED = """
SELECT row_order, 'repeated entry' AS reason, CAST(NULL AS VARCHAR) AS rule_id
FROM entries ANTI JOIN broken USING (row_order)
QUALIFY row_number() OVER (PARTITION BY delivered_for, once ORDER BY delivered_at, file_order, row_order) > 1
ORDER BY row_order
"""
# What a row lacks is a rule of its contract; here such a row only leaves a break.
_STATEMENTS = """
SELECT statement, coalesce(delivered_for, ''), coalesce(own_account, ''), coalesce(currency, ''), row_order, source_row,
    booked_on, amount, balance_after, opening, closing
FROM entries WHERE booked_on IS NOT NULL AND amount IS NOT NULL ORDER BY statement, row_order
"""
# The rows of the table's own template, which states the columns of the table.
_OF_TEMPLATE = """
SELECT *, concat_ws(':', file_order, seller_id, account_number, currency) AS statement, seller_id AS delivered_for,
    account_number AS own_account, event_date AS booked_on,
    CAST(NULL AS DECIMAL(18, 4)) AS opening, CAST(NULL AS DECIMAL(18, 4)) AS closing
FROM (SELECT * EXCLUDE (delivered_for) FROM raw)
"""
_SILENT = "SELECT raw.row_order, {reason} AS reason FROM raw ANTI JOIN entries USING (row_order) ORDER BY row_order"
# A card or account number in digits, or an IBAN. Numbers of statements and orders are shorter.
_ACCOUNT_NUMBER = "[0-9]{16,}|[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}"
_KINDS = f"""
SELECT *,
    CASE WHEN kind IN {PAYOUT_KINDS} THEN payer END AS platform,
    CASE WHEN kind IN {KINDS_WITH_REFERENCE}
        THEN nullif(left(trim(regexp_replace(words, '{_ACCOUNT_NUMBER}', '…', 'g')), 200), '') END AS reference
FROM (
    SELECT *, {kind_sql()} AS kind FROM (
        SELECT *, {payer_sql()} AS payer, who <> '' AND who = own AS is_own FROM (
            SELECT * EXCLUDE (who, said), lower(trim(coalesce(who, ''))) AS who, lower(coalesce(said, '')) AS said,
                coalesce(said, '') AS words, lower(trim(coalesce(own_name, ''))) AS own
            FROM entries
        )
    )
)
ORDER BY row_order
"""  # noqa: S608 - put together from constants of this package
_CANONICAL = """
SELECT
    $prefix || ':' || delivered_for || ':' || identity AS bank_entry_id,
    delivered_for AS seller_id, account_id, valued_on AS value_date, amount, currency, balance_after,
    counterparty_id, kind AS counterparty_kind, platform, reference, 'booked' AS status,
    booked_on AS event_date,
    CAST(booked_on AS TIMESTAMPTZ) + to_days($known_lag_days) AS known_at,
    source_file, source_sha256, source_row
FROM entries ORDER BY row_order
"""


@dataclass(frozen=True)
class BankSource:
    """A source of bank statements.

    Attributes:
        source: name of the source.
        entries: query over ``raw`` that returns its booked entries, as the module describes.
        silent_reason: SQL over ``raw`` that returns why a row is no booked entry.
        prepare: text rows to text rows with the column ``statement``, as in ``SourceMapping``.
        happened: column with the day of the entry.
    """

    source: str
    entries: str
    silent_reason: str
    prepare: Callable[[pa.Table], pa.Table]
    happened: str

    def entries_of(self, raw: pa.Table) -> pa.Table:
        """Return the booked entries of raw rows, each with its ``identity`` within the seller."""
        return run_sql(_IDENTIFIED, entries=run_sql(self.entries, raw=raw))

    def screen(self, raw: pa.Table) -> pa.Table:
        """Return the rows of statements whose balances do not follow, and entries that another file also holds."""
        entries = self.entries_of(raw)
        broken = broken_rows(raw, entries)
        again = run_sql(_REPEATED, entries=entries, broken=broken)
        return pa.concat_tables([broken, again])

    def remarks(self, raw: pa.Table) -> pa.Table:
        """Return the first entry of each statement that leaves a gap after the one before, or states no balance."""
        return gaps_between(self.entries_of(raw))

    def silent(self, raw: pa.Table) -> pa.Table:
        """Return the rows that are no booked entry, with the reason."""
        return run_sql(_SILENT.format(reason=self.silent_reason), raw=raw, entries=run_sql(self.entries, raw=raw))

    def to_canonical(self, raw: pa.Table, context: MappingContext) -> Tables:
        """Map raw rows to ``bank_entry``; nothing that names a person or an account stays."""
        entries = run_sql(_KINDS, entries=self.entries_of(raw))
        for name, of, purpose in (
            ("account_id", "own_account", "account"),
            ("counterparty_id", "who", "consignee"),
            ("identity", "identity", TABLE),
        ):
            values = keyed_pseudonyms(entries[of], context.hmac_key, purpose)
            entries = entries.drop_columns(name) if name in entries.column_names else entries
            entries = entries.append_column(name, values)
        mapped = run_sql(_CANONICAL, {"prefix": self.source, **context.parameters}, entries=entries)
        return {TABLE: canonical_table(TABLE, mapped, context, {"amount_usd": "amount"})}

    def mapping(self) -> SourceMapping:
        """Return the mapping of the source."""
        return SourceMapping(
            source=self.source,
            covered_tables=(TABLE,),
            to_canonical=self.to_canonical,
            prepare=self.prepare,
            screen=self.screen,
            remarks=self.remarks,
            silent=self.silent,
            happened=self.happened,
        )


@dataclass(frozen=True)
class Statement:
    """A statement of an account: its entries in one file.

    Attributes:
        key: key of the file, account and currency.
        owner: seller, account and currency.
        first_row: row number of its first entry.
        days: first and last day.
        opening, closing: balances, or None if nothing tells them.
        broken: the rule that its balances break and what was found, or None.
    """

    key: str
    owner: tuple[str, str, str]
    first_row: int
    days: tuple[date, date]
    opening: Decimal | None
    closing: Decimal | None
    broken: tuple[str, str] | None


def with_statement_key(text_rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return the rows with the key of their statement: the file and the values of some columns, such as the account."""
    parts = (text_rows[name].to_pylist() for name in ("file_order", *columns))
    keys: Values = pa.array([":".join(map(str, key)) for key in zip(*parts, strict=True)], pa.string())
    return text_rows.append_column("statement", keys)


def broken_rows(raw: pa.Table, entries: pa.Table) -> pa.Table:
    """Return, as a screen does, all rows of the statements whose balances do not follow from their amounts."""
    broken = {one.key: one.broken for one in statements_of(entries) if one.broken is not None}
    rows = zip(raw["row_order"].to_pylist(), raw["statement"].to_pylist(), strict=True)
    found = [(row, *broken[statement]) for row, statement in rows if statement in broken]
    numbers, rules, reasons = zip(*found, strict=True) if found else ((), (), ())
    return pa.table(
        {
            "row_order": pa.array(numbers, pa.int64()),
            "reason": pa.array(reasons, pa.string()),
            "rule_id": pa.array(rules, pa.string()),
        }
    )


def broken_template_rows(raw: pa.Table) -> pa.Table:
    """Return the broken rows of the table's own template."""
    entries = run_sql(_OF_TEMPLATE, raw=raw)
    return broken_rows(entries, entries)


def template_gaps(raw: pa.Table) -> pa.Table:
    """Return the gaps between files of the table's own template."""
    return gaps_between(run_sql(_OF_TEMPLATE, raw=raw))


def gaps_between(entries: pa.Table) -> pa.Table:
    """Return, as remarks do, the first entry of each statement after a gap, and of each that states no balance."""
    statements = statements_of(entries)
    found = [(row, GAP) for row in _gap_rows(statements)]
    found += [(one.first_row, UNCHECKED) for one in statements if one.closing is None]
    rows, reasons = zip(*sorted(found), strict=True) if found else ((), ())
    return pa.table({"row_order": pa.array(rows, pa.int64()), "reason": pa.array(reasons, pa.string())})


def statements_of(entries: pa.Table) -> list[Statement]:
    """Return the statements that entries belong to, in order of their keys."""
    rows = run_sql(_STATEMENTS, entries=entries)
    columns = [rows[name].to_pylist() for name in rows.column_names]
    members = (_Member(*cells) for cells in zip(*columns, strict=True))
    return [_statement(key, list(group)) for key, group in groupby(members, key=lambda member: member.statement)]


def _gap_rows(statements: Iterable[Statement]) -> Iterator[int]:
    """Yield the first row of each statement that does not continue the balance of the one before it."""
    by_owner = sorted(statements, key=lambda one: (one.owner, one.days, one.key))
    for _, group in groupby(by_owner, key=lambda one: one.owner):
        before, *later = group
        for one in later:
            is_next = one.days[0] > before.days[1]
            if is_next and None not in (before.closing, one.opening) and before.closing != one.opening:
                yield one.first_row
            before = one if one.days[1] >= before.days[1] else before


class _Member(NamedTuple):
    """An entry as a member of its statement."""

    statement: str
    seller: str
    account: str
    currency: str
    row_order: int
    source_row: int
    day: date
    amount: Decimal
    balance: Decimal | None
    opening: Decimal | None
    closing: Decimal | None


def _statement(key: str, members: Sequence[_Member]) -> Statement:
    first, total = members[0], sum((member.amount for member in members), Decimal(0))
    opening, broken = _chained(members)
    closing = first.closing
    if closing is not None:
        opening = closing - total
        if first.opening is not None and first.opening != opening:
            broken = SUM_RULE, f"opening balance and entries make {first.opening + total:f}, not {closing:f}"
    elif opening is not None:
        closing = opening + total
    days = min(member.day for member in members), max(member.day for member in members)
    owner = (first.seller, first.account, first.currency)
    return Statement(key, owner, min(member.row_order for member in members), days, opening, closing, broken)


def _chained(members: Sequence[_Member]) -> tuple[Decimal | None, tuple[str, str] | None]:
    """Return the opening balance and the break of the chain, each None if there is none or no chain to check."""
    chained = [ChainEntry(one.day, one.amount, one.balance) for one in members if one.balance is not None]
    if len(chained) < len(members):
        return None, None
    chain = balance_chain(chained)
    if chain.breaks_at is None:
        return chain.opening, None
    return None, (CHAIN_RULE, f"the chain of balances breaks at row {members[chain.breaks_at].source_row}")
