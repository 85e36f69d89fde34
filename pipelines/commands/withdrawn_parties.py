"""Rows of the company network that belong to sellers who withdrew their consent: parties, links and matches.

A link belongs to every seller that owns one of its ends, a match to every seller that owns one of its two parties. Rows
of public registers, for which no seller is asked, stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.sources.registry import source_mapping

if TYPE_CHECKING:
    from collections.abc import Set

    from numpy.typing import NDArray

    from data_contracts.arrow import Values
    from pipelines.commands.expired_content import Limits

ENDS: Final = {
    "party": ("party_id",),
    "party_link": ("from_party_id", "to_party_id"),
    "party_match": ("left_party_id", "right_party_id"),
}
"""The tables of the network, with the columns that name their parties."""
_MATCHES: Final = "party_match"


def withdrawn_network_rows(name: str, table: pa.Table, parties: pa.Table | None, limits: Limits) -> NDArray[np.bool_]:
    """Return which rows of a table of the network belong to a seller without a consent in force.

    Args:
        name: one of ``ENDS``.
        table: its rows.
        parties: the table ``party`` of the same run, which says whose a party is; None if there is none.
        limits: the consents.
    """
    gone = np.zeros(table.num_rows, dtype=bool)
    if parties is None or not limits.sellers:
        return gone
    sources: Values = table["source"].cast(pa.string())
    for source in pc.unique(sources).to_pylist():
        owned = _withdrawn_parties(parties, source, limits, only_of_matches=name == _MATCHES)
        named = np.zeros(table.num_rows, dtype=bool)
        for column in ENDS[name]:
            named |= pc.is_in(table[column].cast(pa.string()), pa.array(sorted(owned), pa.string())).to_numpy()
        gone |= named & pc.equal(sources, pa.scalar(source)).to_numpy()
    return gone


def _withdrawn_parties(parties: pa.Table, source: str, limits: Limits, *, only_of_matches: bool) -> Set[str]:
    """Return the parties of sellers who withdrew a source; for matches, those that a withdrawn source described."""
    found = set()
    for row in parties.group_by(["party_id", "seller_id", "source"]).aggregate([]).to_pylist():
        asked = (str(row["source"]) if only_of_matches else source).partition("@")[0]
        if _asks_sellers(asked) and limits.is_withdrawn(str(row["seller_id"]), asked):
            found.add(str(row["party_id"]))
    return found


def _asks_sellers(source: str) -> bool:
    """Return whether rows of a source are read only with the consent of the sellers that they name."""
    return source_mapping(source).named_sellers is not None
