"""Names of a seller's firm that one source tells, for comparison with the rows of another.

They stay in memory and are stored nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from data_contracts.mapping.source_mapping import SourceMapping


def own_names(accepted: pa.Table, mapping: SourceMapping) -> dict[str, tuple[str, ...]]:
    """Return, by seller, the names of its firm in accepted rows; none if the source does not tell them."""
    if mapping.own_names is None or not accepted.num_rows:
        return {}
    pairs = mapping.own_names(accepted).to_pylist()
    return merged_names([{pair["seller"]: (pair["name"],)} for pair in pairs if pair["seller"] is not None])


def merged_names(found: Iterable[Mapping[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """Return the names of all sources by seller, each once, in alphabetical order."""
    names: dict[str, set[str]] = {}
    for one in found:
        for seller, known in one.items():
            names.setdefault(seller, set()).update(known)
    return {seller: tuple(sorted(known)) for seller, known in sorted(names.items())}


def with_own_names(rows: pa.Table, names: Mapping[str, tuple[str, ...]]) -> pa.Table:
    """Return typed rows with the known names of the seller that each was delivered for, a line each."""
    lines = {seller: "\n".join(known) for seller, known in names.items()}
    sellers: list[Any] = rows["delivered_for"].to_pylist()
    return rows.append_column("own_names", pa.array([lines.get(seller) for seller in sellers], pa.string()))
