"""The pages for a seller's data desk: what was delivered, what was set aside and why, and how to correct it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.definition.compiler import source_contract, table_contract
from data_contracts.definition.contract import CompiledContract, Kind, Rule, Severity
from pipelines.reports.rendering import LANGUAGES, Language, Texts, banners, page_texts, render_page
from pipelines.reports.validation_page import (
    COLUMN_RULE,
    TYPE_RULE,
    column_words,
    duplicate_reason,
    reading_reason,
    rule_reason,
    source_title,
    titled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from data_contracts.definition.contract import Column

PAGE = "delivery_page"
OVERVIEW = "deliveries_page"
REASONS = "validation_page"
SECTIONS = ("summary", "fix", "repeated", "coverage", "files")
ENUM_SHOWN = 8


def render_delivery_page(document: Mapping[str, Any], language: Language) -> str:
    """Return the page of one seller, from the result of ``pipelines.commands.seller_delivery.delivery_document``.

    Raises:
        KeyError: a part of the document is absent.
    """
    words, texts = page_texts(REASONS, language), page_texts(PAGE, language)
    sources = [_source(source, words, texts) for source in document["sources"]]
    titles = {source["name"]: source["title"] for source in sources}
    files = [{**file, "title": titles[file["source"]]} for file in document["files"]]
    columns = ("rows_in", "accepted", "quarantined", "duplicates")
    context = {
        **_layout(document, texts, document["seller_id"]),
        "sections": SECTIONS,
        "seller_id": document["seller_id"],
        "sources": sources,
        "files": files,
        "totals": {name: sum(file[name] for file in files) for name in columns},
        "rejected": [file for file in files if file["rejected_by"]],
        "withheld": [file for file in files if file["status"] != "read"],
        "to_fix": [
            *(reason for source in sources for reason in source["reasons"]),
            *(reason for table in document["tables"] for reason in _of_table(table, words, texts)),
        ],
        "repeated": [reason for source in sources for reason in source["repeated"]],
        "coverage": [_covered(one, words) for one in document["coverage"]],
    }
    return render_page(f"{PAGE}.html.j2", language, context)


def render_deliveries_page(document: Mapping[str, Any], language: Language) -> str:
    """Return the page of all sellers, from the result of ``pipelines.commands.seller_delivery.overview_document``.

    Raises:
        KeyError: a part of the document is absent.
    """
    words, texts = page_texts(REASONS, language), page_texts(OVERVIEW, language)
    worst = []
    for one in document["worst"]:
        most = one["most"]
        reason = None if most is None else reading_reason(most["code"], source_contract(most["source"]), words)
        title = None if most is None else source_title(most["source"], words)
        worst.append({**one, "reason": reason, "source_title": title})
    context = {**_layout(document, texts, "index"), **document, "worst": worst}
    return render_page(f"{OVERVIEW}.html.j2", language, context)


def _layout(document: Mapping[str, Any], texts: Texts, name: str) -> dict[str, object]:
    about = document["about"]
    return {
        **banners(about["evidence"], texts, is_synthetic=about["is_synthetic"]),
        "file_names": {one: f"{name}.{one}.html" for one in LANGUAGES},
        "about": about,
    }


def _source(source: Mapping[str, Any], words: Texts, texts: Texts) -> dict[str, Any]:
    contract, title = source_contract(source["name"]), source_title(source["name"], words)
    reasons = [
        {
            "title": title,
            "reason": reading_reason(code, contract, words),
            "remedy": texts("fix_remark") if kind == "warnings" else remedy(code, contract, words, texts),
            "rows": rows,
            "is_remark": kind == "warnings",
            "examples": source["examples"].get(code, []) if kind == "quarantined" else [],
        }
        for kind in ("quarantined", "warnings")
        for code, rows in source[kind].items()
    ]
    repeated = [
        {"title": title, "reason": duplicate_reason(code, words), "rows": rows}
        for code, rows in source["duplicates"].items()
    ]
    return {**source, "title": title, "reasons": reasons, "repeated": repeated}


def _of_table(table: Mapping[str, Any], words: Texts, texts: Texts) -> Iterator[dict[str, Any]]:
    """Yield what validation set aside in a canonical table, after the file was read."""
    contract = table_contract(table["table"])
    stated = {rule.rule_id: rule for rule in contract.rules}
    for code, rows in table["quarantined"].items():
        rule = stated[code]
        plain = {"rule_id": code, "kind": rule.kind, "column": rule.column, "description": rule.description}
        yield {
            "title": texts("in_table", table=titled("table", table["table"], contract.title, words)),
            "reason": rule_reason(plain, contract, words),
            "remedy": remedy(code, contract, words, texts),
            "rows": rows,
            "is_remark": False,
            "examples": table["examples"].get(code, []),
        }


def _covered(stretch: Mapping[str, Any], words: Texts) -> dict[str, Any]:
    table = titled("table", stretch["table"], table_contract(stretch["table"]).title, words)
    return {**stretch, "table_title": table, "source_title": source_title(stretch["source"], words)}


def remedy(code: str, contract: CompiledContract, words: Texts, texts: Texts) -> str:
    """Return how to correct the rows that were set aside for a reason, given by its code."""
    column_rule, type_rule = COLUMN_RULE.fullmatch(code), TYPE_RULE.fullmatch(code)
    rule = next((rule for rule in contract.rules if rule.rule_id == code), None)
    if type_rule:
        return _remedy_of_type(type_rule["column"], contract, words, texts)
    if column_rule and rule is not None:
        return _remedy_of_column(rule, column_words(contract, column_rule["column"], words), texts)
    if rule is not None and rule.scope == "file":
        return texts("fix_file" if rule.severity is Severity.CRITICAL else "fix_file_warning")
    kind, separator, _ = code.partition(":")
    key = f"fix_{kind}"
    known = separator and key in texts.words
    return texts(key) if known else texts("fix_row")


def _remedy_of_column(rule: Rule, column: str, texts: Texts) -> str:
    arguments = rule.arguments
    if rule.kind is Kind.ENUM:
        shown = ", ".join(arguments.values[:ENUM_SHOWN]) + (" …" if len(arguments.values) > ENUM_SHOWN else "")
        return texts("fix_enum", column=column, values=shown)
    if rule.kind is Kind.PATTERN:
        return texts("fix_pattern", column=column, pattern=arguments.pattern)
    if rule.kind in {Kind.RANGE, Kind.LENGTH}:
        return texts(f"fix_{rule.kind}", column=column, bounds=_bounds(rule))
    key = f"fix_{rule.kind}"
    return texts(key, column=column) if key in texts.words else texts("fix_row")


def _bounds(rule: Rule) -> str:
    """Return an interval in signs that need no translation: ``≥ 0, < 1``."""
    bounds = rule.arguments.bounds
    if bounds is None:
        return ""
    low = "" if bounds.minimum is None else f"{'>' if bounds.strict_minimum else '≥'} {bounds.minimum}"
    high = "" if bounds.maximum is None else f"{'<' if bounds.strict_maximum else '≤'} {bounds.maximum}"
    return ", ".join(part for part in (low, high) if part)


def _remedy_of_type(name: str, contract: CompiledContract, words: Texts, texts: Texts) -> str:
    column = next((column for column in contract.columns if column.name == name), None)
    shown = column_words(contract, name, words)
    if column is None:
        return texts("fix_row")
    key, value = _written_form(column, contract)
    return texts(key, column=shown, form=value)


def _written_form(column: Column, contract: CompiledContract) -> tuple[str, str]:
    kind = column.arrow_type
    if pa.types.is_date(kind):
        return "fix_type_date", " | ".join(column.cell.formats) or "yyyy-MM-dd"
    if pa.types.is_timestamp(kind):
        return "fix_type_time", " | ".join(column.cell.formats) or "yyyy-MM-dd'T'HH:mm:ssX"
    if pa.types.is_boolean(kind):
        return "fix_type_choice", ", ".join((*column.cell.true_values, *column.cell.false_values))
    if pa.types.is_integer(kind):
        return "fix_type_whole", ""
    return "fix_type_number", contract.read_spec.decimal_mark if contract.read_spec else "."
