r"""Compile an ODCS v3.2.0 file into a CompiledContract, following the conventions below.

A contract is plain ODCS; everything the standard does not cover is in ``customProperties``. Unknown custom properties
are refused, so that a typing error cannot silently switch a rule off. A complete source contract::

    apiVersion: v3.2.0
    kind: DataContract
    id: lender_loans                    # = name of the source folder or table
    version: 1.0.0
    name: Loan book of a lender
    status: active
    description: {purpose: "One row for each loan, as the lender's system exports it."}
    customProperties:
      - {property: knownLagDays, value: 1}          # a row is known this many days after its event
      - {property: retentionDays, value: 1826}      # rows of older events are deleted; default: never
      - property: verification                    # of the format
        value: {against: [own sample, documented form, code of others, real file], checkedOn: "2026-11-30",
                verified: "…", thirdParty: "…", notVerified: "…"}
    servers:
      - server: file
        type: custom
        format: delimited                           # delimited | json | jsonl | xlsx | tabular | tagged | xml
                                                    # bank_table | camt053 | mt940 | ofx
        delimiter: ","                              # "\t" for tabs
        encoding: UTF-8                             # a byte-order mark is accepted; undecodable bytes are refused
        customProperties:
          - {property: otherDelimiters, value: [";"]}  # the one with which the header has most columns applies
          - {property: quote, value: '"'}           # default: no quote character, quotes are ordinary text
          - {property: quotedNewlines, value: true} # a quoted field may span lines; default false
          - {property: decimalMark, value: ","}     # default "."
          - {property: thousandsMark, value: "."}   # default: none allowed
          - {property: preamble, value: true}       # header in the first 50 lines; default: the first line
          - {property: preambleLabels, value: [{column: own_account, labels: [账号]}]}  # bank_table: lines above it
          - {property: localeColumn, value: language}  # column for the locale of the header's synonyms
          - {property: preambleColumn, value: {column: stated, pattern: '(USD|EUR)'}}  # stated above the header
          - {property: recognisedBy, value: {pattern: …, words: …, remedy: …}}  # rows known in any language
          - {property: extraColumns, value: warn}   # warn (default) | allow | refuse unknown headers
          - {property: exactlyOneOf, value: [[supplier_code, customer_code]]}  # one of these headers, not both
          - {property: anyOf, value: [[value_usd], [value_own, money_code]]}  # the first, or the other two together
          - property: refusedHeadings  # headings of files of another kind, and what to say about them
            value: [{headings: [Month], rule: it holds monthly sums, remedy: export the single records}]
          - {property: missingTokens, value: ["/"]} # in addition to the empty cell
          - {property: recordPath, value: data.declarations}  # json: path to the array of records; default: top level
          - {property: otherRecordPaths, value: [transactions, ""]}  # json: tried in turn if nothing is there
                                                    # xml: elements from the root to the record
          - {property: itemPath, value: decList}    # json: nested list in a record; one row for each item
                                                    # xml: elements from the record to the item
          - {property: itemLists, value: [a, b]}    # json, instead: one row for the record and each item
          - {property: wholeRecords, value: true}   # json, xml: an unreadable item sets its whole record aside
          - {property: singleRecord, value: true}   # json: a file may hold one record instead of an array
          - {property: valueKey, value: "$"}        # json: an object with this key stands for the value under it
          - {property: jsonInText, value: [decList]}  # json: dotted paths whose value may be JSON inside a text
          - {property: sheet, value: Sheet1}        # xlsx; default: the first sheet
          - {property: sheets, value: [{name: A, needs: [principal], optional: true, headerRows: 2}]}  # xlsx: several
          - {property: sheetColumn, value: sheet_name}  # xlsx with sheets: column for the sheet's name
          - {property: statedTotal, value: {column: principal, sheet: Totals, label: Sum}}  # xlsx: must equal the rows
          - {property: ignoreNamespaces, value: true}  # xml: names without namespace; default: {namespace}name
          - {property: declaredEncodings, value: [GB18030]}  # xml: other encodings that a file may declare
          - {property: tags, value: {header: CH, row: SB, count: SC, frame: [RH, RF]}}  # tagged: first field
    schema:
      - name: lender_loans                          # becomes CompiledContract.table
        properties:
          - name: principal                         # canonical name; header and synonyms are those of the file
            physicalName: Principal                 # JSON, XML: a dotted path; item fields start with the list
            synonyms: [{synonym: 本金, locale: zh-CN}]
            description: Amount lent                # meaning in English
            businessName: 贷款本金                    # meaning in Chinese
            classification: confidential            # public | internal | confidential | personal
            logicalType: number                     # decimal128(18,4) unless physicalType says otherwise
            required: true
            logicalTypeOptions: {exclusiveMinimum: 0}
            customProperties:
              - {property: unit, value: currency of the row}
              - {property: severity, value: {range: warning}}  # of keyword rules; default: error
              - {property: retentionDays, value: 365}  # of personal columns: when passport retain removes values
              - {property: roundTo, value: 4}       # decimals: round half to even; default: refuse
          - name: disbursed_on
            physicalName: Disbursed On
            description: Day the money was paid out
            businessName: 放款日
            classification: confidential
            logicalType: date
            required: true
            logicalTypeOptions: {format: "yyyy-MM-dd | yyyy/M/d"}  # alternatives, tried in this order
        quality:
          - {name: matures_after_disbursement, type: sql, severity: error, mustBe: 0,
             query: "SELECT COUNT(*) FROM ${table} WHERE matures_on < disbursed_on",
             description: A loan ends after it begins}

Other custom properties of a column: ``trim`` (default true: spaces around a cell are removed), ``trueValues`` and
``falseValues`` (of booleans, case is ignored), ``optionalHeader`` (default false: the header must be present even if
its cells may be empty), ``listSeparator`` (JSON: joins a list of values; without it a list of several values is bad),
``recordOnly`` (JSON with itemLists: a field of the record that its items do not repeat), ``jsonText`` (JSON: any value,
including lists and objects, as JSON text with numbers as strings of their digits, for the mapping to parse),
``absence`` (of an optional header: what is not known about the rows of a file, or of one of its sheets, without it;
such a file is in doubt. A field of items is only missed if there are items).

Types: ``logicalType`` string, date, timestamp, number, integer, boolean; ``physicalType`` may narrow it to
``dictionary``, ``int32``, ``double`` or ``decimal(p,s)``; integer means int64, timestamp means microseconds in UTC.
Date and time formats consist of yyyy M MM d dd HH mm ss SSS, literals in single quotes, ``X`` (offset: Z, +08, +0800
or +08:00) and ``z`` (the letters UTC or GMT). A timestamp without offset is in ``defaultTimezone``, else in UTC.

Rules. Keywords: required, unique, primaryKey, enum, pattern (``^...$``, with classes such as [0-9] written out),
minimum, maximum and their exclusive forms (one range rule), minLength and maxLength (one length rule). ``quality``
entries need a ``name``: library metrics nullValues, missingValues, invalidValues (validValues or pattern),
duplicateValues with ``mustBe: 0``; rowCount with any operator; or ``type: sql``. A query ``SELECT COUNT(*) FROM
${table} WHERE <condition>`` with ``mustBe: 0`` is a row rule whose condition is true for bad rows (NULL is not bad;
``${table}`` may occur again in sub-queries, for example to check a group of rows by its sum). Any other query returns
one number and is a file rule. In a source contract it has the form ``SELECT <aggregate> FROM ${table} [WHERE
<condition>]``, in which ``${covered_to}`` is the last day that the delivery covers. Severities: critical rejects the
file, error quarantines the row, warning only counts. A file rule is critical (default) or warning: it names no rows.

``includes: lineage`` in a canonical table appends the columns and rules of ``_lineage.odcs.yaml``. ``template`` in the
table and ``pseudonymOf`` in a column define the table's own template (``data_contracts.definition.templates``). Format
``tabular`` is delimited text, a workbook or Parquet, recognised by the first bytes of the file. Format ``bank_table``
is a workbook or text in UTF-8 or GB18030 with lines about the account above its header. Statements in the formats
``camt053``, ``mt940`` and ``ofx`` have columns of their own (``data_contracts.reading.statements``).
"""

from __future__ import annotations

import functools
import re
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from open_data_contract_standard.model import (
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from pydantic import ValidationError

from data_contracts.definition.contract import (
    VERIFIED_AGAINST,
    Column,
    CompiledContract,
    Rule,
    Verification,
)
from data_contracts.definition.properties import (
    COLUMN_PROPERTIES,
    compiled_column,
    compiled_read_spec,
    custom_properties,
    retention_days,
)
from data_contracts.definition.rules import primary_key_rule, property_rules, table_rules
from data_contracts.definition.templates import PREFIX, Template, template_of
from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused
from data_contracts.strict_yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from importlib.resources.abc import Traversable

_SUFFIX = ".odcs.yaml"
_MOST_CONTRACT_BYTES = 2**20
IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_CONTRACT_PROPERTIES = {"knownLagDays", "retentionDays", "verification", "includes", "template"}
_VERIFICATION = {"verified": "verified", "thirdParty": "third_party", "notVerified": "not_verified"}


def table_names() -> tuple[str, ...]:
    """Return the names of the canonical tables in alphabetical order."""
    files = resources.files("data_contracts.tables").iterdir()
    names = (file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX))
    return tuple(sorted(name for name in names if not name.startswith("_")))


def source_names() -> tuple[str, ...]:
    """Return the names of the sources that have a contract, in alphabetical order."""
    folders = resources.files("data_contracts.sources").iterdir()
    return tuple(sorted(f.name for f in folders if f.is_dir() and f.joinpath(f"contract{_SUFFIX}").is_file()))


@functools.cache
def table_contract(name: str) -> CompiledContract:
    """Return the contract of a canonical table; raise ConfigurationRefused if there is none of that name."""
    return _packaged(resources.files("data_contracts.tables").joinpath(f"{name}{_SUFFIX}"), name)


@functools.cache
def source_contract(name: str) -> CompiledContract:
    """Return the contract of a source or a template; raise ConfigurationRefused if there is none of that name."""
    if name.startswith(PREFIX):
        return compile_contract(table_template(name.removeprefix(PREFIX)).contract_bytes, name)
    return _packaged(resources.files("data_contracts.sources").joinpath(name, f"contract{_SUFFIX}"), name)


def template_names() -> tuple[str, ...]:
    """Return the names of the canonical tables that have a template, in alphabetical order."""
    return tuple(name for name in table_names() if _template(name) is not None)


def table_template(name: str) -> Template:
    """Return the template of a canonical table; raise ConfigurationRefused if it has none."""
    if name not in table_names() or (template := _template(name)) is None:
        raise ConfigurationRefused(f"there is no template for {name!r}", f"use one of {', '.join(template_names())}")
    return template


@functools.cache
def _template(name: str) -> Template | None:
    folder = resources.files("data_contracts.tables")
    paths = (folder.joinpath(f"{part}{_SUFFIX}") for part in (name, "_lineage"))
    table, lineage = (read_yaml(path.read_bytes(), path.name) for path in paths)
    return template_of(table, lineage)


def named_contract(name: str) -> CompiledContract:
    """Return the contract in a file, or the contract of the source, template or canonical table with that name.

    Raises:
        ConfigurationRefused: no such contract exists, or the file is not a valid contract.
    """
    path = Path(name)
    if path.is_file():
        if path.stat().st_size > _MOST_CONTRACT_BYTES:
            raise ConfigurationRefused(f"{name} has more than {_MOST_CONTRACT_BYTES} bytes", "name a contract file")
        return load_contract(path)
    if name in source_names() or name.startswith(PREFIX):
        return source_contract(name)
    if name in table_names():
        return table_contract(name)
    raise ConfigurationRefused(
        f"{name} is not a file, source or table", f"use a path, or one of {', '.join(contract_names())}"
    )


def contract_names() -> tuple[str, ...]:
    """Return the names of all packaged contracts."""
    return (*source_names(), *table_names())


def load_contract(path: Path) -> CompiledContract:
    """Compile the contract in the file at ``path``; raise ConfigurationRefused if it is not a valid contract."""
    return compile_contract(path.read_bytes(), str(path))


def _packaged(file: Traversable, name: str) -> CompiledContract:
    if not IDENTIFIER.fullmatch(name) or not file.is_file():
        known = ", ".join(table_names() + source_names())
        raise ConfigurationRefused(f"there is no contract {name!r}", f"use one of {known}")
    return compile_contract(file.read_bytes(), name)


@functools.cache
def compile_contract(data: bytes, label: str) -> CompiledContract:
    """Compile a contract from the bytes of its file; ``label`` names it in messages.

    The result is cached by content, so a changed file is compiled again. Raises ConfigurationRefused if the bytes are
    not a valid contract.
    """
    document = _document(data, label)
    schemas = document.schema_ or []
    if len(schemas) != 1 or not schemas[0].properties:
        raise ConfigurationRefused(f"contract {label} describes {len(schemas)} tables", "describe exactly one table")
    custom = custom_properties(document.customProperties, _CONTRACT_PROPERTIES, label)
    shared = _shared_parts(custom.get("includes"))
    schema, properties = schemas[0], [*schemas[0].properties, *shared.properties]
    _check_names(properties, label)
    columns = tuple(compiled_column(prop) for prop in properties)
    key = tuple(prop.name or "" for prop in properties if prop.primaryKey)
    forms = tuple(compiled_read_spec(server, label) for server in document.servers or [])
    return CompiledContract(
        contract_id=document.id or "",
        version=document.version or "",
        table=schema.name or "",
        title=document.name or "",
        purpose=(document.description.purpose or "" if document.description else "").strip(),
        columns=columns,
        rules=_rules(properties, columns, [schema, *shared.schemas]),
        primary_key=key,
        read_spec=forms[0] if forms else None,
        other_forms=forms[1:],
        known_lag_days=int(custom.get("knownLagDays", 0)),
        retention_days=retention_days(custom.get("retentionDays"), f"contract {label}"),
        verification=_verification(custom.get("verification", {}), label),
        digest=sha256_bytes(data + shared.data),
    )


def _verification(given: Mapping[str, Any], label: str) -> Verification:
    known = {*_VERIFICATION, "against", "checkedOn"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ConfigurationRefused(f"contract {label}: unknown verification key {unknown[0]!r}", f"use {sorted(known)}")
    against = tuple(given.get("against", ()))
    strange = sorted(set(against) - set(VERIFIED_AGAINST))
    if strange:
        raise ConfigurationRefused(
            f"contract {label}: verified against {strange[0]!r}", f"use some of {[*VERIFIED_AGAINST]}"
        )
    texts = {_VERIFICATION[key]: str(text).strip() for key, text in given.items() if key in _VERIFICATION}
    checked_on = date.fromisoformat(given["checkedOn"]) if "checkedOn" in given else None
    return Verification(**texts, against=against, checked_on=checked_on)


def _document(data: bytes, label: str) -> OpenDataContractStandard:
    try:
        document = OpenDataContractStandard(**read_yaml(data, f"contract {label}"))
    except (ValidationError, TypeError) as error:
        raise ConfigurationRefused(f"contract {label} cannot be read: {error}", "make it valid ODCS v3.2.0") from error
    if document.apiVersion != "v3.2.0" or not document.id or not document.version:
        raise ConfigurationRefused(f"contract {label} is missing apiVersion v3.2.0, id or version", "state all three")
    return document


class _SharedParts:
    """Columns and rules that several tables include, and the bytes they were read from."""

    def __init__(self, data: bytes, schemas: Sequence[SchemaObject]) -> None:
        self.data, self.schemas = data, schemas
        self.properties = [prop for schema in schemas for prop in schema.properties or []]


def _shared_parts(name: str | None) -> _SharedParts:
    if name is None:
        return _SharedParts(b"", [])
    data = resources.files("data_contracts.tables").joinpath(f"_{name}{_SUFFIX}").read_bytes()
    return _SharedParts(data, _document(data, f"_{name}").schema_ or [])


def _rules(
    properties: Sequence[SchemaProperty], columns: Sequence[Column], schemas: Sequence[SchemaObject]
) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for prop, column in zip(properties, columns, strict=True):
        severities = custom_properties(prop.customProperties, COLUMN_PROPERTIES, column.name).get("severity", {})
        rules.extend(property_rules(prop, column, severities))
    key = tuple(prop.name or "" for prop in properties if prop.primaryKey)
    if key:
        rules.append(primary_key_rule(key))
    for schema in schemas:
        rules.extend(table_rules(schema))
    ids = [rule.rule_id for rule in rules]
    if len(ids) != len(set(ids)):
        twice = sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1})
        raise ConfigurationRefused(f"duplicate rules: {', '.join(twice)}", "give each rule its own name")
    return tuple(rules)


def _check_names(properties: Sequence[SchemaProperty], label: str) -> None:
    names = [prop.name or "" for prop in properties]
    wrong = [name for name in names if not IDENTIFIER.fullmatch(name) or names.count(name) > 1]
    if wrong:
        # Names become SQL identifiers, so this check keeps every query safe.
        raise ConfigurationRefused(
            f"contract {label} has invalid or duplicate column names {wrong}", "use unique names of a-z, 0-9 and _"
        )
