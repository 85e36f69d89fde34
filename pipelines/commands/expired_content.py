"""Content that may no longer be kept: values and rows past their retention, and rows without a consent in force."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.definition.compiler import source_contract, table_contract, table_names
from data_contracts.lineage import redacted
from data_contracts.mapping.consent_states import EVERY_SOURCE, TABLES_WITHOUT_CONSENT
from pipelines.commands.withdrawn_parties import ENDS, withdrawn_network_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from numpy.typing import NDArray

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.mapping.consent_states import State

EXPIRED_ROWS: Final = "rows past retention"
EXPIRED_VALUES: Final = "personal values past retention"
EXPIRED_ORIGINALS: Final = "contents of set-aside rows past retention"
WITHDRAWN_ROWS: Final = "rows without a consent in force"
WITHDRAWN_ORIGINALS: Final = "contents of set-aside rows without a consent in force"


@dataclass(frozen=True)
class Limits:
    """What may be kept on a day.

    Attributes:
        on: the day.
        states: the states of the consents to reading on that day, by seller and source.
    """

    on: date
    states: Mapping[tuple[str, str], frozenset[State]] = field(default_factory=dict)

    def is_withdrawn(self, seller: str, source: str) -> bool:
        """Return whether a seller once consented to the reading of a source and no consent is in force any more."""
        none: frozenset[State] = frozenset()
        said = self.states.get((seller, source), none) | self.states.get((seller, EVERY_SOURCE), none)
        return bool(said) and "given" not in said

    @property
    def sellers(self) -> frozenset[str]:
        """Sellers of whom some source may no longer be kept."""
        return frozenset(seller for seller, source in self.states if self.is_withdrawn(seller, source))


@dataclass(frozen=True)
class Cleaned:
    """A table without what may no longer be kept, and how much was taken out, by reason."""

    table: pa.Table
    removed: Mapping[str, int]


def cleaned_table(name: str, table: pa.Table, limits: Limits, parties: pa.Table | None = None) -> Cleaned:
    """Return a canonical table without rows and personal values that may no longer be kept.

    Args:
        name: name of the table.
        table: its rows.
        limits: what may be kept.
        parties: the table ``party`` of the same run, if there is one; it says whose links and matches are.
    """
    removed: Counter[str] = Counter()
    contract = table_contract(name)
    if name in ENDS:
        gone = withdrawn_network_rows(name, table, parties, limits)
    else:
        gone = _withdrawn_rows(name, table, limits)
    removed[WITHDRAWN_ROWS] = int(gone.sum())
    old = _rows_past_retention(table, limits.on) & ~gone
    for column in contract.columns:
        if column.retention_days is not None and column.required:
            old |= _before(table, limits.on, column.retention_days) & ~gone
    removed[EXPIRED_ROWS] = int(old.sum())
    kept = table.filter(pa.array(~(gone | old))) if (gone | old).any() else table
    for column in contract.columns:
        if column.retention_days is None or column.required:
            continue
        expired = _before(kept, limits.on, column.retention_days) & _mask(pc.is_valid(kept[column.name]))
        if expired.any():
            removed[EXPIRED_VALUES] += int(expired.sum())
            empty = pa.scalar(None, kept.schema.field(column.name).type)
            kept = with_column(kept, column.name, pc.if_else(pa.array(expired), empty, kept[column.name]))
    return Cleaned(kept, +removed)


def cleaned_records(records: pa.Table, recorded: date, limits: Limits, sellers_of: Mapping[str, Set[str]]) -> Cleaned:
    """Return entries of rows set aside, without contents that may no longer be kept.

    An entry does not say when its row happened, so its contents expire with the shortest retention of a personal column
    after the day of recording. It does not say its seller either: contents of a source that somebody withdrew are only
    kept if the accepted rows of the file name other sellers alone.

    Args:
        records: entries (QUARANTINE_SCHEMA).
        recorded: day on which they were recorded.
        limits: what may be kept.
        sellers_of: the sellers that accepted rows of each file name.
    """
    removed: Counter[str] = Counter()
    sources: Values = records["source"].cast(pa.string())
    held = _mask(pc.or_(pc.is_valid(records["value"]), pc.is_valid(records["original"])))
    old, gone = np.zeros(records.num_rows, dtype=bool), np.zeros(records.num_rows, dtype=bool)
    for source in pc.unique(sources).to_pylist():
        of_source = _mask(pc.equal(sources, pa.scalar(source)))
        days = _shortest_retention(_contract_of(source))
        if days is not None and recorded + timedelta(days=days) < limits.on:
            old |= of_source
        sellers = {seller for seller in limits.sellers if limits.is_withdrawn(seller, _name(source))}
        if sellers:
            gone |= of_source & ~_mask(
                pc.is_in(records["source_file"].cast(pa.string()), _files_of_others(sellers, sellers_of))
            )
    gone, old = gone & held, old & held & ~gone
    removed[WITHDRAWN_ORIGINALS], removed[EXPIRED_ORIGINALS] = int(gone.sum()), int(old.sum())
    return Cleaned(redacted(records, pa.array(gone | old)) if (gone | old).any() else records, +removed)


def cleaned_results(table: pa.Table, limits: Limits) -> Cleaned:
    """Return features or predictions without the rows of sellers of whom a source may no longer be kept."""
    gone = _mask(pc.is_in(table["seller_id"].cast(pa.string()), pa.array(sorted(limits.sellers), pa.string())))
    removed = Counter({WITHDRAWN_ROWS: int(gone.sum())})
    return Cleaned(table.filter(pa.array(~gone)) if gone.any() else table, +removed)


def _withdrawn_rows(name: str, table: pa.Table, limits: Limits) -> NDArray[np.bool_]:
    nobody = np.zeros(table.num_rows, dtype=bool)
    if not limits.sellers or "seller_id" not in table.column_names or name in TABLES_WITHOUT_CONSENT:
        return nobody
    # The row of a coverage comes from the list of deliveries, and is about another source.
    column = "delivered_source" if "delivered_source" in table.column_names else "source"
    sellers: Values = table["seller_id"].cast(pa.string())
    sources: Values = table[column].cast(pa.string())
    pairs = pa.table({"seller": sellers, "source": sources}).group_by(["seller", "source"]).aggregate([]).to_pylist()
    withdrawn = [
        f"{pair['seller']}\n{pair['source']}"
        for pair in pairs
        if limits.is_withdrawn(str(pair["seller"]), _name(str(pair["source"])))
    ]
    if not withdrawn:
        return nobody
    return _mask(pc.is_in(pc.binary_join_element_wise(sellers, sources, "\n"), pa.array(withdrawn, pa.string())))


def _rows_past_retention(table: pa.Table, on: date) -> NDArray[np.bool_]:
    old = np.zeros(table.num_rows, dtype=bool)
    sources: Values = table["source"].cast(pa.string())
    for source in pc.unique(sources).to_pylist():
        days = _contract_of(source).retention_days
        if days is not None:
            old |= _mask(pc.equal(sources, pa.scalar(source))) & _before(table, on, days)
    return old


def _before(table: pa.Table, on: date, days: int) -> NDArray[np.bool_]:
    limit: Values = pa.scalar(on - timedelta(days=days), pa.date32())
    return _mask(pc.less(table["event_date"], limit))


def _shortest_retention(contract: CompiledContract) -> int | None:
    days = [column.retention_days for column in contract.columns if column.retention_days is not None]
    return min([*days, *([contract.retention_days] if contract.retention_days else [])], default=None)


def _files_of_others(sellers: Set[str], sellers_of: Mapping[str, Set[str]]) -> pa.Array[pa.StringScalar]:
    return pa.array(sorted(file for file, named in sellers_of.items() if not named & sellers), pa.string())


def _contract_of(source: str) -> CompiledContract:
    name = _name(source)
    return table_contract(name) if name in table_names() else source_contract(name)


def _name(source: str) -> str:
    return source.partition("@")[0]


def _mask(values: Values) -> NDArray[np.bool_]:
    filled: Values = pc.fill_null(values, pa.scalar(value=False))
    mask: NDArray[np.bool_] = (
        filled.to_numpy(zero_copy_only=False) if isinstance(filled, pa.Array) else filled.to_numpy()
    )
    return mask
