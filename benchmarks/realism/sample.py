"""Turn the settings of a world into the labelled sample of the pipeline, with the pipeline's own functions.

It skips only what changes no figure: hashing and publishing of files, the report of Great Expectations (whose counts
must equal those of the row checks, which do run), and features at dates that neither training nor test uses.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import table_contract
from features.build import build_features
from features.catalogue import load_feature_set
from features.delinquency import default_dates
from models.training.dataset import Dataset, Split, split_out_of_time
from models.training.labels import performance_labels
from pipelines.features.stage import components_of, observe
from pipelines.ingest.stage import ingest_folder
from pipelines.train.samples import sample_at
from realism.fits import booster_auc, tuned_boosters
from simulator.writing import write_world

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from features.catalogue import FeatureSet
    from models.training.labels import Labels
    from pipelines.profiles import Profile
    from realism.fits import Boosters

HMAC_KEY = bytes(range(32))  # for pseudonyms of one run; no figure depends on them


@dataclass(frozen=True)
class WorldSample:
    """What the pipeline knows about one world.

    Attributes:
        profile: Settings of the world and of the pipeline.
        tables: Canonical tables that passed their contracts.
        observations: Sellers with an open loan at every date of the profile.
        labels: Outcomes of the observations with a complete window.
        defaults: First default of every seller that has one.
        matrix: Features of the observations at the dates of training and test.
        feature_set: The profile's feature set.
        dataset: Labelled observations at these dates.
        split: Out-of-time split by component, as in the profile.
        seconds: Seconds of each stage.
        rows: Raw rows read, and rows set aside by contracts.
    """

    profile: Profile
    tables: Mapping[str, pa.Table]
    observations: pa.Table
    labels: Labels
    defaults: pa.Table
    matrix: pa.Table
    feature_set: FeatureSet
    dataset: Dataset
    split: Split
    seconds: Mapping[str, float]
    rows: Mapping[str, int]

    @cached_property
    def boosters(self) -> Boosters:
        """Rounds and seeds of the boosters that the measures compare."""
        if self.profile.world is None:
            raise ValueError("realism needs a synthetic world")
        return tuned_boosters(self.split.train, self.profile.training, self.profile.world.seed)

    @cached_property
    def lightgbm_auc(self) -> float:
        """Out-of-time AUC of the booster on all features and training rows, with which several measures compare."""
        return booster_auc(self.split.train, self.split.test, self.profile.training, self.boosters)


class _Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Book the time since the last lap."""
        now = time.perf_counter()
        self.seconds[stage] = round(now - self._last, 2)
        self._last = now


def make_sample(profile: Profile, folder: Path) -> WorldSample:
    """Write the world of a profile into a folder, read and check it, build its features and label them."""
    if profile.world is None or profile.target.performance is None:
        raise ValueError("realism needs a synthetic world with dated defaults")
    clock = _Clock()
    write_world(profile.world, folder, processes=2)
    clock.lap("world")
    ingested = ingest_folder(folder / "raw", profile.ingest, HMAC_KEY)
    clock.lap("ingest")
    checked = {name: check_rows(table, table_contract(name)) for name, table in sorted(ingested.tables.items())}
    tables = {name: result.accepted for name, result in checked.items()}
    clock.lap("checks")
    observations = observe(tables, profile.observations)
    defaults = default_dates(tables["repayment"], profile.target.days_past_due)
    labels = performance_labels(observations, defaults, profile.target.performance)
    clock.lap("labels")
    feature_set = load_feature_set(profile.features.feature_set)
    used = used_observations(profile, observations)
    matrix = build_features(tables, used, feature_set).table
    clock.lap("features")
    dataset = _dataset(profile, matrix, labels, components_of(tables, used))
    if profile.split is None:
        raise ValueError("realism needs an out-of-time split")
    return WorldSample(
        profile=profile,
        tables=tables,
        observations=observations,
        labels=labels,
        defaults=defaults,
        matrix=matrix,
        feature_set=feature_set,
        dataset=dataset,
        split=split_out_of_time(dataset, profile.split),
        seconds=clock.seconds,
        rows={
            "raw_rows": sum(account.rows_in for account in ingested.file_counts),
            "quarantined_rows": ingested.quarantine.num_rows,
            "rows_set_aside_by_table_contracts": sum(r.rows_in - r.accepted.num_rows for r in checked.values()),
        },
    )


def used_observations(profile: Profile, observations: pa.Table) -> pa.Table:
    """Return the observations at dates of training or test; embargoed and immature dates need no features."""
    return observations.filter(pc.is_in(observations["as_of"], value_set=pa.array(_used_days(profile), pa.date32())))


def _used_days(profile: Profile) -> list[object]:
    split, target = profile.split, profile.target.performance
    if split is None or target is None:
        raise ValueError("realism needs an out-of-time split and dated defaults")
    found: list[object] = []
    for day in profile.observations.as_of_dates():
        is_mature = (target.data_until - day).days >= target.performance_days + target.reporting_lag_days
        is_training = (split.test_from - day).days >= split.performance_days
        if is_training or (is_mature and day >= split.test_from):
            found.append(day)
    return found


def _dataset(profile: Profile, matrix: pa.Table, labels: Labels, components: pa.Table) -> Dataset:
    days = pa.array(_used_days(profile), pa.date32())
    table = labels.table.filter(pc.is_in(labels.table["as_of"], value_set=days))
    feature_set = load_feature_set(profile.features.feature_set)
    return sample_at(matrix, labels._replace(table=table), components, feature_set)
