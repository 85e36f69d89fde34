"""Documentation pages of contracts: the purpose of the table, the meaning of each column and the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.definition.contract import VERIFIED_AGAINST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import Column, CompiledContract, ReadSpec, Rule

_EFFECTS = {"critical": "file rejected", "error": "row set aside", "warning": "counted"}


def contract_page(contract: CompiledContract) -> str:
    """Return the contract as Markdown that ends with a newline. The same contract always produces the same text."""
    parts = [f"# {contract.title}", _facts(contract), contract.purpose]
    if contract.read_spec is not None:
        forms = (contract.read_spec, *contract.other_forms)
        parts += ["## File", "\n\nor\n\n".join(_bullets(_file_facts(contract, form)) for form in forms)]
        parts.append(_verification(contract))
    parts += ["## Columns", _columns_table(contract)]
    enums = [_values(column) for column in contract.columns if column.enum]
    if enums:
        parts += ["## Values", *enums]
    parts += ["## Rules", _rules_table(contract.rules)]
    return "\n\n".join(part for part in parts if part) + "\n"


_VERIFICATION = {"✔": "verified", "~": "third-party", "✘": "not verified"}


def verification_row(contract: CompiledContract) -> tuple[str, str, str]:
    """Return how the file format of a source was verified: verified, third-party, not verified."""
    known = contract.verification
    return known.verified, known.third_party, known.not_verified


def verification_table(contracts: Sequence[CompiledContract]) -> str:
    """Return a Markdown table of how each source's format was verified, without sources that do not say so."""
    header = ["Source", *(f"{mark} {meaning}" for mark, meaning in _VERIFICATION.items())]
    rows = [[_code(contract.table), *verification_row(contract)] for contract in contracts]
    return _table(header, [row for row in rows if any(row[1:])])


def verified_page(contracts: Sequence[CompiledContract]) -> str:
    """Return the page that says what the form of each source was compared with, and when."""
    rows = [_compared_with(contract) for contract in contracts]
    seen = sum("real file" in contract.verification.against for contract in contracts)
    parts = [
        "# What each source was verified against",
        "Generated from the `verification` property of the contracts.",
        f"{len(rows)} sources. {seen} of them read a real file.",
        "What is known of each form in words is in [the list of contracts](README.md) and on the page of each source.",
        _table(["Source", *(name.capitalize() for name in VERIFIED_AGAINST), "Checked on"], rows),
        "\n".join(f"- **{name.capitalize()}**: {meaning}" for name, meaning in VERIFIED_AGAINST.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _compared_with(contract: CompiledContract) -> list[str]:
    known = contract.verification
    marks = ["✔" if name in known.against else "" for name in VERIFIED_AGAINST]
    return [_code(contract.table), *marks, str(known.checked_on or "")]


def _verification(contract: CompiledContract) -> str:
    """Return how the file format was verified, as a list for the source's own page."""
    marked = zip(_VERIFICATION.items(), verification_row(contract), strict=True)
    return _bullets(f"{mark} {meaning}: {_text(text)}" for (mark, meaning), text in marked if text)


def _facts(contract: CompiledContract) -> str:
    facts = [f"Contract `{contract.identity}`", f"SHA-256 `{contract.digest[:16]}…`"]
    if contract.primary_key:
        facts.append("primary key " + " + ".join(f"`{name}`" for name in contract.primary_key))
    if contract.read_spec is not None:
        days = contract.known_lag_days
        lag = f"{days} {'day' if days == 1 else 'days'} after" if days else "on the day of"
        facts.append(f"a row is known {lag} its event")
    if contract.retention_days is not None:
        facts.append(f"rows of events more than {contract.retention_days} days old are deleted")
    return "; ".join(facts) + "."


def _file_facts(contract: CompiledContract, spec: ReadSpec) -> Iterator[str]:
    form = {
        "delimited": "Delimited text",
        "json": "JSON",
        "jsonl": "JSON lines",
        "xlsx": "Workbook",
        "tabular": "Workbook (XLSX), Parquet, or delimited text",
        "tagged": "Delimited text in which the first field is the type of the line",
        "xml": "XML",
        "bank_table": "Workbook (XLSX, XLS), or text in UTF-8 or GB18030 separated by commas or tabs",
        "camt053": "XML (ISO 20022 camt.053)",
        "mt940": "Messages (SWIFT MT940)",
        "ofx": "OFX (SGML or XML)",
    }[spec.format]
    yield f"{form}, {spec.encoding.upper()}" if spec.format not in {"xlsx", "bank_table"} else form
    if spec.format in {"delimited", "tabular", "tagged"}:
        yield f"fields separated by {'tabs' if spec.delimiter == chr(9) else _code(spec.delimiter)}"
        yield f"quote character {_code(spec.quote)}" if spec.quote else "no quote character"
    yield from _layout_facts(spec)
    if spec.decimal_mark != ".":
        yield f"decimal mark {_code(spec.decimal_mark)}"
    for group in spec.exactly_one_of:
        yield "exactly one of " + ", ".join(_code(contract.column(name).header) for name in group)
    if spec.any_of:
        groups = (" with ".join(_code(contract.column(name).header) for name in group) for group in spec.any_of)
        yield "at least one of " + ", or ".join(groups)
    for refused in spec.refused_headings:
        yield f"refused with the heading {' or '.join(map(_code, refused.headings))}: {_text(refused.rule)}"
    yield {
        "warn": "other columns are ignored with a warning",
        "allow": "other columns are ignored",
        "refuse": "other columns are refused",
    }[spec.extra_columns]


def _layout_facts(spec: ReadSpec) -> Iterator[str]:
    """Yield where the rows are in the file."""
    if spec.tags is not None:
        yield (
            f"lines tagged {_code(spec.tags.header)} are headers, {_code(spec.tags.row)} rows, "
            f"{_code(spec.tags.count)} row counts"
        )
    if spec.quoted_newlines:
        yield "quoted fields may contain line breaks"
    for sheet in spec.sheets:
        yield f"sheet {_code(sheet.name)}" + (" (may be absent)" if sheet.optional else "")
    yield from _record_facts(spec)
    if spec.preamble:
        yield "other lines may precede the header"
    if spec.preamble_column is not None:
        yield f"column {_code(spec.preamble_column.column)} holds what these lines state"


def _record_facts(spec: ReadSpec) -> Iterator[str]:
    """Yield where the records and their items are in the file."""
    if spec.ignore_namespaces:
        yield "namespaces are ignored"
    if spec.declared_encodings:
        yield "a file may declare the encoding " + " or ".join(spec.declared_encodings)
    if spec.record_path:
        others = [_code(".".join(path)) if path else "the top level" for path in spec.other_record_paths]
        yield " or ".join([f"records at {_code('.'.join(spec.record_path))}", *others])
    if spec.item_path:
        yield f"one row per item of {_code(spec.item_path)}"
    yield from _plain_record_facts(spec)
    if spec.whole_records:
        yield "an unreadable item sets its whole record aside"
    if spec.item_lists:
        yield "one row per record, and one per item of " + ", ".join(map(_code, spec.item_lists))


def _plain_record_facts(spec: ReadSpec) -> Iterator[str]:
    """Yield the other forms a record may have."""
    if spec.single_record:
        yield "a file may hold one record instead of an array"
    if spec.value_key is not None:
        yield f"a value may be below a key {_code(spec.value_key)} of its own"
    for path in spec.json_in_text:
        yield f"{_code(path)} may be JSON inside a text"


def _columns_table(contract: CompiledContract) -> str:
    raw = contract.read_spec is not None
    header = ["Column", *(["In the file"] if raw else []), "Type", "Unit", "Required", "Meaning", "含义", "Sensitivity"]
    rows = [
        [
            _code(column.name),
            *([_headers(column)] if raw else []),
            type_name(column),
            column.unit or "",
            "yes" if column.required else "",
            column.description,
            column.description_zh,
            _sensitivity(column),
        ]
        for column in contract.columns
    ]
    return _table(header, rows)


def _sensitivity(column: Column) -> str:
    kept = column.retention_days
    return column.classification if kept is None else f"{column.classification}, kept {kept} days"


def _headers(column: Column) -> str:
    names = dict.fromkeys((column.header, *column.synonyms))
    named = ", ".join(_code(name) for name in names if name) or "(no header)"
    if column.cell.prefer_first:
        named = f"{named} (the first of them that is present)"
    return f"{named} (may be absent)" if column.cell.header_optional else named


def type_name(column: Column) -> str:
    """Return the everyday name of a column's type."""
    kind: Values = column.arrow_type
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    if pa.types.is_integer(kind):
        return f"integer ({kind.bit_width} bits)"
    written = f", format {' or '.join(column.cell.formats)}" if column.cell.formats else ""
    names = (
        (pa.types.is_dictionary, "text (few values)"),
        (pa.types.is_string, "text"),
        (pa.types.is_date, f"date{written}"),
        (pa.types.is_timestamp, f"time (UTC){written}"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_floating, "floating-point number"),
    )
    return next(name for is_kind, name in names if is_kind(kind))


def _values(column: Column) -> str:
    meanings = dict(column.labels)
    values = ", ".join(
        f"{_code(value)} ({_text(meanings[value])})" if value in meanings else _code(value) for value in column.enum
    )
    return f"{_code(column.name)}: {values}"


def _rules_table(rules: Sequence[Rule]) -> str:
    rows = [[_code(rule.rule_id), rule.description, rule.scope, _EFFECTS[rule.severity]] for rule in rules]
    return _table(["Rule", "Requirement", "Scope", "If broken"], rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """Return a table cell: code between backticks stays code, and everything else is escaped."""
    parts = text.split("`")
    return "`".join(part.replace("|", "\\|") if index % 2 else _text(part) for index, part in enumerate(parts))


def _text(text: str) -> str:
    if text == "---":
        return text
    plain = text.replace("\n", " ").replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return plain.replace("*", "\\*").replace("_", "\\_").replace("[", "\\[")


def _code(text: str) -> str:
    return "`" + text.replace("`", "'") + "`"


def _bullets(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
