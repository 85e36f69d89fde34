"""What every source mapping shares: its context, its parts, SQL over Arrow tables, and the form of a canonical table.

A mapping is SQL from one typed raw table (named ``raw``) to the columns of canonical tables; money in US dollars, the
lineage and the column types are added here, once for all sources. Besides the columns of its contract, ``raw`` has:

- ``source_file``, ``source_sha256``: the file; ``source_row``: physical line or record in it; ``source_item``: the item
  of the record, where records hold items, else 0;
- ``file_order``: position of the file in the order of reading; ``row_order``: position of the row in that of all rows;
- ``delivered_for``, ``account``, ``covered_to``, ``delivered_at``: what the list of deliveries says about the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.database import shared_database
from data_contracts.definition.compiler import table_contract
from data_contracts.lineage import ReadResult, constant
from data_contracts.mapping.currency import ExchangeRates, to_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract

Tables = dict[str, pa.Table]


@dataclass(frozen=True)
class MappingContext:
    """What a mapping may know besides the rows.

    Attributes:
        contract: the source's contract.
        recorded_at: moment of recording, UTC.
        hmac_key: key of the pseudonyms.
        rates: exchange rates.
    """

    contract: CompiledContract
    recorded_at: datetime
    hmac_key: bytes = field(repr=False)
    rates: ExchangeRates

    @property
    def known_lag_days(self) -> int:
        """Days from a row's event until it is known, as the contract declares."""
        return self.contract.known_lag_days


def _unchanged(rows: pa.Table) -> pa.Table:
    return rows


def _nothing_to_screen(_raw: pa.Table) -> pa.Table | None:
    return None


@dataclass(frozen=True)
class NamedSellers:
    """Which columns of a row tell whose it is, by text.

    Attributes:
        seller: the reference of the seller, or None where rows name parties alone.
        party: the reference of the party the row describes; with a seller in the row, it is that seller's.
        linked: references of parties the row speaks of; it is a row of each that is a seller's.
    """

    seller: str | None = None
    party: str | None = None
    linked: tuple[str, ...] = ()

    @property
    def naming(self) -> tuple[str, ...]:
        """The columns that name a seller by themselves or by a party."""
        return tuple(name for name in (self.seller, *self.linked) if name is not None)


@dataclass(frozen=True)
class SourceMapping:
    """The parts of a source's way into the canonical tables.

    Attributes:
        source: name of the source.
        covered_tables: canonical tables for which a delivery of this source is evidence of coverage.
        to_canonical: typed and accepted raw rows to canonical tables.
        prepare: text rows to text rows, one for one, before they are typed; makes keys unique over files.
        cast: typing, where the contract's one number format does not fit every file.
        screen: typed rows to those to set aside: ``row_order``, ``reason``, ``rule_id`` (null for a duplicate). None
            or an absent row means no objection.
        remarks: accepted rows that earn a remark: ``row_order``, ``reason``.
        silent: accepted rows that rightly become no canonical row (a header, a footer, a note): ``row_order``,
            ``reason``; they are counted by reason as remarks are.
        unfolds: whether one row may become several canonical rows, as where each fee has a column of its own.
        happened: column that tells when a row happened; nothing is recorded before it happened.
        group_column: rows equal in it stand or fall together.
        delivered_whole: columns of the canonical rows that name, within a seller, a record whose deliveries are whole:
            what a later one leaves out is gone from then on. Without it each row is a record of its own.
        needs_seller: whether the list of deliveries must name the seller of each file.
        parted_by: text column by which rows part: rows that differ in it, but for blanks around it, do not concern each
            other, neither in preparation, typing, screening and rules nor in the mapping and its later versions. Then a
            file of any size is taken, in parts. None where rows may concern any others of their file.
        named_sellers: how a row tells whose it is, where files hold the rows of many sellers; those of a seller without
            consent are withheld. None where rows name no seller, and where they are not the sellers' but the lender's
            own books, which need no consent.
    """

    source: str
    covered_tables: tuple[str, ...]
    to_canonical: Callable[[pa.Table, MappingContext], Tables]
    prepare: Callable[[pa.Table], pa.Table] = _unchanged
    cast: Callable[[ReadResult, CompiledContract], ReadResult] | None = None
    screen: Callable[[pa.Table], pa.Table | None] = _nothing_to_screen
    remarks: Callable[[pa.Table], pa.Table | None] = _nothing_to_screen
    silent: Callable[[pa.Table], pa.Table | None] = _nothing_to_screen
    unfolds: bool = False
    happened: str | None = None
    group_column: str | None = None
    delivered_whole: tuple[str, ...] = ()
    needs_seller: bool = True
    parted_by: str | None = None
    named_sellers: NamedSellers | None = None


def run_sql(query: str, parameters: Mapping[str, object] | None = None, **tables: pa.Table) -> pa.Table:
    """Run one query over named Arrow tables: single-threaded, in UTC, without access to files or the network."""
    with shared_database(threads=1) as connection:
        for name, table in tables.items():
            connection.register(name, table)
        result: pa.Table = connection.sql(query, params=dict(parameters or {})).to_arrow_table()
    return result.combine_chunks()


def relabelled(raw: pa.Table, contract: CompiledContract) -> pa.Table:
    """Give the rows with each enumerated raw value replaced by the label its contract gives it, if it gives one."""
    for column in contract.columns:
        if column.labels and column.name in raw.column_names:
            position = raw.column_names.index(column.name)
            raw = raw.set_column(position, column.name, _relabelled_column(raw[column.name], dict(column.labels)))
    return raw


def _relabelled_column(values: Values, labels: Mapping[str, str]) -> Values:
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    encoded = encoded.combine_chunks()
    words = pa.array([labels.get(word, word) for word in encoded.dictionary.to_pylist()], pa.string())
    return words.take(encoded.indices)


def canonical_table(
    name: str, mapped: pa.Table, context: MappingContext, usd_of: Mapping[str, str] | None = None
) -> pa.Table:
    """Give mapped columns the form of a canonical table.

    Args:
        name: the canonical table.
        mapped: its columns without those added here; ``event_date``, ``known_at`` and the file lineage among them.
        context: source identity, time of recording, exchange rates.
        usd_of: columns in US dollars to make, each with the column in the row's ``currency`` it comes from.
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
    """Give a table the columns, order and types of a canonical table; a column it lacks is filled with null.

    Every row is the first version of itself until a later delivery says otherwise.
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
    """Give a schema whose fields may all be null: being given is a rule that is checked and counted, row by row."""
    return pa.schema([pa.field(entry.name, entry.type) for entry in schema])


def _as_type(values: Values, wanted: Values) -> Values:
    if values.type == wanted:
        return values
    if pa.types.is_dictionary(wanted):
        return pc.dictionary_encode(values.cast(wanted.value_type)).cast(wanted)
    return values.cast(wanted)
