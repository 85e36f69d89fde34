"""The matches of parties (canonical table ``party_match``) that the graph accepts as of a date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from data_contracts.entities.matching import RULES

if TYPE_CHECKING:
    import pyarrow as pa

    from features.engine.as_of import AsOf


def believed_pairs(matches: pa.Table, as_of: AsOf | None, least_score: float) -> pa.Table:
    """Return the pairs of parties that count as one firm: ``left_party_id`` and ``right_party_id``.

    A pair counts when a reviewer accepted it, or when the rules accepted it with a score of ``least_score`` or more; a
    shared identifier scores 1. Without an as-of date, every match counts that was not taken back.
    """
    visible = matches.filter(pc.is_null(matches["superseded_at"])) if as_of is None else as_of.visible(matches)
    is_sure = (pc.field("score") >= least_score) | (pc.field("decided_by") != RULES)
    return visible.filter(pc.field("is_accepted") & is_sure).select(["left_party_id", "right_party_id"])
