"""The related parties behind the main reasons and the raised flags of a scored row, found for passports alone."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Final

from features.related_parties import (
    asked_features,
    columns_of_links,
    graph_features,
    path_finder,
    raised_flags,
    related_parties,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    import pyarrow as pa

    from features.catalogue import FeatureSet
    from features.graph.evidence import PathFinder
    from features.related_parties import RelatedParties
    from pipelines.passports.passport import Row

    Columns = Mapping[str, list[str]]
    Found = Callable[[Row], RelatedParties | None]

_DATES_KEPT: Final = 2


def related_reader(
    feature_set: FeatureSet, read: Callable[[Columns], Mapping[str, pa.Table]], described: pa.Table
) -> Found:
    """Return the function that finds the related parties of a scored row.

    Args:
        feature_set: the features of the model.
        read: returns the tables that exist, with at least these columns; called once a date needs links.
        described: seller_id, as_of and the features that were scored.
    """
    records = graph_features(feature_set)
    raised = raised_flags(records, described)

    @functools.lru_cache(_DATES_KEPT)
    def finder(as_of: date) -> PathFinder:
        return path_finder(feature_set, read(columns_of_links(records.values())), as_of)

    def found(row: Row) -> RelatedParties | None:
        reasons = json.loads(row["reasons"])
        values = [(one["feature"], one["value"]) for one in (*reasons["for"], *reasons["against"])]
        asked = asked_features(records, values, raised.get((row["seller_id"], row["as_of"]), ()))
        return related_parties(finder(row["as_of"]), asked, row["seller_id"]) if asked else None

    return found
