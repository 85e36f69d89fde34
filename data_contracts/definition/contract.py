"""The compiled form of a data contract: columns, rules and read settings of the raw file."""

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
    """What a rule costs if it is broken, and if it could not be checked on a canonical table.

    - ``critical``: broken, it rejects the whole file or table. Not checked, it closes the gate: exit code 1, and later
      stages refuse the data.
    - ``error``: broken, it sets the row aside. Not checked, it closes the gate too, because the rows
      that break it are unknown.
    - ``warning``: broken or not checked, it is only counted and named.
    """

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"

    @property
    def decides(self) -> bool:
        """Whether the rule decides which rows are used, so that it must be checked."""
        return self is not Severity.WARNING


class Kind(StrEnum):
    """The forms a rule can take. All but the last two check one row at a time."""

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
    """An interval; a missing end is open. Ends are decimals, dates or UTC timestamps, like the column."""

    minimum: Bound | None = None
    maximum: Bound | None = None
    strict_minimum: bool = False
    strict_maximum: bool = False


@dataclass(frozen=True)
class Arguments:
    """The arguments of a rule; only the fields that its kind needs are set.

    ``columns``: of a unique rule. ``values``: of an enum or not_in rule. ``pattern``: a regular expression anchored at
    both ends. ``bounds``: of a range, length, row_count or file_value rule. ``sql``: of a row_expression, a condition
    that is true for BAD rows; of a file_value, a query that returns one value, with ``${table}`` in place of the rows.
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
    """One statement about the data, checked, counted and reported under its ``rule_id``.

    ``casts_doubt``: the figures of a file that breaks it contradict each other (ODCS dimension ``consistency``). If it
    only warns, the scores of the file's sellers say so.
    """

    rule_id: str
    scope: Scope
    kind: Kind
    column: str | None
    arguments: Arguments
    severity: Severity
    description: str
    casts_doubt: bool = False


@dataclass(frozen=True)
class CellSpec:
    """How the text of a raw cell is parsed into a value."""

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
    prefer_first: bool = False
    absence: str | None = None


@dataclass(frozen=True)
class Column:
    """A column: its canonical name, its header in the raw file, its type and its meaning.

    ``retention_days``: days after which a personal value is removed (``passport retain``); None if it is kept.
    ``labels`` maps each raw enum value to its label; in a source contract the label is the canonical value. ``locales``
    maps synonyms to their locale, if one is stated.
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
    retention_days: int | None = None
    cell: CellSpec = field(default_factory=CellSpec)


@dataclass(frozen=True)
class SheetSpec:
    """One of several sheets of a workbook: the columns it needs and the maximum height of its header."""

    name: str
    needs: tuple[str, ...]
    optional: bool = False
    header_rows: int = 1


@dataclass(frozen=True)
class Tags:
    """The values of the first field of a tagged line: header, row, row count, or frame lines without data."""

    header: str
    row: str
    count: str
    frame: tuple[str, ...]


@dataclass(frozen=True)
class PreambleColumn:
    """The column for a value that is stated above the header, and the pattern whose first group is the value."""

    column: str
    pattern: str


@dataclass(frozen=True)
class KnownForm:
    """How the rows of a source look in any language: a pattern, and what to say if the header is in an unknown one."""

    pattern: str
    words: str
    remedy: str


@dataclass(frozen=True)
class RefusedHeading:
    """Headings that show that a file is of a kind the contract does not read, in words, and what to deliver instead."""

    headings: tuple[str, ...]
    rule: str
    remedy: str


@dataclass(frozen=True)
class StatedTotal:
    """Where a workbook states the sum of a column.

    ``sheet``: the sheet with the total; None for the sheet of the rows. ``label``: the cell left of the total; None if
    the total is in the column itself, in a row above the header.
    """

    column: str
    sheet: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class ReadSpec:
    """The file format of a source, as declared in the contract's server entry."""

    format: Literal[
        "delimited", "json", "jsonl", "xlsx", "tabular", "tagged", "xml", "bank_table", "camt053", "mt940", "ofx"
    ]
    delimiter: str = ","
    other_delimiters: tuple[str, ...] = ()
    encoding: str = "utf-8"
    quote: str | None = None
    quoted_newlines: bool = False
    decimal_mark: str = "."
    thousands_mark: str | None = None
    preamble: bool = False
    preamble_labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    locale_column: str | None = None
    preamble_column: PreambleColumn | None = None
    recognised_by: KnownForm | None = None
    extra_columns: Literal["warn", "allow", "refuse"] = "warn"
    exactly_one_of: tuple[tuple[str, ...], ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    refused_headings: tuple[RefusedHeading, ...] = ()
    missing_tokens: tuple[str, ...] = ()
    record_path: tuple[str, ...] = ()
    other_record_paths: tuple[tuple[str, ...], ...] = ()
    item_path: str | None = None
    item_lists: tuple[str, ...] = ()
    whole_records: bool = False
    single_record: bool = False
    value_key: str | None = None
    json_in_text: tuple[str, ...] = ()
    sheet: str | None = None
    sheets: tuple[SheetSpec, ...] = ()
    sheet_column: str | None = None
    tags: Tags | None = None
    stated_total: StatedTotal | None = None
    ignore_namespaces: bool = False
    declared_encodings: tuple[str, ...] = ()


VERIFIED_AGAINST = {
    "own sample": "files that the tests of this project make, with invented rows",
    "documented form": "the publisher's own documentation, schema or published example",
    "code of others": "programs of others that read such files",
    "real file": "a file that a platform, bank, register or firm gave out, or its header row",
}
"""What the form of a source can be compared with, and what that means."""


@dataclass(frozen=True)
class Verification:
    """How the file format of a source was verified.

    ``against`` says what the form was compared with, and ``checked_on`` when; the rest says so in words. ``verified``:
    confirmed by an official page or by independent files that agree. ``third_party``: known from a single file or from
    third-party code. ``not_verified``: nothing was seen.
    """

    verified: str = ""
    third_party: str = ""
    not_verified: str = ""
    against: tuple[str, ...] = ()
    checked_on: date | None = None


@dataclass(frozen=True)
class CompiledContract:
    """A compiled contract.

    ``read_spec`` is None for canonical tables, which are never read from raw text. ``other_forms`` holds further forms
    of file in which the same records with the same names are delivered.
    """

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
    other_forms: tuple[ReadSpec, ...] = ()

    def __hash__(self) -> int:
        # The digest covers the whole contract; hashing every column would take far longer.
        return hash((self.identity, self.digest))

    @property
    def identity(self) -> str:
        """Contract ID and version, as recorded in the lineage of every row: ``id@version``."""
        return f"{self.contract_id}@{self.version}"

    @property
    def has_personal_columns(self) -> bool:
        """Whether any column is personal; then the originals of quarantined rows are sealed."""
        return any(column.classification == "personal" for column in self.columns)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema of the typed rows. A field is nullable unless its column is required."""
        return pa.schema([pa.field(c.name, c.arrow_type, nullable=not c.required) for c in self.columns])

    def column(self, name: str) -> Column:
        """Return the column called ``name``; raise KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def row_rules(self) -> tuple[Rule, ...]:
        """Return the rules that check single rows, in contract order."""
        return tuple(rule for rule in self.rules if rule.scope == "row")

    def file_rules(self) -> tuple[Rule, ...]:
        """Return the rules that check a file or table as a whole, in contract order."""
        return tuple(rule for rule in self.rules if rule.scope == "file")
