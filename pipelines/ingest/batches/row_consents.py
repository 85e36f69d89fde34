"""Rows of files that hold those of many sellers: read where their seller consents, counted and nothing else otherwise.

A row withheld is set aside before it is typed or checked, under ``consent:…`` with its file and number alone, neither
value nor original. Where rows of some are withheld, a row that is set aside for another reason and names nobody is kept
without its contents as well: it may be theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.contract import ReadSpec
from data_contracts.lineage import Origin, SetAside, concat_quarantine, empty_quarantine, quarantine_table, redacted
from data_contracts.values.casting import cast_text
from pipelines.runs.file_counts import CONSENT_NOT_READABLE, CONSENT_WITHDRAWN, NO_CONSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.lineage import ReadResult
    from data_contracts.mapping.source_mapping import NamedSellers
    from pipelines.ingest.batches.row_checks import SortedRows
    from pipelines.ingest.consents import SourceConsents
    from pipelines.runs.file_counts import Withheld

WITHHELD_RULES: Final[Mapping[Withheld, str]] = {
    CONSENT_WITHDRAWN: "consent:withdrawn",
    CONSENT_NOT_READABLE: "consent:not_readable",
    NO_CONSENT: "consent:none",
}


@dataclass(frozen=True)
class ConsentedRows:
    """Text rows parted by consent.

    Attributes:
        rows: those that may be read.
        withheld: records of the others (QUARANTINE_SCHEMA) without contents.
        nameless: ``source_row`` of the rows that may be read for they name nobody, where anything is withheld at all.
        withholds_any: whether it is.
    """

    rows: pa.Table
    withheld: pa.Table = field(default_factory=empty_quarantine)
    nameless: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    withholds_any: bool = False


def rows_by_consent(
    text: ReadResult, named: NamedSellers | None, contract: CompiledContract, consents: SourceConsents
) -> ConsentedRows:
    """Part text rows by the consent of the sellers they name.

    Args:
        text: rows as they were read, ``source_row`` unique among them.
        named: how they tell whose they are; None where that is not asked.
        contract: the source's contract.
        consents: what consents say of the source.
    """
    if named is None or not (consents.withholds_any or consents.parties):
        return ConsentedRows(text.rows)
    cells = _cells(text.rows, named, contract)
    reasons = _reasons(cells, named, consents, text.rows.num_rows)
    source_rows = text.rows["source_row"].to_numpy()
    origin = Origin(text.origin.source, text.origin.source_file, text.origin.source_sha256)
    groups = [
        SetAside(rule_id, rows, [None] * len(rows), originals=[None] * len(rows))
        for place, rule_id in enumerate(WITHHELD_RULES.values())
        if (rows := source_rows[reasons == place].tolist())
    ]
    names_somebody = np.zeros(text.rows.num_rows, dtype=bool)
    for name in named.naming:
        names_somebody |= _is_given(cells[name])
    is_read = reasons == _READ
    return ConsentedRows(
        rows=text.rows.filter(pa.array(is_read)),
        withheld=quarantine_table(origin, groups),
        nameless=source_rows[is_read & ~names_somebody],
        withholds_any=True,
    )


def sellers_of_parties(rows: pa.Table, named: NamedSellers | None, contract: CompiledContract) -> dict[str, str]:
    """Give the sellers that parties are, by reference, where the links between parties come from another source."""
    if named is None or named.seller is None or named.party is None or named.linked:
        return {}
    cells = _cells(rows, named, contract)
    pairs = zip(cells[named.party].to_pylist(), cells[named.seller].to_pylist(), strict=True)
    return {party: seller for party, seller in pairs if party is not None and seller is not None}


_READ: Final = len(WITHHELD_RULES)


def _cells(rows: pa.Table, named: NamedSellers, contract: CompiledContract) -> dict[str, Values]:
    """Give the columns that tell whose a row is, read as typing reads them."""
    names = {*named.naming, *([named.party] if named.party else [])}
    spec = contract.read_spec or ReadSpec(format="delimited")
    return {
        column.name: cast_text(rows[column.name].combine_chunks(), column, spec)[0].cast(pa.string())
        for column in contract.columns
        if column.name in names
    }


def _reasons(
    cells: Mapping[str, Values], named: NamedSellers, consents: SourceConsents, count: int
) -> NDArray[np.int64]:
    """Give each row's place among WITHHELD_RULES, or ``_READ``."""
    found = np.full(count, _READ)
    for place, reason in enumerate(WITHHELD_RULES):
        theirs = np.zeros(count, dtype=bool)
        # Who is delivered under a reference may stand under it in the network too.
        parties = [name for known in (consents.by_seller, consents.parties) for name in _with(known, reason)]
        if named.seller is not None:
            theirs = _is_withheld(cells[named.seller], reason, consents)
        if named.party is not None:
            own: Values = cells[named.party].filter(pa.array(theirs)).drop_null()
            parties += own.to_pylist()
        for name in (*named.linked, *([named.party] if named.party else [])):
            theirs |= _is_in(cells[name], parties)
        found[theirs & (found == _READ)] = place
    return found


def _with(known: Mapping[str, Withheld | None], reason: Withheld) -> list[str]:
    return [name for name, said in known.items() if said == reason]


def _is_withheld(sellers: Values, reason: Withheld, consents: SourceConsents) -> NDArray[np.bool_]:
    theirs = _is_in(sellers, _with(consents.by_seller, reason))
    if reason == consents.otherwise:
        theirs |= _is_given(sellers) & ~_is_in(sellers, list(consents.by_seller))
    return theirs


def _is_given(values: Values) -> NDArray[np.bool_]:
    given: Values = pc.is_valid(values)
    mask: NDArray[np.bool_] = given.to_numpy(zero_copy_only=False)
    return mask


def _is_in(values: Values, wanted: list[str]) -> NDArray[np.bool_]:
    found: Values = pc.is_in(values, value_set=pa.array(wanted, pa.string()))
    mask: NDArray[np.bool_] = found.to_numpy(zero_copy_only=False)
    return mask


def with_rows_withheld(found: SortedRows, consented: ConsentedRows) -> SortedRows:
    """Give sorted rows with the records of the withheld ones, and without what rows that name nobody held."""
    nameless = pc.is_in(found.quarantined["source_row"], value_set=pa.array(consented.nameless, pa.int64()))
    others = redacted(found.quarantined, nameless)
    return replace(found, quarantined=concat_quarantine([others, consented.withheld]))


def without_contents(records: pa.Table, consented: ConsentedRows) -> pa.Table:
    """Give records of lines that could not be read as rows, without contents where anything is withheld."""
    if not consented.withholds_any:
        return records
    return redacted(records, pa.array(np.ones(records.num_rows, dtype=bool)))
