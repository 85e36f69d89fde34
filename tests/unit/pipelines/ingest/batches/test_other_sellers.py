"""What a file says about its seller does not depend on the files of other sellers, whatever their faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from pipelines.ingest.batches.batch import BatchRequest, ingest_batch
from pipelines.ingest.deliveries.manifest import find_deliveries
from tests.factories.raw_files import HMAC_KEY, RawFile, ingest_settings, write_raw_folder
from tests.property.test_missing_columns import SAMPLES, Outcome, changed_files, outcome_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.slow

# These name their parties or sellers themselves, or loans, whose numbers are the same everywhere.
ABOUT_THE_SAME = {
    *("bods_statements", "company_links", "gleif_entities", "gleif_relations", "cumcm_firms", "template_repayment"),
}
SOURCES = sorted(source for source in SAMPLES if source not in ABOUT_THE_SAME and not source.startswith("lender_"))


def ingested(folder: Path, source: str, files: Mapping[str, tuple[str, bytes]]) -> dict[str, Outcome]:
    """Return the outcome of each file, delivered for the seller that stands beside it."""
    raw = [
        RawFile(name, source, data.replace(b"S000001", seller.encode()), seller, "A1")
        for name, (seller, data) in files.items()
    ]
    settings = ingest_settings()
    write_raw_folder(folder, raw)
    delivered = tuple(find_deliveries(folder, settings).files)
    result = ingest_batch(BatchRequest(folder, source, delivered, settings.recorded_at, {}, HMAC_KEY))
    return {counts.file: outcome_of(counts.file, result.tables, counts) for counts in result.file_counts}


def damaged_files(folder: Path, source: str, data: bytes) -> dict[str, bytes]:
    """Return those changed files that can be ingested at all: without a column, with a renamed one, cut short."""
    files = changed_files(source, data)
    lines = data.splitlines(keepends=True)
    if len(lines) > 2:
        files["without the last line"] = b"".join(lines[:-1])
    readable = {}
    for number, (name, changed) in enumerate(files.items()):
        try:
            ingested(folder / f"{number}", source, {"b": ("S000001", changed)})
        except InputRefused:
            continue
        readable[name] = changed
    return readable


@pytest.mark.parametrize("source", SOURCES)
def test_damaged_files_of_other_sellers_change_nothing(tmp_path: Path, source: str) -> None:
    own = ("S000001", SAMPLES[source])
    alone = ingested(tmp_path / "alone", source, {"a own": own})["a own"]
    damaged = damaged_files(tmp_path / "damaged", source, SAMPLES[source])
    others = {
        f"b {number}": (f"S1{number:05}", changed)
        for number, changed in enumerate([SAMPLES[source], *damaged.values()])
    }
    assert ingested(tmp_path / "together", source, {"a own": own, **others})["a own"] == alone
    # Whether a file comes before or after another's decides nothing either.
    assert ingested(tmp_path / "last", source, {**others, "c own": own})["c own"] == alone
