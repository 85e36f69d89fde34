"""Compile the parts of an ODCS file: its columns, its read settings and their custom properties."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa

from data_contracts.definition.contract import (
    CellSpec,
    Classification,
    Column,
    KnownForm,
    PreambleColumn,
    ReadSpec,
    RefusedHeading,
    SheetSpec,
    StatedTotal,
    Tags,
)
from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from open_data_contract_standard.model import CustomProperty, SchemaProperty, Server

_SERVER_PROPERTIES = {
    "otherDelimiters": "other_delimiters",
    "quote": "quote",
    "quotedNewlines": "quoted_newlines",
    "decimalMark": "decimal_mark",
    "thousandsMark": "thousands_mark",
    "preamble": "preamble",
    "preambleLabels": "preamble_labels",
    "localeColumn": "locale_column",
    "preambleColumn": "preamble_column",
    "recognisedBy": "recognised_by",
    "extraColumns": "extra_columns",
    "exactlyOneOf": "exactly_one_of",
    "anyOf": "any_of",
    "refusedHeadings": "refused_headings",
    "missingTokens": "missing_tokens",
    "recordPath": "record_path",
    "otherRecordPaths": "other_record_paths",
    "itemPath": "item_path",
    "itemLists": "item_lists",
    "wholeRecords": "whole_records",
    "singleRecord": "single_record",
    "valueKey": "value_key",
    "jsonInText": "json_in_text",
    "sheet": "sheet",
    "sheets": "sheets",
    "sheetColumn": "sheet_column",
    "tags": "tags",
    "statedTotal": "stated_total",
    "ignoreNamespaces": "ignore_namespaces",
    "declaredEncodings": "declared_encodings",
}
_CELL_PROPERTIES = {
    "trim": "trim",
    "roundTo": "round_to",
    "trueValues": "true_values",
    "falseValues": "false_values",
    "optionalHeader": "header_optional",
    "listSeparator": "list_separator",
    "recordOnly": "record_only",
    "jsonText": "json_text",
    "preferFirst": "prefer_first",
    "absence": "absence",
}
COLUMN_PROPERTIES = {*_CELL_PROPERTIES, "unit", "severity", "pseudonymOf", "retentionDays"}
_FORMATS = ("delimited", "json", "jsonl", "xlsx", "tabular", "tagged", "xml", "bank_table", "camt053", "mt940", "ofx")
_DEFAULT_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "number": pa.decimal128(18, 4),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
}
_PHYSICAL_TYPES: dict[tuple[str, str], pa.DataType] = {
    ("string", "dictionary"): pa.dictionary(pa.int32(), pa.string()),
    ("integer", "int32"): pa.int32(),
    ("number", "double"): pa.float64(),
}
_DECIMAL_TYPE = re.compile(r"decimal\((\d+), ?(\d+)\)", re.IGNORECASE)


def compiled_column(prop: SchemaProperty) -> Column:
    """Compile an ODCS property into a column; raise ConfigurationRefused if it has an unsupported form."""
    name = prop.name or ""
    custom = custom_properties(prop.customProperties, COLUMN_PROPERTIES, name)
    values = prop.enum or []
    if any(not isinstance(entry.value, str) for entry in values):
        # YAML parses an unquoted NO as false and an unquoted 0110 as a number.
        raise ConfigurationRefused(f"the enum of {name} has values that are not text", "put them in quotes")
    return Column(
        name=name,
        header=name if prop.physicalName is None else prop.physicalName,
        arrow_type=_arrow_type(prop),
        description=prop.description or "",
        description_zh=prop.businessName or "",
        classification=cast("Classification", prop.classification or "internal"),
        required=bool(prop.required),
        unit=custom.get("unit"),
        synonyms=tuple(dict.fromkeys(entry.synonym for entry in prop.synonyms or [] if entry.synonym)),
        locales=tuple((entry.synonym, entry.locale) for entry in prop.synonyms or [] if entry.synonym and entry.locale),
        enum=tuple(str(entry.value) for entry in values),
        labels=tuple((str(entry.value), entry.label) for entry in values if entry.label),
        retention_days=retention_days(custom.get("retentionDays"), f"column {name}"),
        cell=_cell_spec(prop, custom),
    )


def retention_days(given: object, place: str) -> int | None:
    """Return the days that rows or values are kept; raise ConfigurationRefused if they are not whole days."""
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and given > 0):
        return given
    raise ConfigurationRefused(f"{place} has retentionDays {given!r}", "state whole days, 1 or more")


def _arrow_type(prop: SchemaProperty) -> pa.DataType:
    logical, physical = prop.logicalType or "", (prop.physicalType or "").lower()
    decimal = _DECIMAL_TYPE.fullmatch(physical)
    if logical == "number" and decimal:
        return pa.decimal128(int(decimal.group(1)), int(decimal.group(2)))
    found = _PHYSICAL_TYPES.get((logical, physical)) if physical else _DEFAULT_TYPES.get(logical)
    if found is None:
        raise ConfigurationRefused(
            f"column {prop.name} has the unknown type {logical!r} {physical!r}",
            f"use one of {', '.join(_DEFAULT_TYPES)}, with physicalType dictionary, int32, double or decimal(p,s)",
        )
    return found


def _cell_spec(prop: SchemaProperty, custom: Mapping[str, Any]) -> CellSpec:
    given = {ours: _frozen(custom[theirs]) for theirs, ours in _CELL_PROPERTIES.items() if theirs in custom}
    options = prop.logicalTypeOptions or {}
    if prop.logicalType in {"date", "timestamp"} and "format" in options:
        given["formats"] = tuple(part.strip() for part in str(options["format"]).split(" | "))
    if "defaultTimezone" in options:
        given["timezone"] = options["defaultTimezone"]
    return CellSpec(**given)


def _sheets(given: Any) -> tuple[SheetSpec, ...]:  # noqa: ANN401 - contract values are free-form until checked
    return tuple(
        SheetSpec(one["name"], tuple(one["needs"]), bool(one.get("optional")), int(one.get("headerRows", 1)))
        for one in given
    )


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "record_path": lambda given: tuple(str(given).split(".")),
    "other_record_paths": lambda given: tuple(tuple(filter(None, path.split("."))) for path in given),
    "tags": lambda given: Tags(given["header"], given["row"], given["count"], tuple(given["frame"])),
    "preamble_column": lambda given: PreambleColumn(**given),
    "recognised_by": lambda given: KnownForm(**given),
    "preamble_labels": lambda given: tuple((one["column"], tuple(one["labels"])) for one in given),
    "refused_headings": lambda given: tuple(
        RefusedHeading(tuple(one["headings"]), one["rule"], one["remedy"]) for one in given
    ),
    "stated_total": lambda given: StatedTotal(**given),
    "sheets": _sheets,
}
"""How the properties of a server that are not plain values are parsed."""


def compiled_read_spec(server: Server, label: str) -> ReadSpec:
    """Compile an ODCS server entry into read settings; raise ConfigurationRefused if it has an unsupported form."""
    custom = custom_properties(server.customProperties, _SERVER_PROPERTIES, label)
    given = {ours: _frozen(custom[theirs]) for theirs, ours in _SERVER_PROPERTIES.items() if theirs in custom}
    given |= {name: parse(given[name]) for name, parse in _PARSERS.items() if name in given}
    if server.format not in _FORMATS:
        raise ConfigurationRefused(
            f"contract {label} has the unknown format {server.format!r}", f"use one of {_FORMATS}"
        )
    return ReadSpec(
        format=server.format,  # type: ignore[arg-type]
        delimiter=server.delimiter or ",",
        encoding=(server.encoding or "utf-8").lower(),
        **given,
    )


def _frozen(value: Any) -> Any:  # noqa: ANN401 - contract values are free-form until checked
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def custom_properties(
    given: Sequence[CustomProperty] | None, known: set[str] | Mapping[str, str], label: str
) -> dict[str, Any]:
    """Return custom properties by name; raise ConfigurationRefused if one is unknown."""
    properties = {entry.property or "": entry.value for entry in given or []}
    unknown = sorted(set(properties) - set(known))
    if unknown:
        raise ConfigurationRefused(
            f"{label}: unknown custom properties {', '.join(unknown)}", f"known: {sorted(known)}"
        )
    return properties
