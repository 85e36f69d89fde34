"""Mappings of exports that list account movements: each row is one entry, or several if a fee has its own column.

A source states its entries as one query and its event types as rules; this module holds what all of them share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.mapping.event_types import event_type_rules, event_types, money_event_table, unknown_kinds
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables, run_sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from data_contracts.definition.contract import CompiledContract
    from data_contracts.lineage import ReadResult
    from data_contracts.mapping.days.written_days import WrittenDays
    from data_contracts.mapping.running_balance import RunningBalance

_EVENTS = """
SELECT
    entries.* EXCLUDE (event_type),
    $prefix || ':' || coalesce(account, delivered_for) || ':' || identity || ':' || part AS event_id,
    delivered_for AS seller_id,
    $platform AS platform,
    account AS store_id,
    coalesce(entries.event_type, event_types.event_type) AS event_type,
    coalesce(event_at, CAST(event_date AS TIMESTAMPTZ)) + to_days($known_lag_days) AS known_at
FROM entries JOIN event_types USING ({parts})
ORDER BY row_order, part
"""

_SILENT = """
SELECT row_order, {reason} AS reason FROM raw ANTI JOIN entries USING (row_order) ORDER BY row_order
"""


@dataclass(frozen=True)
class MoneyEventSource:
    """A source of account entries.

    Attributes:
        source: name of the source; its ``event_types.toml`` holds the rules.
        platform: the platform that keeps the account.
        entries: query over ``raw`` that returns the entries: the columns of ``money_event`` that the source knows;
            ``identity`` and ``part``, which identify an entry among the seller's and within its row; ``event_type`` if
            the query itself decides it, else null; the columns of ``kinds``; and all columns of the row that the
            mapping needs.
        kinds: columns of the entries, never null, from which the rules derive the event type.
        silent_reason: SQL over ``raw`` that returns why a row has no entry.
        screen: rows to set aside, as in ``SourceMapping``.
        prepare: text rows to text rows, as in ``SourceMapping``.
        days, cast: as in ``SourceMapping``.
        happened: column with the time of the event, as in ``SourceMapping``.
        reaches_back_days: as in ``SourceMapping``.
        running_balance: how the rows move the balance that they state, or None.
        rules_of: the source whose event type rules apply, if they are not its own.
    """

    source: str
    platform: str
    entries: str
    kinds: tuple[str, ...]
    silent_reason: str
    screen: Callable[[pa.Table], pa.Table]
    prepare: Callable[[pa.Table], pa.Table] = lambda rows: rows
    days: WrittenDays | None = None
    cast: Callable[[ReadResult, CompiledContract], ReadResult] | None = None
    happened: str | None = None
    reaches_back_days: int = 0
    running_balance: RunningBalance | None = None
    rules_of: str | None = None

    @property
    def rules(self) -> tuple[dict[str, str], ...]:
        """The event type rules of the source."""
        return event_type_rules(f"data_contracts.sources.{self.rules_of or self.source}")

    def entries_of(self, raw: pa.Table) -> pa.Table:
        """Return the entries of raw rows."""
        return run_sql(self.entries, raw=raw)

    def silent(self, raw: pa.Table) -> pa.Table:
        """Return the rows without an entry, with the reason."""
        return run_sql(_SILENT.format(reason=self.silent_reason), raw=raw, entries=self.entries_of(raw))

    def remarks(self, raw: pa.Table) -> pa.Table:
        """Return the rows with an entry of unknown kind, which counts as ``other``, and breaks of the balance."""
        undecided = run_sql("SELECT * FROM entries WHERE event_type IS NULL", entries=self.entries_of(raw))
        unknown = unknown_kinds(undecided.drop_columns("event_type"), self.kinds, self.rules)
        if self.running_balance is None:
            return unknown
        return pa.concat_tables([unknown, self.running_balance.remarks(raw)])

    def to_canonical(self, raw: pa.Table, context: MappingContext) -> Tables:
        """Map raw rows to ``money_event``, one row for each entry."""
        entries = self.entries_of(raw)
        types = event_types(entries, self.kinds, self.rules)
        parameters = {"prefix": self.source, "platform": self.platform, **context.parameters}
        query = _EVENTS.format(parts=", ".join(self.kinds))
        mapped = run_sql(query, parameters, entries=entries, event_types=types)
        return money_event_table(mapped, context)

    def mapping(self) -> SourceMapping:
        """Return the mapping of the source."""
        return SourceMapping(
            source=self.source,
            covered_tables=("money_event",),
            to_canonical=self.to_canonical,
            prepare=self.prepare,
            days=self.days,
            cast=self.cast,
            screen=self.screen,
            remarks=self.remarks,
            silent=self.silent,
            happened=self.happened,
            reaches_back_days=self.reaches_back_days,
            unfolds=True,
        )
