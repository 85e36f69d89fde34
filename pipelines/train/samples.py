"""The labelled sample of a profile: features, outcomes and related-party components, with every drop counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from features.catalogue import FeatureSet, load_feature_set
from features.delinquency import default_dates
from models.components.encoding import feature_facts
from models.training.dataset import Dataset, assemble
from models.training.labels import Labels, performance_labels, recorded_labels
from pipelines.runs.data_gate import validated_output
from pipelines.runs.publish import read_parquet
from pipelines.runs.stages import Place, current_output
from pipelines.train.consents import NO_TRAINING_CONSENT, may_train

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from pipelines.profiles import Profile

OUTCOME_TABLE = {"days_past_due": "repayment", "recorded": "credit_record"}


@dataclass(frozen=True)
class SampleFiles:
    """The published files of a labelled sample."""

    matrix: Path
    components: Path
    outcomes: Path
    coverage: Path
    consents: Path

    @classmethod
    def of(cls, profile: Profile, place: Place) -> SampleFiles:
        """Return the current files of a profile."""
        outcomes = validated_output(place, f"tables/{OUTCOME_TABLE[profile.target.kind]}.parquet")
        return cls(
            matrix=current_output(place, "features", "matrix.parquet"),
            components=current_output(place, "features", "components.parquet"),
            outcomes=outcomes,
            coverage=validated_output(place, "tables/source_coverage.parquet"),
            consents=validated_output(place, "tables/consent.parquet"),
        )

    def named(self) -> dict[str, Path]:
        """Return the files under the names they have in a manifest."""
        files = {"matrix": self.matrix, "components": self.components, "outcomes": self.outcomes}
        files |= {"coverage": self.coverage, "consents": self.consents}
        # A delivery may hold no consents, and tables of another origin no coverage.
        return {name: path for name, path in files.items() if path.is_file()}


@dataclass(frozen=True)
class LabelledSample:
    """Observations with outcomes; ``start == kept + sum(dropped.values())`` observations.

    ``sellers_without_consent`` did not consent to training; their observations are among those dropped.
    """

    dataset: Dataset
    feature_set: FeatureSet
    matrix: pa.Table
    start: int
    dropped: dict[str, int]
    sellers_without_consent: int = 0


def labelled_sample(profile: Profile, files: SampleFiles) -> LabelledSample:
    """Join the current matrix with outcomes: days past due in the performance window, or a recorded flag.

    Observations of sellers who did not consent to training are dropped first, and counted.
    """
    matrix = read_parquet(files.matrix)
    feature_set = load_feature_set(profile.features.feature_set)
    observed = at_last_date(matrix, profile) if profile.target.kind == "recorded" else matrix
    kept = with_consent(observed, profile, files)
    left_out = sellers_of(observed) - sellers_of(kept)
    labels = label(profile, kept, read_parquet(files.outcomes), profile.observations.last_as_of)
    dataset = sample_at(kept, labels, read_parquet(files.components), feature_set)
    dropped = {NO_TRAINING_CONSENT: observed.num_rows - kept.num_rows, **labels.counts}
    dropped = {reason: rows for reason, rows in dropped.items() if reason not in ("good", "bad") and rows}
    return LabelledSample(dataset, feature_set, matrix, dataset.n + sum(dropped.values()), dropped, len(left_out))


def with_consent(observed: pa.Table, profile: Profile, files: SampleFiles) -> pa.Table:
    """Return the observations of sellers whose data may train a model."""
    return observed.filter(may_train(observed, files.consents, files.coverage, profile.ingest))


def sellers_of(observed: pa.Table) -> set[str]:
    """Return the sellers that are observed."""
    return {str(seller) for seller in pc.unique(observed["seller_id"]).to_pylist()}


def label(profile: Profile, observed: pa.Table, outcomes: pa.Table, as_of: date) -> Labels:
    """Return the outcomes of ``observed``; outcomes without a date count as of ``as_of``."""
    target = profile.target
    if target.performance is None:
        return recorded_labels(outcomes, as_of)
    observations = observed.select(["seller_id", "as_of"])
    return performance_labels(observations, default_dates(outcomes, target.days_past_due), target.performance)


def sample_at(observed: pa.Table, labels: Labels, components: pa.Table, feature_set: FeatureSet) -> Dataset:
    """Return labelled observations with the features of a set.

    Raises:
        ValueError: a label has no row in the matrix.
    """
    assembled = assemble(observed, labels.table, components, feature_facts(feature_set.records))
    if assembled.counts["label_without_features"]:
        raise ValueError(f"{assembled.counts['label_without_features']} labels have no row in the feature matrix")
    return assembled.dataset


def at_last_date(matrix: pa.Table, profile: Profile) -> pa.Table:
    """Return the rows of a matrix at the profile's last observation date."""
    return at_date(matrix, profile.observations.last_as_of)


def at_date(matrix: pa.Table, as_of: date) -> pa.Table:
    """Return the rows of a matrix at one observation date."""
    return matrix.filter(pc.equal(matrix["as_of"], pa.scalar(as_of, pa.date32())))
