"""No column of a payout export can be left out or renamed so that money changes without a word."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from data_contracts.errors import InputRefused
from data_contracts.sources.registry import known_source, mapped_sources
from pipelines.ingest.batches.batch import BatchRequest, ingest_batch
from pipelines.ingest.deliveries.manifest import find_deliveries
from tests.factories.files.delimited_samples import DelimitedSample, delimited_samples
from tests.factories.raw_files import HMAC_KEY, RawFile, ingest_settings, write_raw_folder

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

FIGURES = ("event_type", "event_date", "amount", "amount_usd", "currency", "status")
SAMPLES = [
    sample
    for sample in delimited_samples()
    if sample.source in mapped_sources() and "money_event" in known_source(sample.source).mapping.covered_tables
]


@dataclass(frozen=True)
class Outcome:
    """What a delivery says about money, how many rows it loses, and what it is remarked for."""

    money: Counter[Any]
    set_aside: int
    remarks: tuple[object, ...]


def read(folder: Path, sample: DelimitedSample) -> Outcome:
    data = sample.as_delivered(sample.as_csv())
    write_raw_folder(folder, [RawFile(f"{sample.source}.csv", sample.source, data, "S000001", "A1")])
    settings = ingest_settings()
    files = tuple(find_deliveries(folder, settings).files)
    result = ingest_batch(BatchRequest(folder, sample.source, files, settings.recorded_at, {}, HMAC_KEY))
    (counts,) = result.file_counts
    events = result.tables["money_event"]
    money = Counter(zip(*(events[name].to_pylist() for name in FIGURES), strict=True))
    return Outcome(money, counts.set_aside, (sorted(counts.warnings.items()), counts.notes, counts.rejected_by))


def without(sample: DelimitedSample, place: int) -> DelimitedSample:
    rows = tuple((*row[:place], *row[place + 1 :]) for row in sample.rows)
    return replace(sample, header=(*sample.header[:place], *sample.header[place + 1 :]), rows=rows)


def renamed(sample: DelimitedSample, place: int) -> DelimitedSample:
    return replace(sample, header=(*sample.header[:place], "Zqx", *sample.header[place + 1 :]))


@pytest.mark.parametrize("sample", [pytest.param(sample, id=sample.source) for sample in SAMPLES])
def test_a_column_left_out_or_renamed_is_refused_or_told_or_changes_no_money(
    sample: DelimitedSample, tmp_path: Path
) -> None:
    whole = read(tmp_path / "whole", sample)
    assert whole.money
    silent = []
    for place, name in enumerate(sample.header):
        for changed in (without(sample, place), renamed(sample, place)):
            try:
                found = read(tmp_path / f"{place}-{len(changed.header)}", changed)
            except InputRefused:
                continue
            is_told = found.set_aside > whole.set_aside or found.remarks != whole.remarks
            if found.money != whole.money and not is_told:
                silent.append(name)
    assert not silent
