"""The related parties of the sellers that the explanation page shows, with every row that states a link."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from features.related_parties import related_finder
from pipelines.runs.publish import read_parquet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from features.catalogue import FeatureSet
    from features.related_parties import Columns, RelatedParties
    from models.explanation.explanation import Explanation


def explained_links(
    explanation: Explanation, feature_set: FeatureSet, tables: Path, matrix: pa.Table
) -> dict[str, RelatedParties]:
    """Return the related parties behind the lines and raised flags of the sellers shown, by their role on the page.

    Args:
        explanation: with the sellers, each as of a date.
        feature_set: the features of the model.
        tables: folder of the canonical tables.
        matrix: seller_id, as_of and features.
    """

    def read(columns: Columns) -> dict[str, pa.Table]:
        files = {name: tables / f"{name}.parquet" for name in columns}
        return {name: read_parquet(file, columns[name]) for name, file in files.items() if file.is_file()}

    behind = related_finder(feature_set, read, matrix)
    found: dict[str, RelatedParties] = {}
    for local in explanation.local:
        values = [(line.feature, line.value) for line in local.lines]
        links = None if local.as_of is None else behind(local.seller_id, local.as_of, values)
        if links is not None and links.signals:
            found[local.role] = links
    return found


def links_document(found: Mapping[str, RelatedParties]) -> dict[str, Any]:
    """Return the related parties by role as JSON values."""
    return {
        role: {
            "seller_id": links.seller,
            "features": [
                {"feature": signal.record.name, "paths": [_plain(asdict(path)) for path in signal.paths]}
                for signal in links.signals
            ],
        }
        for role, links in found.items()
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 - walks any JSON
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value
