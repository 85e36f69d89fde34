"""What the report of a validation shows of single rows and sellers, without what may no longer be kept."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from pipelines.commands.expired_content import WITHDRAWN_ROWS
from pipelines.runs.publish import json_bytes, read_json, read_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Set
    from pathlib import Path

    from pipelines.commands.expired_content import Cleaned, Limits

    Clean = Callable[[pa.Table], Cleaned]

REPORT: Final = "validation.json"


def cleaned_report(run_dir: Path, limits: Limits, clean: Clean) -> tuple[bytes, Counter[str]]:
    """Return the report of a validation without expired or withdrawn examples and sellers, and what was taken out.

    Args:
        run_dir: the run.
        limits: what may be kept.
        clean: removes the contents of rows set aside that may no longer be kept (``cleaned_records``).
    """
    document, removed = read_json(run_dir / REPORT), Counter[str]()
    shown = [pair for pair in _examples(document, _sources_of_files(run_dir)) if pair[1]["value"] is not None]
    cleaned = clean(_as_records(shown))
    removed.update(cleaned.removed)
    for (_, example), kept in zip(shown, cleaned.table["value"].to_pylist(), strict=True):
        example["value"] = kept
    return json_bytes(_without_sellers(document, limits.sellers, removed)), +removed


def _examples(document: Mapping[str, Any], source_of: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each example of a row set aside with its source; that of a canonical row is the source of its file."""
    for source in document["sources"]:
        yield from ((source["name"], one) for shown in source["examples"].values() for one in shown)
    for table in document["tables"]:
        for shown in table["examples"].values():
            yield from ((source_of[one["file"]], one) for one in shown if one["file"] in source_of)


def _sources_of_files(run_dir: Path) -> dict[str, str]:
    """Return the source of each file with canonical rows that were set aside."""
    found: dict[str, str] = {}
    for path in sorted((run_dir / "quarantine").glob("*.parquet")):
        rows = read_parquet(path, ["source_file", "source"]).group_by(["source_file", "source"]).aggregate([])
        found |= {str(row["source_file"]): str(row["source"]) for row in rows.to_pylist()}
    return found


def _as_records(shown: list[tuple[str, dict[str, Any]]]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "source": [source for source, _ in shown],
        "source_file": [example["file"] for _, example in shown],
        "value": [example["value"] for _, example in shown],
        "original": [None for _ in shown],
    }
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _without_sellers(value: Any, sellers: Set[str], removed: Counter[str]) -> Any:  # noqa: ANN401 - JSON
    """Return JSON without the entries of lists that are about one of the sellers; count them."""
    if isinstance(value, dict):
        return {name: _without_sellers(part, sellers, removed) for name, part in value.items()}
    if not isinstance(value, list):
        return value
    kept = [one for one in value if not (isinstance(one, dict) and one.get("seller_id") in sellers)]
    removed[WITHDRAWN_ROWS] += len(value) - len(kept)
    return [_without_sellers(one, sellers, removed) for one in kept]
