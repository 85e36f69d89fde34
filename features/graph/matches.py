"""Which matches of parties (canonical table ``party_match``) the graph believes as of a date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from data_contracts.entities.matching import RULES

if TYPE_CHECKING:
    import pyarrow as pa

    from features.engine.as_of import Cut


def believed_pairs(matches: pa.Table, cut: Cut | None, least_score: float) -> pa.Table:
    """The pairs of parties the graph takes for one firm: ``left_party_id`` and ``right_party_id``.

    A cut of None takes every match that was not taken back. Believed is what a reviewer accepted, and what the rules
    accepted with ``least_score`` or more; a shared identifier scores 1.
    """
    visible = matches.filter(pc.is_null(matches["superseded_at"])) if cut is None else cut.visible(matches)
    is_sure = (pc.field("score") >= least_score) | (pc.field("decided_by") != RULES)
    return visible.filter(pc.field("is_accepted") & is_sure).select(["left_party_id", "right_party_id"])
