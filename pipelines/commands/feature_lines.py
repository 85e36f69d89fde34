"""The features of a set in lines for a terminal: the catalogue, one feature, and a seller's values with their rows."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.errors import ConfigurationRefused
from features.build import BuildSettings, make_plan
from features.catalogue import load_feature_set, only
from features.engine.as_of import AsOf
from features.engine.rendering import render
from features.graph.path_picture import draw_paths
from features.graph.path_words import hub_in_words, path_in_words
from features.pages import DIRECTION_WORDS, PILLAR_TITLES, formula
from features.record import DerivedFeature, GraphFeature
from features.trace import LINEAGE, TraceSource, trace_feature
from models.explanation.reasons import format_value, worded_value
from pipelines.features.stage import read_tables
from pipelines.runs.data_gate import validated_output
from pipelines.runs.publish import read_json, read_parquet
from pipelines.runs.spreadsheet_text import cell_text
from pipelines.runs.stages import current_output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from features.catalogue import FeatureSet
    from features.graph.evidence import Evidence
    from features.graph.path_words import Language
    from features.record import FeatureRecord
    from features.trace import Step
    from pipelines.profiles import Profile
    from pipelines.runs.stages import Place

_INDENT: Final = "  "
_NO_VALUE: Final = "no data"


def catalogue_lines(feature_set: FeatureSet, pillar: str | None = None) -> list[str]:
    """Return one line for each feature of a set: name, title, unit and direction, by pillar.

    Raises:
        ConfigurationRefused: there is no such pillar.
    """
    if pillar is not None and pillar not in PILLAR_TITLES:
        raise ConfigurationRefused(f"there is no pillar {pillar!r}", f"use one of {', '.join(PILLAR_TITLES)}")
    width = max(len(record.name) for record in feature_set.records)
    lines: list[str] = []
    for name in [pillar] if pillar else PILLAR_TITLES:
        members = [record for record in feature_set.records if record.pillar == name]
        if members:
            lines.append(f"{PILLAR_TITLES[name][0]} ({len(members)})")
        lines += [f"{_INDENT}{one.name:{width}}  {one.title_en} ({one.unit}; {_direction(one)})" for one in members]
    return lines


def feature_lines(feature_set: FeatureSet, name: str) -> list[str]:
    """Return what a feature is: title, meaning, formula down to the tables, unit, direction, missing and source."""
    one = only(feature_set, name)
    records = {record.name: record for record in (*one.inputs, *one.records)}
    record = records[name]
    return [
        f"{name}: {record.title_en} ({record.title_zh})",
        f"{_INDENT}{record.description}",
        f"{_INDENT}pillar     {PILLAR_TITLES[record.pillar][0]}; family {record.family}",
        f"{_INDENT}unit       {record.unit}; {_direction(record)}",
        f"{_INDENT}missing    {record.missing}",
        f"{_INDENT}reference  {record.reference}",
        f"{_INDENT}formula    {formula(record)}",
        *_input_lines(record, records, 2),
    ]


def feature_sql(feature_set: FeatureSet, name: str, as_of: date) -> str:
    """Return the SQL text that computes a feature as of a day for the sellers in ``observed``.

    Raises:
        ConfigurationRefused: the feature is read from the graph of related parties, which is not SQL.
    """
    one = only(feature_set, name)
    if isinstance(one.record(name), GraphFeature):
        raise ConfigurationRefused(
            f"{name} is read from the graph of related parties, not computed in SQL", "leave --sql out"
        )
    return render(make_plan(one, BuildSettings()), AsOf(as_of))


def seller_lines(profile: Profile, place: Place, seller: str, as_of: date | None) -> list[str]:
    """Return a seller's value of every feature as of a day, or as of the last that it was observed on.

    Raises:
        ConfigurationRefused: the seller was not observed then.
    """
    feature_set = load_feature_set(profile.features.feature_set)
    row = _observed(feature_set, place, seller, as_of)
    width = max(len(name) for name in feature_set.names)
    return [
        f"{seller} as of {row['as_of']}",
        *(f"{_INDENT}{one.name:{width}}  {_worded(row[one.name], one)}  {one.title_en}" for one in feature_set.records),
    ]


def traced(profile: Profile, place: Place, seller: str, name: str, as_of: date | None) -> tuple[date, tuple[Step, ...]]:
    """Return the day, and a seller's feature with everything that it is computed from; raise as ``seller_lines``."""
    feature_set = load_feature_set(profile.features.feature_set)
    day = _observed(feature_set, place, seller, as_of)["as_of"]
    tables = read_tables(validated_output(place, "tables"))
    return day, trace_feature(feature_set, name, TraceSource(tables, seller, day))


def trace_lines(steps: Sequence[Step], most_rows: int, language: Language = "en") -> list[str]:
    """Return a trace in lines, with at most so many rows of each step, the newest; links are told in the language."""
    lines = []
    for step in steps:
        inside = _INDENT * step.depth
        lines.append(f"{inside}{step.record.name} = {_worded(step.value, step.record)}")
        lines.append(f"{inside}{_INDENT}{formula(step.record)}")
        if step.value is None:
            lines.append(f"{inside}{_INDENT}{step.record.missing}")
        if step.rows is not None:
            lines += [f"{inside}{_INDENT}{text}" for text in _row_lines(step.rows, most_rows)]
        if step.evidence is not None:
            lines += [f"{inside}{_INDENT}{text}" for text in _link_lines(step.evidence, most_rows, language)]
    return lines


def _link_lines(evidence: Evidence, most: int, language: Language) -> list[str]:
    paths, hubs = evidence.paths[:most], evidence.hubs[:most]
    count = "1 path" if len(evidence.paths) == 1 else f"{len(evidence.paths)} paths"
    left_out = f", the first {len(paths)}" if len(paths) < len(evidence.paths) else ""
    lines = [
        f"{count}{left_out}{':' if paths else ''}",
        *(f"{_INDENT}{path_in_words(path, language)}" for path in paths),
    ]
    if evidence.hubs:
        lines.append(f"left out {len(evidence.hubs)}, shared by many sellers{':' if hubs else ''}")
    return [*lines, *(f"{_INDENT}{hub_in_words(hub, language)}" for hub in hubs)]


def rows_csv(steps: Sequence[Step]) -> bytes:
    """Return the rows behind all steps as CSV, each with the quantity that it counts in; of a path, each link."""
    traced_rows = [(step.record.name, row) for step in steps if step.rows is not None for row in step.rows.to_pylist()]
    traced_rows += [
        (step.record.name, {"path": number, **asdict(tie)})
        for step in steps
        if step.evidence is not None
        for number, path in enumerate(step.evidence.paths, start=1)
        for tie in path.ties
    ]
    columns = list(dict.fromkeys(name for _, row in traced_rows for name in row))
    text = io.StringIO(newline="")
    sheet = csv.writer(text, lineterminator="\n")
    sheet.writerow(["quantity", *columns])
    for quantity, row in traced_rows:
        cells = [quantity, *(row.get(name) for name in columns)]
        sheet.writerow([cell_text(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue().encode()


def path_picture(steps: Sequence[Step], seller: str, language: Language = "en") -> bytes:
    """Return the picture of the links behind a feature of related parties.

    Raises:
        ConfigurationRefused: no links are behind the value.
    """
    paths = [path for step in steps if step.evidence is not None for path in step.evidence.paths]
    if not paths:
        raise ConfigurationRefused(
            f"no links are behind {steps[0].record.name}", "leave --picture out, or name a feature of related parties"
        )
    return draw_paths(paths, seller, language).encode()


def _input_lines(record: FeatureRecord, records: dict[str, FeatureRecord], depth: int) -> list[str]:
    lines = []
    for each in record.inputs() if isinstance(record, DerivedFeature) else ():
        lines.append(f"{_INDENT * depth}{each}: {formula(records[each])}")
        lines += _input_lines(records[each], records, depth + 1)
    return lines


def _direction(record: FeatureRecord) -> str:
    return DIRECTION_WORDS[record.direction]


def _worded(value: float | None, record: FeatureRecord) -> str:
    if value is None:
        return _NO_VALUE
    return format_value(value) if record.is_intermediate else worded_value(value, record.unit)[0]


def _row_lines(rows: pa.Table, most: int) -> list[str]:
    shown = rows.slice(max(rows.num_rows - most, 0)).to_pylist()
    count = f"{rows.num_rows:,} row{'' if rows.num_rows == 1 else 's'}"
    left_out = f", the last {len(shown)}:" if most and len(shown) < rows.num_rows else ":" if shown and most else ""
    return [f"{count}{left_out}", *(f"{_INDENT}{_row_text(row)}" for row in shown if most)]


def _row_text(row: dict[str, Any]) -> str:
    place = f" ({row['source_file']}, row {row['source_row']})" if "source_file" in row else ""
    cells = [f"{name}={value}" for name, value in row.items() if name not in {"event_date", *LINEAGE}]
    return f"{row['event_date']} {' '.join(cells)}{place}"


def _observed(feature_set: FeatureSet, place: Place, seller: str, as_of: date | None) -> dict[str, Any]:
    """Return the row of the matrix of a seller on a day, or on its last."""
    built = read_json(current_output(place, "features", "feature_set.json"))
    if built["digest"] != feature_set.digest:
        raise ConfigurationRefused(
            f"the feature matrix was built with other definitions than those of feature set {feature_set.name}",
            f"run: passport features --profile {place.profile_name}",
        )
    matrix = read_parquet(current_output(place, "features", "matrix.parquet"))
    own = matrix.filter(pc.equal(matrix["seller_id"], pa.scalar(seller))).sort_by("as_of").to_pylist()
    if not own:
        raise ConfigurationRefused(
            f"seller {seller!r} is not in the feature matrix", "name a seller with an open loan at an observation date"
        )
    found = [row for row in own if as_of is None or row["as_of"] == as_of]
    if not found:
        raise ConfigurationRefused(
            f"seller {seller!r} was not observed as of {as_of}",
            f"use --as-of {own[-1]['as_of']}, or another end of a quarter from {own[0]['as_of']} on",
        )
    return found[-1]
