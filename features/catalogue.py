"""The catalogue of features, and the named, ordered, hashed feature sets that models are trained on."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data_contracts.definition.compiler import table_contract
from data_contracts.errors import ConfigurationRefused
from data_contracts.strict_yaml import read_yaml
from features.engine.views import AS_OF_VIEWS
from features.families import PillarFile
from features.graph.signals import NEIGHBOUR_MEAN, SIGNALS
from features.policy import load_policy
from features.quantities import quantity
from features.record import PILLARS, DerivedFeature, Feature, FeatureRecord, GraphFeature, Name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from features.record import Pillar

__all__ = [
    "DerivedFeature",
    "Feature",
    "FeatureRecord",
    "FeatureSet",
    "GraphFeature",
    "feature_records",
    "feature_set_names",
    "load_feature_set",
    "select_features",
]

# A table that states the outcome, and columns that state it in any table: no feature may read them.
LABEL_TABLES: frozenset[str] = frozenset({"credit_record"})
LABEL_COLUMNS: frozenset[str] = frozenset({"credit_rating", "is_default", "default_date"})

_SUFFIX = ".yaml"


@dataclass(frozen=True)
class FeatureSet:
    """An ordered choice of features, with everything they are computed from.

    Attributes:
        name: name of the set.
        version: version of the set; changes with its members.
        description: what the set is for.
        records: the features, in the order of the model's columns.
        inputs: further records that derived and graph features need, each after its own inputs.
        same_from_score: name matches (``party_match``) with this score or more merge two parties into one node of the
            graph of related parties. None keeps every party separate.
    """

    name: str
    version: str
    description: str
    records: tuple[FeatureRecord, ...]
    inputs: tuple[FeatureRecord, ...]
    same_from_score: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(record.name for record in self.records)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all records and inputs, words included, and of the matching threshold."""
        content: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "records": [record.model_dump(mode="json") for record in self.records],
            "inputs": [record.model_dump(mode="json") for record in self.inputs],
        }
        if self.same_from_score is not None:
            content["same_from_score"] = self.same_from_score
        text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    def record(self, name: str) -> FeatureRecord:
        """Return the feature of that name.

        Raises:
            KeyError: the set has no such feature.
        """
        for record in self.records:
            if record.name == name:
                return record
        raise KeyError(name)


class _SetFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    description: Annotated[str, Field(min_length=10)]
    features: Annotated[tuple[str, ...], Field(min_length=1)]
    same_from_score: Annotated[float, Field(gt=0, le=1)] | None = None


@functools.cache
def feature_records() -> tuple[FeatureRecord, ...]:
    """Return every record of the catalogue: the quantities that features need, then the features pillar by pillar.

    Raises:
        ConfigurationRefused: a file of ``features/pillars`` is not valid.
    """
    features = tuple(record for pillar in PILLARS for record in _records_of(pillar))
    needed: dict[str, FeatureRecord] = {}
    for record in features:
        for name in _needed(record):
            found = quantity(name)
            if found is not None:
                needed[name] = found
    return (*needed.values(), *features)


def _records_of(pillar: Pillar) -> tuple[FeatureRecord, ...]:
    file = f"features/pillars/{pillar}{_SUFFIX}"
    content = read_yaml(resources.files("features.pillars").joinpath(f"{pillar}{_SUFFIX}").read_bytes(), file)
    try:
        return PillarFile.model_validate(content).records(pillar, load_policy())
    except ValueError as error:  # ValidationError of pydantic is one
        raise ConfigurationRefused(f"{file}: {' '.join(str(error).split())}", "correct the file") from error


def feature_set_names() -> tuple[str, ...]:
    """Return the names of the packaged sets, in alphabetical order."""
    files = resources.files("features.sets").iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


def load_feature_set(name: str) -> FeatureSet:
    """Load a packaged set by name, or a YAML file by path.

    Raises:
        ConfigurationRefused: the set does not exist; or it names unknown features, intermediate quantities, one feature
            twice, or a feature that reads the outcome.
    """
    text = _set_text(name)
    try:
        content = _SetFile.model_validate(read_yaml(text, f"feature set {name}"))
    except ValidationError as error:
        reason = " ".join(str(error).split())
        raise ConfigurationRefused(f"feature set {name}: {reason}", "correct the file") from error
    chosen = select_features(content.name, content.version, content.features, description=content.description)
    return replace(chosen, same_from_score=content.same_from_score)


def select_features(
    name: str,
    version: str,
    names: Iterable[str],
    *,
    description: str = "",
    catalogue: Iterable[FeatureRecord] | None = None,
) -> FeatureSet:
    """Build a set of the named features in the given order, checked as ``load_feature_set`` checks it.

    Raises:
        ConfigurationRefused: as in ``load_feature_set``.
    """
    chosen = tuple(names)
    known = _by_name(feature_records() if catalogue is None else catalogue)
    known |= {each: found for each in chosen if each not in known and (found := quantity(each)) is not None}
    _refuse(name, "names a feature twice", sorted({each for each in chosen if chosen.count(each) > 1}))
    _refuse(name, "names features that do not exist", [each for each in chosen if each not in known])
    _refuse(
        name,
        "names intermediate quantities, which only feed other features",
        [each for each in chosen if known[each].is_intermediate],
    )
    records = tuple(known[each] for each in chosen)
    inputs = _inputs(name, records, known)
    _refuse_labels(name, (*records, *inputs))
    signals = {record.signal for record in records if isinstance(record, GraphFeature)}
    _refuse(name, "needs signals that do not exist", signals - set(SIGNALS) - {NEIGHBOUR_MEAN})
    return FeatureSet(name, version, description, records, inputs)


def only(feature_set: FeatureSet, name: str) -> FeatureSet:
    """Return the set of one of its features, with what that is computed from.

    Raises:
        ConfigurationRefused: the set has no such feature.
    """
    if name not in feature_set.names:
        raise ConfigurationRefused(
            f"feature set {feature_set.name} has no feature {name!r}", "passport features list names them"
        )
    return select_features(feature_set.name, feature_set.version, [name])


def _set_text(name: str) -> str:
    packaged = resources.files("features.sets").joinpath(f"{name}{_SUFFIX}")
    if re.fullmatch(r"[a-z][a-z0-9_]*", name) and packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    path = Path(name)
    if path.suffix == _SUFFIX and path.is_file():
        return path.read_text(encoding="utf-8")
    known = ", ".join(feature_set_names())
    raise ConfigurationRefused(f"there is no feature set {name!r}", f"use one of {known}, or the path of a YAML file")


def _by_name(records: Iterable[FeatureRecord]) -> dict[str, FeatureRecord]:
    known: dict[str, FeatureRecord] = {}
    for record in records:
        if record.name in known:
            raise ConfigurationRefused(f"two features are named {record.name!r}", "give each feature its own name")
        known[record.name] = record
    return known


def _inputs(
    name: str, records: tuple[FeatureRecord, ...], known: Mapping[str, FeatureRecord]
) -> tuple[FeatureRecord, ...]:
    """Return everything the records are computed from and that is not among them, inputs first."""
    found: dict[str, FeatureRecord] = {}
    open_names: list[str] = []

    def visit(record: FeatureRecord) -> None:
        if record.name in found:
            return
        _refuse(name, "needs features in a cycle", [record.name] if record.name in open_names else [])
        open_names.append(record.name)
        inputs = {each: known.get(each) or quantity(each) for each in _needed(record)}
        unknown = [each for each, found in inputs.items() if found is None]
        _refuse(name, f"has {record.name}, which needs unknown features", unknown)
        for each in inputs.values():
            if each is not None:
                visit(each)
        open_names.pop()
        found[record.name] = record

    for record in records:
        visit(record)
    chosen = {record.name for record in records}
    return tuple(record for record in found.values() if record.name not in chosen)


def _needed(record: FeatureRecord) -> tuple[str, ...]:
    if isinstance(record, DerivedFeature):
        return record.inputs()
    if isinstance(record, GraphFeature) and record.neighbour_feature is not None:
        return (record.neighbour_feature,)
    return ()


def _refuse_labels(name: str, records: Iterable[FeatureRecord]) -> None:
    for record in records:
        tables = record.tables if isinstance(record, GraphFeature) else ()
        columns: tuple[str, ...] = ()
        if isinstance(record, Feature):
            tables, columns = (record.table,), record.columns()
        outcome = [*(LABEL_TABLES & set(tables)), *(LABEL_COLUMNS & set(columns))]
        _refuse(name, f"has {record.name}, which reads the outcome", outcome)
        if isinstance(record, Feature):
            available = _columns_of(record.table)
            _refuse(name, f"has {record.name}, which reads columns that {record.table} lacks", set(columns) - available)


def _columns_of(table: str) -> set[str]:
    if table in AS_OF_VIEWS:
        return set(AS_OF_VIEWS[table].columns)
    return {column.name for column in table_contract(table).columns}


def _refuse(name: str, what: str, offending: Iterable[str]) -> None:
    listed = ", ".join(sorted(offending))
    if listed:
        raise ConfigurationRefused(f"feature set {name} {what}: {listed}", "correct the set or the feature record")
