"""How densely nodes are tied to each other: the k-core of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from features.graph.edges import incidence
from features.graph.pieces import spans

if TYPE_CHECKING:
    from numpy.typing import NDArray


def core_numbers(start: NDArray[np.int64], end: NDArray[np.int64], node_count: int) -> NDArray[np.int64]:
    """Return, for each node, the largest k so that it is among nodes each tied to k others of them.

    Nodes with too few ties leave together, then those that lost too many by it, and so on; each tie is looked at once
    from either end. Ties have no direction here, and repeated ones count once.
    """
    apart = start != end
    ends = np.concatenate([start[apart], end[apart]]), np.concatenate([end[apart], start[apart]])
    ties = incidence(*ends, (node_count, node_count))
    first, degree = ties.indptr[:-1].astype(np.int64), np.diff(ties.indptr).astype(np.int64)
    ties_of, left_ties = degree.copy(), degree
    core = np.zeros(node_count, dtype=np.int64)
    is_gone = degree == 0
    staying, k = np.flatnonzero(~is_gone), 0
    while len(staying):
        k = max(k, int(left_ties[staying].min()))
        leaving = staying[left_ties[staying] <= k]
        while len(leaving):
            core[leaving] = k
            is_gone[leaving] = True
            near = ties.indices[spans(first[leaving], ties_of[leaving])]
            touched, lost = np.unique(near[~is_gone[near]], return_counts=True)
            left_ties[touched] -= lost
            leaving = touched[left_ties[touched] <= k].astype(np.int64)
        staying = staying[~is_gone[staying]]
    return core
