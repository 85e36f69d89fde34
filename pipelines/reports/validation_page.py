"""The validation report: what was delivered, what was set aside and why, and the verdict on every rule."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data_contracts.definition.compiler import source_contract, table_contract
from data_contracts.definition.templates import PREFIX
from features.reconciliation.reconcile import GRADES
from pipelines.reports.data_attention import counts_at_a_glance, is_consent, months_of
from pipelines.reports.lights import broken_share, data_light
from pipelines.reports.rendering import LANGUAGES, Language, Texts, banners, page_texts, render_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from data_contracts.definition.contract import CompiledContract

TEMPLATE = "validation_page.html.j2"
SECTIONS = (
    "summary",
    "attention",
    "months",
    "sources",
    "aside",
    "tables",
    "rules",
    "reconciliation",
    "documents",
    "origin",
)
REMARK_STARTS = {
    "amount counted in another file of ": "remark_counted_in_file",
    "amount counted in ": "remark_counted_in",
    "day counted in another file of ": "remark_day_in_file",
    "day counted in ": "remark_day_in",
    "amount of unknown kind / ": "remark_unknown_kind",
    "amount in words of a loan / ": "remark_loan_words",
    "charge of unknown kind / ": "remark_unknown_charge",
}
REPEATED_KEY = re.compile(r"repeated key \((?P<key>.+)\)")
COLUMN_RULE = re.compile(r"(?P<column>[a-z0-9_]+):(?P<what>required|unique|enum|pattern|range|length|known)")
TYPE_RULE = re.compile(r"type:(?P<column>[a-z0-9_]+)")
STATES = {"passed": "ok", "failed": "stop", "not_validated": "stop", "no_values": "none"}
NOT_A_LETTER = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Reason:
    """Words for a rule or reason, its code, and whether the words are English on a page of another language."""

    words: str
    code: str
    foreign: bool = False


def render_validation_page(document: Mapping[str, Any], language: Language) -> str:
    """Return the report of one validation.

    Args:
        document: what the stage wrote as ``validation.json``: ``about``, ``sources``, the files not opened
            (``unlisted_files``, ``withheld_files``), ``tables`` and ``reconciliation``. Shown if present:
            ``export_documents``, ``by_month``, ``doubled_money`` (rows, usd, sellers and ``pairs``),
            ``shared_statements`` and ``payouts_in_bank``.
        language: of the page.

    Raises:
        KeyError: a part of the document is absent.
    """
    texts = page_texts(TEMPLATE.removesuffix(".html.j2"), language)
    about = document["about"]
    sources = [_source(source, texts) for source in document["sources"]]
    tables = [_table(table, texts) for table in document["tables"]]
    totals = _totals(sources)
    documents = document.get("export_documents")
    rule_totals, light = _rule_totals(tables), data_light(document)
    months = months_of(document.get("by_month", ()), lambda name: source_title(name, texts), texts)
    absent = {name for name, part in (("documents", documents), ("months", months)) if not part}
    context = {
        **banners(about["evidence"], texts, is_synthetic=about["is_synthetic"]),
        "file_names": {one: f"data.{one}.html" for one in LANGUAGES},
        "about": about,
        "sections": [name for name in SECTIONS if name not in absent],
        "sources": sources,
        "not_opened": {kind: document[f"{kind}_files"] for kind in ("unlisted", "withheld")},
        "tables": tables,
        "totals": totals,
        "table_totals": _table_totals(tables),
        "rule_totals": rule_totals,
        "glance": counts_at_a_glance(document, rule_totals, texts),
        "stops": [finding.sentence(texts) for finding in light.findings if finding.state == "stop"],
        "unvalidated": _unvalidated(tables),
        "doubled": _doubled(document.get("doubled_money"), texts),
        "shared": document.get("shared_statements"),
        "payouts": document.get("payouts_in_bank"),
        "withheld_reasons": _withheld_reasons(document["sources"], texts),
        "months": months,
        "broken": [(table, rule) for table in tables for rule in table["rules"] if rule["status"] == "failed"],
        "light": light,
        "contracts": _contracts(document),
        "grades": GRADES,
        "reconciliation": document["reconciliation"],
        "documents": documents,
    }
    return render_page(TEMPLATE, language, context)


def _unvalidated(tables: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the tables with rules that could not be checked, and the first exception of each."""
    found = []
    for table in tables:
        rules = [rule for rule in table["rules"] if rule["status"] == "not_validated"]
        if rules:
            names = [rule["rule_id"] for rule in rules]
            exception = str(rules[0]["exception"])
            found.append({"table": table["table"], "title": table["title"], "names": names, "exception": exception})
    return found


def _doubled(figures: Mapping[str, Any] | None, texts: Texts) -> dict[str, Any] | None:
    if figures is None:
        return None
    pairs = [
        {
            **pair,
            "title": source_title(pair["source"], texts),
            "counted_title": source_title(pair["counted_in"].partition("@")[0], texts),
        }
        for pair in figures["pairs"]
    ]
    return {**figures, "pairs": pairs}


def _withheld_reasons(sources: Sequence[Mapping[str, Any]], texts: Texts) -> list[dict[str, Any]]:
    return [
        {
            "title": source_title(source["name"], texts),
            "rows": rows,
            "reason": reading_reason(code, source_contract(source["name"]), texts),
        }
        for source in sources
        for code, rows in source["quarantined"].items()
        if is_consent(code)
    ]


def _source(source: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    contract = source_contract(source["name"])
    reasons = [
        *_reasons(source, "quarantined", contract, texts),
        *_reasons(source, "duplicates", contract, texts),
        *_reasons(source, "warnings", contract, texts),
    ]
    notes = [f"{note} ({files})" if files > 1 else note for note, files in source["notes"].items()]
    return {
        **source,
        "title": source_title(source["name"], texts),
        "quarantined_rows": sum(source["quarantined"].values()),
        "duplicate_rows": sum(source["duplicates"].values()),
        "remarked_rows": sum(source["warnings"].values()),
        "reasons": reasons,
        "notes": "; ".join(notes),
        "is_sealed": bool(source["quarantined"]) and contract.has_personal_columns,
    }


def source_title(name: str, texts: Texts) -> str:
    """Return the title of a source; for an own template, that of its table."""
    if not name.startswith(PREFIX):
        return titled("source", name, source_contract(name).title, texts)
    table = name.removeprefix(PREFIX)
    return texts("own_template", table=titled("table", table, table_contract(table).title, texts))


def titled(kind: str, name: str, otherwise: str, texts: Texts) -> str:
    """Return the words of a page for a table or source, else those of its contract; in Chinese, a short name before."""
    brief = texts.words.get(f"brief_{name}", otherwise) if texts.language == "zh" else otherwise
    return texts.words.get(f"{kind}_{name}", brief)


_BECAME = {
    "quarantined": ("quarantined", "watch"),
    "duplicates": ("duplicate", ""),
    "warnings": ("accepted", ""),
}


def _reasons(
    source: Mapping[str, Any], kind: str, contract: CompiledContract, texts: Texts
) -> Iterable[dict[str, Any]]:
    became, state = _BECAME[kind]
    for code, rows in source[kind].items():
        reason = duplicate_reason(code, texts) if kind == "duplicates" else reading_reason(code, contract, texts)
        yield {
            "words": reason.words,
            "code": reason.code,
            "foreign": reason.foreign,
            "became": became,
            "state": state,
            "rows": rows,
            "examples": source["examples"].get(code, []) if kind == "quarantined" else [],
        }


def duplicate_reason(code: str, texts: Texts) -> Reason:
    """Return the words for the reason a raw row counts as a duplicate, from its code."""
    key = REPEATED_KEY.fullmatch(code)
    if key:
        return Reason(texts("duplicate_key", named=key["key"]), "")
    words = texts.of_code("duplicate", code)
    return Reason(words, "", foreign=words == code)


def reading_reason(code: str, contract: CompiledContract, texts: Texts) -> Reason:
    """Return the words for the reason a raw row was set aside or got a remark, from its code."""
    for start, key in REMARK_STARTS.items():
        if code.startswith(start):
            kind = code.removeprefix(start)
            return Reason(texts(key, kind=texts.words.get(f"source_{kind}", kind)), "")
    column_rule, type_rule = COLUMN_RULE.fullmatch(code), TYPE_RULE.fullmatch(code)
    if column_rule:
        column = column_words(contract, column_rule["column"], texts)
        return Reason(texts(f"reason_{column_rule['what']}", column=column), code)
    if type_rule:
        return Reason(texts("reason_type", column=column_words(contract, type_rule["column"], texts)), code)
    key = f"reason_{NOT_A_LETTER.sub('_', code)}"
    if key in texts.words:
        return Reason(texts(key), code)
    described = next((rule.description for rule in contract.rules if rule.rule_id == code), None)
    if described is None:
        return Reason(code, "")
    stated = _stated_rule(code, described, texts)
    return Reason(texts("reason_broken", rule=stated.words), code, stated.foreign)


def _stated_rule(code: str, description: str, texts: Texts) -> Reason:
    """Return the words for a rule that its contract states in English."""
    if texts.language == "en":
        return Reason(description, code)
    words = texts.words.get(f"rule_{code}")
    return Reason(words or description, code, foreign=words is None)


def rule_reason(rule: Mapping[str, Any], contract: CompiledContract, texts: Texts) -> Reason:
    """Return the words for a rule of a canonical table: the contract's own in English, those of its kind in Chinese."""
    code = rule["rule_id"]
    if texts.language == "en":
        return _stated_rule(code, rule["description"], texts)
    if code == "primary_key":
        return Reason(texts("kind_primary_key"), code)
    key = f"kind_{rule['kind']}"
    if rule["column"] is not None and key in texts.words:
        return Reason(texts(key, column=column_words(contract, rule["column"], texts)), code)
    return _stated_rule(code, rule["description"], texts)


def column_words(contract: CompiledContract, name: str, texts: Texts) -> str:
    """Return the header of a raw column in English, its meaning in Chinese; for an unknown column, its name."""
    column = next((column for column in contract.columns if column.name == name), None)
    if column is None:
        return name
    if texts.language == "zh" and column.description_zh:
        return f"“{column.description_zh}”"
    return f"'{column.header}'" if column.header else name


def _table(table: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    contract = table_contract(table["table"])
    rules = [
        {
            **rule,
            "reason": rule_reason(rule, contract, texts),
            "state": STATES[rule["status"]],
            "needs_attention": rule["status"] in {"failed", "not_validated"},
            "examples": table["examples"].get(rule["rule_id"], []),
        }
        for rule in table["rules"]
    ]
    return {
        **table,
        "title": titled("table", table["table"], table["title"], texts),
        "rules": rules,
        "quarantined_rows": sum(table["quarantined"].values()),
        "duplicate_rows": sum(table["duplicates"].values()),
        **{status: sum(rule["status"] == status for rule in rules) for status in STATES},
    }


def _totals(sources: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    rows = sum(source["rows_in"] for source in sources)
    found = {
        "accepted": sum(source["accepted"] for source in sources),
        "quarantined": sum(source["quarantined_rows"] for source in sources),
        "duplicates": sum(source["duplicate_rows"] for source in sources),
    }
    shares = {f"{name}_share": count / rows if rows else 0.0 for name, count in found.items()}
    files = sum(source["files"] for source in sources)
    remarked = sum(source["remarked_rows"] for source in sources)
    shares["broken_share"] = broken_share(sources)
    return {"files": files, "rows": rows, "remarked": remarked, **found, **shares}


def _table_totals(tables: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    columns = {
        "rows": "rows_in",
        "accepted": "accepted",
        "quarantined": "quarantined_rows",
        "duplicates": "duplicate_rows",
    }
    return {name: sum(table[column] for table in tables) for name, column in columns.items()}


def _rule_totals(tables: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    found = {status: sum(table[status] for table in tables) for status in STATES}
    return {**found, "judged": found["passed"] + found["failed"]}


def _contracts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    sources = [(source["source"], source["contract_digest"]) for source in document["sources"]]
    return [*sources, *((table["contract"], table["contract_digest"]) for table in document["tables"])]
