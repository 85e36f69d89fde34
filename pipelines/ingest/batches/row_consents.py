"""Rows of files with many sellers: rows of sellers who consent are read, the others are only counted.

Rows of other sellers are withheld: set aside before they are typed or checked, under ``consent:…``, with neither value
nor original in their quarantine entry. If any rows are withheld, a row that names no seller and is set aside for
another reason loses its contents too, because it may be one of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.contract import ReadSpec
from data_contracts.lineage import concat_quarantine, empty_quarantine, redacted, row_numbers
from data_contracts.values.casting import cast_text
from pipelines.ingest.batches.setting_aside import Reason, RowsLeft
from pipelines.runs.file_counts import CONSENT_NOT_READABLE, CONSENT_WITHDRAWN, NO_CONSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.lineage import ReadResult
    from data_contracts.mapping.source_mapping import NamedSellers
    from data_contracts.sources.registry import Source
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
    """Text rows separated by consent.

    Attributes:
        rows: the rows that may be read.
        withheld: quarantine entries of the other rows (QUARANTINE_SCHEMA), without contents.
        nameless: numbers of the rows that may be read because they name no seller, if any rows are withheld.
        withholds_any: whether any rows are withheld.
    """

    rows: pa.Table
    withheld: pa.Table = field(default_factory=empty_quarantine)
    nameless: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    withholds_any: bool = False


def rows_by_consent(text: ReadResult, source: Source, consents: SourceConsents) -> ConsentedRows:
    """Separate text rows by the consent of the sellers that they name.

    Args:
        text: rows as read.
        source: the source of the rows; its mapping says how rows name their seller, if consent is needed.
        consents: the consents for the source.
    """
    named = source.mapping.named_sellers
    if named is None or not (consents.withholds_any or consents.parties):
        return ConsentedRows(text.rows)
    cells = _cells(text.rows, named, source.contract)
    reasons = _reasons(cells, named, consents, text.rows.num_rows)
    left = RowsLeft(text.rows.append_column(_REASON, pa.array(reasons)), text.origin)
    for place, rule_id in enumerate(WITHHELD_RULES.values()):
        left.set_aside(pc.equal(left.rows[_REASON], pa.scalar(place)), Reason(rule_id, keep_contents=False))
    names_somebody = np.zeros(text.rows.num_rows, dtype=bool)
    for name in named.naming:
        names_somebody |= _is_given(cells[name])
    return ConsentedRows(
        rows=left.rows.drop_columns(_REASON),
        withheld=left.quarantined,
        nameless=row_numbers(text.rows).to_numpy()[(reasons == _READ) & ~names_somebody],
        withholds_any=True,
    )


def sellers_of_parties(rows: pa.Table, source: Source) -> dict[str, str]:
    """Return the sellers of party references, if links between parties come from another source."""
    named = source.mapping.named_sellers
    if named is None or named.seller is None or named.party is None or named.linked:
        return {}
    cells = _cells(rows, named, source.contract)
    pairs = zip(cells[named.party].to_pylist(), cells[named.seller].to_pylist(), strict=True)
    return {party: seller for party, seller in pairs if party is not None and seller is not None}


_READ: Final = len(WITHHELD_RULES)
_REASON: Final = "_reason"


def _cells(rows: pa.Table, named: NamedSellers, contract: CompiledContract) -> dict[str, Values]:
    """Return the columns that name the seller of a row, read as casting reads them."""
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
    """Return, for each row, the position of its reason in WITHHELD_RULES, or ``_READ``."""
    found = np.full(count, _READ)
    for place, reason in enumerate(WITHHELD_RULES):
        theirs = np.zeros(count, dtype=bool)
        # A seller may appear in the network under the reference of the delivery too.
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
    """Return sorted rows with the entries of withheld rows, and without the contents of nameless rows."""
    nameless = pc.is_in(row_numbers(found.quarantined), value_set=pa.array(consented.nameless, pa.int64()))
    others = redacted(found.quarantined, nameless)
    return replace(found, quarantined=concat_quarantine([others, consented.withheld]))


def without_contents(records: pa.Table, consented: ConsentedRows) -> pa.Table:
    """Return the entries of unreadable lines, without contents if any rows are withheld."""
    if not consented.withholds_any:
        return records
    return redacted(records, pa.array(np.ones(records.num_rows, dtype=bool)))
