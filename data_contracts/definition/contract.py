"""The compiled form of a data contract: columns, rules and how to read the raw file."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

import pyarrow as pa

Bound = Decimal | date | datetime
Scope = Literal["row", "file"]
Classification = Literal["public", "internal", "confidential", "personal"]


class Severity(StrEnum):
    """What a broken rule costs: the whole file, the row, or only a line in the report."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"


class Kind(StrEnum):
    """The forms a rule can take. All but the last two judge one row at a time."""

    NOT_NULL = "not_null"
    UNIQUE = "unique"
    ENUM = "enum"
    NOT_IN = "not_in"
    PATTERN = "pattern"
    RANGE = "range"
    LENGTH = "length"
    ROW_EXPRESSION = "row_expression"
    ROW_COUNT = "row_count"
    FILE_VALUE = "file_value"


@dataclass(frozen=True)
class Bounds:
    """An interval; an absent end is open. Ends are decimals, dates or UTC timestamps, as the column is."""

    minimum: Bound | None = None
    maximum: Bound | None = None
    strict_minimum: bool = False
    strict_maximum: bool = False


@dataclass(frozen=True)
class Arguments:
    """What a rule compares with; only the fields its kind needs are filled.

    ``columns``: of a unique rule. ``values``: of an enum or not_in rule. ``pattern``: a regular expression anchored at
    both ends. ``bounds``: of a range, length, row_count or file_value rule. ``sql``: of a row_expression, a condition
    that is true for BAD rows; of a file_value, a query with one value, ``${table}`` standing for the rows.
    ``equals`` and ``differs``: of a file_value compared by ``mustBe`` or ``mustNotBe``.
    """

    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    pattern: str | None = None
    bounds: Bounds | None = None
    sql: str | None = None
    equals: Decimal | None = None
    differs: Decimal | None = None


@dataclass(frozen=True)
class Rule:
    """One statement about the data that is checked, counted and reported under ``rule_id``."""

    rule_id: str
    scope: Scope
    kind: Kind
    column: str | None
    arguments: Arguments
    severity: Severity
    description: str


@dataclass(frozen=True)
class CellSpec:
    """How the text of a raw cell becomes a value."""

    formats: tuple[str, ...] = ()
    timezone: str = "UTC"
    trim: bool = True
    round_to: int | None = None
    true_values: tuple[str, ...] = ("true", "yes")
    false_values: tuple[str, ...] = ("false", "no")
    header_optional: bool = False
    list_separator: str | None = None
    record_only: bool = False
    json_text: bool = False


@dataclass(frozen=True)
class Column:
    """A column: its name with us, its header in the raw file, its type and what it means.

    ``labels`` pairs each raw enum value with its label (in a source contract: the canonical value it stands for);
    ``locales`` pairs synonyms with the locale they belong to, where one is stated.
    """

    name: str
    header: str
    arrow_type: pa.DataType
    description: str
    description_zh: str
    classification: Classification
    required: bool = False
    unit: str | None = None
    synonyms: tuple[str, ...] = ()
    locales: tuple[tuple[str, str], ...] = ()
    enum: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    cell: CellSpec = field(default_factory=CellSpec)


@dataclass(frozen=True)
class SheetSpec:
    """A sheet of a workbook whose sheets differ: the columns it needs, and how many rows its heading may take."""

    name: str
    needs: tuple[str, ...]
    optional: bool = False
    header_rows: int = 1


@dataclass(frozen=True)
class Tags:
    """What the first field of a line says, where lines differ: header, row, number of rows, or frame without rows."""

    header: str
    row: str
    count: str
    frame: tuple[str, ...]


@dataclass(frozen=True)
class ReadSpec:
    """The outer form of a raw file, as the contract's server entry declares it."""

    format: Literal["delimited", "json", "jsonl", "xlsx", "tabular", "tagged", "xml"]
    delimiter: str = ","
    encoding: str = "utf-8"
    quote: str | None = None
    quoted_newlines: bool = False
    decimal_mark: str = "."
    thousands_mark: str | None = None
    preamble: bool = False
    locale_column: str | None = None
    extra_columns: Literal["warn", "allow", "refuse"] = "warn"
    exactly_one_of: tuple[tuple[str, ...], ...] = ()
    missing_tokens: tuple[str, ...] = ()
    record_path: tuple[str, ...] = ()
    item_path: str | None = None
    item_lists: tuple[str, ...] = ()
    whole_records: bool = False
    sheet: str | None = None
    sheets: tuple[SheetSpec, ...] = ()
    sheet_column: str | None = None
    tags: Tags | None = None
    ignore_namespaces: bool = False
    declared_encodings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verification:
    """How the form of a source is known, in words.

    ``verified``: an official page says so, or independent files agree. ``third_party``: one file or code of others.
    ``not_verified``: nothing was seen.
    """

    verified: str = ""
    third_party: str = ""
    not_verified: str = ""


@dataclass(frozen=True)
class CompiledContract:
    """A contract ready for use. ``read_spec`` is None for canonical tables, which are never read from raw text."""

    contract_id: str
    version: str
    table: str
    title: str
    purpose: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    primary_key: tuple[str, ...]
    read_spec: ReadSpec | None
    known_lag_days: int
    digest: str
    verification: Verification = Verification()
    retention_days: int | None = None

    @property
    def identity(self) -> str:
        """Name and version as written into the lineage of every row: ``id@version``."""
        return f"{self.contract_id}@{self.version}"

    @property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema of the typed rows; a field is nullable unless its column is required."""
        return pa.schema([pa.field(c.name, c.arrow_type, nullable=not c.required) for c in self.columns])

    def column(self, name: str) -> Column:
        """Gives the column called ``name``; KeyError when the contract has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def row_rules(self) -> tuple[Rule, ...]:
        """The rules that judge single rows, in contract order."""
        return tuple(rule for rule in self.rules if rule.scope == "row")

    def file_rules(self) -> tuple[Rule, ...]:
        """The rules that judge a file or table as a whole, in contract order."""
        return tuple(rule for rule in self.rules if rule.scope == "file")
