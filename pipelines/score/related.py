"""The related parties behind the main reasons and the raised flags of a scored row, found for passports alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from features.related_parties import related_finder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from features.catalogue import FeatureSet
    from features.related_parties import Columns, RelatedParties
    from pipelines.passports.passport import Row


def related_reader(
    feature_set: FeatureSet, read: Callable[[Columns], Mapping[str, pa.Table]], described: pa.Table
) -> Callable[[Row], RelatedParties | None]:
    """Return the function that finds the related parties of a scored row; arguments as in ``related_finder``."""
    behind = related_finder(feature_set, read, described)

    def found(row: Row) -> RelatedParties | None:
        reasons = json.loads(row["reasons"])
        values = [(one["feature"], one["value"]) for one in (*reasons["for"], *reasons["against"])]
        return behind(row["seller_id"], row["as_of"], values)

    return found
