"""Shared parts of all source mappings: context, components, SQL over Arrow tables, and the form of a canonical table.

A mapping is SQL from one typed raw table (named ``raw``) to the columns of canonical tables. This module adds amounts
in US dollars, lineage and column types for all sources. Besides the columns of its contract, ``raw`` has:

- ``source_file``, ``source_sha256``: the file; ``source_row``: physical line or record in it; ``source_item``: the item
  of the record, or 0 if records have no items;
- ``file_order``: position of the file in reading order; ``row_order``: position of the row among all rows;
- ``delivered_for``, ``account``, ``covered_from``, ``covered_to``, ``delivered_at``: the entry of the file in the
  delivery manifest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.database import shared_database
from data_contracts.definition.compiler import table_contract
from data_contracts.lineage import ReadResult, constant
from data_contracts.mapping.currency import ExchangeRates, to_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.mapping.days.written_days import WrittenDays

Tables = dict[str, pa.Table]


@dataclass(frozen=True)
class MappingContext:
    """What a mapping may use besides the rows.

    Attributes:
        contract: contract of the source.
        recorded_at: time of recording, UTC.
        hmac_key: key of the pseudonyms.
        rates: exchange rates.
    """

    contract: CompiledContract
    recorded_at: datetime
    hmac_key: bytes = field(repr=False)
    rates: ExchangeRates

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters of mapping queries: ``known_lag_days``, as declared in the contract."""
        return {"known_lag_days": self.contract.known_lag_days}


def _unchanged(rows: pa.Table) -> pa.Table:
    return rows


def _nothing_to_screen(_raw: pa.Table) -> pa.Table | None:
    return None


@dataclass(frozen=True)
class NamedSellers:
    """The text columns that determine which seller a row belongs to.

    Attributes:
        seller: reference of the seller, or None if rows only name parties.
        party: reference of the party that the row describes; with a seller in the row, the party is that seller's.
        linked: references of other parties in the row; the row belongs to each seller that owns one of them.
    """

    seller: str | None = None
    party: str | None = None
    linked: tuple[str, ...] = ()

    @property
    def naming(self) -> tuple[str, ...]:
        """The columns that name a seller directly or through a party."""
        return tuple(name for name in (self.seller, *self.linked) if name is not None)

    @property
    def is_only_seller(self) -> bool:
        """Whether a row belongs to the one seller that it names, not to several."""
        return self.seller is not None and not self.linked


@dataclass(frozen=True)
class SourceMapping:
    """The components of the mapping of a source to canonical tables.

    Attributes:
        source: name of the source.
        covered_tables: canonical tables for which a delivery of this source is evidence of coverage.
        to_canonical: typed and accepted raw rows to canonical tables.
        prepare: text rows to text rows, one for one, before casting; makes keys unique across files.
        days: the columns with days, if exports write them day first or month first; ``prepare`` gets them in ISO form.
        cast: custom casting, if a file may have several number formats; otherwise each file has its own.
        screen: typed rows to the rows to set aside: ``row_order``, ``reason``, ``rule_id`` (null for a duplicate). None
            or an absent row means no objection.
        remarks: accepted rows that deserve a remark: ``row_order``, ``reason``.
        silent: accepted rows that correctly produce no canonical row (a header, a footer, a note): ``row_order``,
            ``reason``; they are counted by reason, as remarks are.
        unfolds: whether one row may become several canonical rows, for example if each fee has its own column.
        happened: column with the time of the event; no row is recorded before its event.
        reaches_back_days: how many days before the declared period an event may rightly be, because a settlement of the
            period also holds earlier ones.
        any_period: whether files rightly hold events of any time, whatever period the delivery declares, as registers
            and lists do.
        group_column: rows with the same value are accepted or set aside together.
        delivered_whole: columns of the canonical rows that identify, within a seller, a record that is always delivered
            whole: what a later delivery leaves out no longer exists. Without it, each row is a record of its own.
        needs_seller: whether the delivery manifest must name the seller of each file.
        partition_by: text column that partitions the rows. Rows with different values (ignoring surrounding spaces) are
            independent in preparation, screening, rules, mapping and later versions, and in casting once it is known
            how the file writes numbers, so a file of any size can be processed in partitions. None if any two rows of a
            file may depend on each other, as days do whose order all rows tell.
        named_sellers: how a row names its seller, for files with rows of many sellers; rows of sellers without consent
            are withheld. None if rows name no seller, or if they are the lender's own books, which need no consent.
        own_names: accepted rows to the names of the firm that they are about: ``seller`` and ``name``. None if the
            source does not tell them.
        asks_own_names: whether rows are compared with the seller's names of other sources, which the typed rows then
            have as ``own_names``, a line each; null if none is known.
    """

    source: str
    covered_tables: tuple[str, ...]
    to_canonical: Callable[[pa.Table, MappingContext], Tables]
    prepare: Callable[[pa.Table], pa.Table] = _unchanged
    days: WrittenDays | None = None
    cast: Callable[[ReadResult, CompiledContract], ReadResult] | None = None
    screen: Callable[[pa.Table], pa.Table | None] = _nothing_to_screen
    remarks: Callable[[pa.Table], pa.Table | None] = _nothing_to_screen
    silent: Callable[[pa.Table], pa.Table | None] = _nothing_to_screen
    unfolds: bool = False
    happened: str | None = None
    reaches_back_days: int = 0
    any_period: bool = False
    group_column: str | None = None
    delivered_whole: tuple[str, ...] = ()
    needs_seller: bool = True
    partition_by: str | None = None
    named_sellers: NamedSellers | None = None
    own_names: Callable[[pa.Table], pa.Table] | None = None
    asks_own_names: bool = False


def run_sql(query: str, parameters: Mapping[str, object] | None = None, **tables: pa.Table) -> pa.Table:
    """Run one query over named Arrow tables: single-threaded, in UTC, without access to files or the network."""
    with shared_database(threads=1) as connection:
        for name, table in tables.items():
            connection.register(name, table)
        result: pa.Table = connection.sql(query, params=dict(parameters or {})).to_arrow_table()
    return result.combine_chunks()


def query_mapping(
    query: str, table: str, usd_of: Mapping[str, str] | None = None, *, relabel: bool = False
) -> Callable[[pa.Table, MappingContext], Tables]:
    """Return the ``to_canonical`` function of a source that one query maps to one canonical table.

    Args:
        query: SQL over ``raw``, with ``$known_lag_days`` as parameter.
        table: the canonical table.
        usd_of: columns in US dollars to add, as in ``canonical_table``.
        relabel: whether the query sees the labels of enumerated values instead of the raw values.
    """

    def to_canonical(raw: pa.Table, context: MappingContext) -> Tables:
        rows = relabelled(raw, context.contract) if relabel else raw
        mapped = run_sql(query, context.parameters, raw=rows)
        return {table: canonical_table(table, mapped, context, usd_of)}

    return to_canonical


def relabelled(raw: pa.Table, contract: CompiledContract) -> pa.Table:
    """Return the rows with each enumerated raw value replaced by its label in the contract, if it has one."""
    for column in contract.columns:
        if column.labels and column.name in raw.column_names:
            raw = with_column(raw, column.name, _relabelled_column(raw[column.name], dict(column.labels)))
    return raw


def _relabelled_column(values: Values, labels: Mapping[str, str]) -> Values:
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    encoded = encoded.combine_chunks()
    words = pa.array([labels.get(word, word) for word in encoded.dictionary.to_pylist()], pa.string())
    return words.take(encoded.indices)


def canonical_table(
    name: str, mapped: pa.Table, context: MappingContext, usd_of: Mapping[str, str] | None = None
) -> pa.Table:
    """Convert mapped columns to a canonical table.

    Args:
        name: the canonical table.
        mapped: its columns without those added here; includes ``event_date``, ``known_at`` and the file lineage.
        context: source identity, time of recording, exchange rates.
        usd_of: columns in US dollars to add, each with the column in the row's ``currency`` it is computed from.
    """
    for target, origin in (usd_of or {}).items():
        dollars = to_usd(mapped[origin], mapped["currency"], mapped["event_date"], context.rates)
        mapped = mapped.append_column(target, dollars)
    length = mapped.num_rows
    recorded = pa.repeat(pa.scalar(context.recorded_at, pa.timestamp("us", "UTC")), length)
    mapped = mapped.append_column("source", constant(context.contract.identity, length)).append_column(
        "recorded_at", recorded
    )
    return conformed(mapped, name)


def conformed(table: pa.Table, name: str) -> pa.Table:
    """Return a table with the columns, order and types of a canonical table; missing columns are filled with null.

    Every row is version 1 until a later delivery corrects it.
    """
    schema = table_contract(name).arrow_schema
    if "row_version" in schema.names and "row_version" not in table.column_names:
        table = table.append_column("row_version", pa.repeat(pa.scalar(1, pa.int32()), table.num_rows))
    columns: list[Values] = [
        _as_type(table[entry.name], entry.type)
        if entry.name in table.column_names
        else pa.nulls(table.num_rows, entry.type)
        for entry in schema
    ]
    return pa.Table.from_arrays(columns, schema=nullable(schema))


def nullable(schema: pa.Schema) -> pa.Schema:
    """Return a schema whose fields are all nullable. Whether a value is required is a rule, checked row by row."""
    return pa.schema([pa.field(entry.name, entry.type) for entry in schema])


def _as_type(values: Values, wanted: Values) -> Values:
    if values.type == wanted:
        return values
    if pa.types.is_dictionary(wanted):
        return pc.dictionary_encode(values.cast(wanted.value_type)).cast(wanted)
    return values.cast(wanted)
