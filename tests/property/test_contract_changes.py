"""One mutation of a real contract is reported as exactly that change, and its reverse as the reverse change."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data_contracts.compatibility.contracts import contract_changes
from data_contracts.definition.compiler import compile_contract, source_names
from data_contracts.definition.contract import CompiledContract
from data_contracts.reading.heading_text import normalised

Document = dict[str, Any]
Expected = tuple[str, str, bool]
Mutation = Callable[[Document, Document], Expected | None]
WEAK_TO_STRONG = ["warning", "error", "critical"]


@functools.cache
def text_of(source: str) -> str:
    return (resources.files("data_contracts.sources") / source / "contract.odcs.yaml").read_text(encoding="utf-8")


def compiled(document: Document) -> CompiledContract:
    return compile_contract(json.dumps(document, ensure_ascii=False, default=str).encode(), "mutant")


def schema(document: Document) -> Document:
    found: Document = document["schema"][0]
    return found


def custom(part: Document) -> Document:
    return {entry["property"]: entry["value"] for entry in part.get("customProperties", [])}


def set_custom(part: Document, name: str, value: object) -> None:
    others = [entry for entry in part.get("customProperties", []) if entry["property"] != name]
    part["customProperties"] = [*others, {"property": name, "value": value}]


def is_named_elsewhere(document: Document, name: str) -> bool:
    """Return whether a rule or the file format names a column."""
    spoken = json.dumps([schema(document).get("quality"), document.get("servers")], ensure_ascii=False)
    return re.search(rf"\b{name}\b", spoken) is not None


def renamed(document: Document, prop: Document) -> Expected | None:
    old = prop["name"]
    prop.setdefault("physicalName", old)
    prop["name"] = f"{old}_renamed"
    for part in (schema(document), document["servers"][0]):
        for key in ("quality", "customProperties"):
            if key in part:
                part[key] = json.loads(re.sub(rf"\b{old}\b", f"{old}_renamed", json.dumps(part[key], default=str)))
    # A word of a rule's own name or text may be the column's name as well.
    return ("column renamed", prop["name"], True) if f"{old}_renamed" not in json.dumps(rule_names(document)) else None


def rule_names(document: Document) -> list[str]:
    return [entry["name"] for entry in schema(document).get("quality", [])]


def retyped(_: Document, prop: Document) -> Expected | None:
    narrower = {"number": "decimal(20,6)", "integer": "int32", "string": "dictionary"}.get(prop["logicalType"])
    if narrower is None or prop.get("physicalType") == narrower:
        return None
    prop["physicalType"] = narrower
    return "column type changed", prop["name"], True


def dropped(document: Document, prop: Document) -> Expected | None:
    if is_named_elsewhere(document, prop["name"]) or prop.get("primaryKey") or len(schema(document)["properties"]) < 2:
        return None
    schema(document)["properties"].remove(prop)
    return "column dropped", prop["name"], True


def added(document: Document, prop: Document) -> Expected | None:
    place = schema(document)["properties"].index(prop)
    new = {"name": "brand_new", "physicalName": "Brand new", "logicalType": "number", "description": "New to all"}
    schema(document)["properties"].insert(place, new)
    return "column added", "brand_new", True


def added_optional(document: Document, prop: Document) -> Expected | None:
    added(document, prop)
    set_custom(
        next(p for p in schema(document)["properties"] if p["name"] == "brand_new"), "optionalHeader", value=True
    )
    return "column added", "brand_new", False


def required(_: Document, prop: Document) -> Expected | None:
    if prop.get("required"):
        return None
    prop["required"] = True
    return "column made required", f"{prop['name']}:required", True


def in_hundredths(_: Document, prop: Document) -> Expected | None:
    if custom(prop).get("unit") is None:
        return None
    set_custom(prop, "unit", f"hundredths of {custom(prop)['unit']}")
    return "unit changed", prop["name"], True


def enum_narrowed(_: Document, prop: Document) -> Expected | None:
    if len(prop.get("enum", [])) < 2:
        return None
    prop["enum"].pop()
    warns = custom(prop).get("severity", {}).get("enum") == "warning"
    return "enum narrowed", f"{prop['name']}:enum", not warns


def enum_widened(_: Document, prop: Document) -> Expected | None:
    if not prop.get("enum"):
        return None
    prop["enum"].append({"value": "never seen before"})
    return "enum widened", f"{prop['name']}:enum", False


def header_renamed(_: Document, prop: Document) -> Expected | None:
    header = normalised(str(prop.get("physicalName", prop["name"])))
    if any(normalised(entry["synonym"]) == header for entry in prop.get("synonyms", [])):
        return None  # The old header goes on being read.
    prop["physicalName"] = f"{prop.get('physicalName', prop['name'])} again"
    return "header changed", prop["name"], True


def header_disguised(_: Document, prop: Document) -> Expected | None:
    header = str(prop.get("physicalName", prop["name"]))
    prop["physicalName"] = re.sub("[aeiop]", lambda letter: "аеіор"["aeiop".index(letter.group())], header, count=1)
    return ("header looks the same but differs", prop["name"], True) if prop["physicalName"] != header else None


def header_blank(document: Document, prop: Document) -> Expected | None:
    prop["physicalName"] = f"{prop.get('physicalName', prop['name'])} "
    if document["servers"][0]["format"] in {"json", "jsonl"}:
        return "header looks the same but differs", prop["name"], True
    return "header changed", prop["name"], False  # A heading is read without the blanks around it.


def synonym_added(_: Document, prop: Document) -> Expected | None:
    prop["synonyms"] = [*prop.get("synonyms", []), {"synonym": "never seen before"}]
    return "header changed", prop["name"], False


def key_extended(_: Document, prop: Document) -> Expected | None:
    if prop.get("primaryKey"):
        return None
    prop["primaryKey"] = True
    return "primary key changed", "primary key", True


def range_tightened(_: Document, prop: Document) -> Expected | None:
    options = prop.get("logicalTypeOptions", {})
    if "minimum" not in options or prop["logicalType"] not in {"number", "integer"}:
        return None
    options["exclusiveMinimum"] = options.pop("minimum")
    warns = custom(prop).get("severity", {}).get("range") == "warning"
    return "rule tightened", f"{prop['name']}:range", not warns


def rule_added(document: Document, prop: Document) -> Expected | None:
    query = f"SELECT COUNT(*) FROM ${{table}} WHERE {prop['name']} IS NULL AND 1 = 2"  # noqa: S608 - our own column
    rule = {"name": "brand_new_rule", "type": "sql", "mustBe": 0, "query": query}
    schema(document)["quality"] = [*schema(document).get("quality", []), rule]
    return "rule added", "brand_new_rule", True


def severity_raised(document: Document, _: Document) -> Expected | None:
    for rule in schema(document).get("quality", []):
        severity = rule.get("severity", "error")
        if severity != "critical":
            # A rule about the whole file has no rows to set aside; it counts, or it refuses the file.
            of_the_file = "mustBe" not in rule
            rule["severity"] = "critical" if of_the_file else WEAK_TO_STRONG[WEAK_TO_STRONG.index(severity) + 1]
            return "severity raised", rule["name"], True
    return None


def rule_dropped(document: Document, _: Document) -> Expected | None:
    if not schema(document).get("quality"):
        return None
    return "rule dropped", schema(document)["quality"].pop()["name"], False


def later_known(document: Document, _: Document) -> Expected | None:
    set_custom(document, "knownLagDays", int(custom(document).get("knownLagDays", 0)) + 1)
    return "known lag changed", "known lag", True


def described_otherwise(_: Document, prop: Document) -> Expected | None:
    prop["businessName"] = "另一种说法"
    return "wording changed", prop["name"], False


MUTATIONS: list[Mutation] = [
    *(renamed, retyped, dropped, added, added_optional, required, in_hundredths, enum_narrowed, enum_widened),
    *(header_renamed, header_disguised, header_blank, synonym_added, key_extended, range_tightened, rule_added),
    *(severity_raised, rule_dropped, later_known, described_otherwise),
]
REVERSE = {
    "column dropped": ("column added", None),
    "column added": ("column dropped", True),
    "column made required": ("rule dropped", False),
    "enum narrowed": ("enum widened", False),
    "enum widened": ("enum narrowed", None),
    "rule tightened": ("rule loosened", False),
    "rule added": ("rule dropped", False),
    "rule dropped": ("rule added", None),
    "severity raised": ("severity lowered", False),
}


@st.composite
def mutants(draw: st.DrawFn) -> tuple[Document, Document, Expected]:
    """Draw a source's contract, the same with one change, and that change."""
    mutate = draw(st.sampled_from(MUTATIONS))
    before: Document = yaml.safe_load(text_of(draw(st.sampled_from(source_names()))))
    after = copy.deepcopy(before)
    place = draw(st.integers(0, len(schema(after)["properties"]) - 1))
    expected = mutate(after, schema(after)["properties"][place])
    assume(expected is not None)
    assert expected is not None
    return before, after, expected


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(mutants())
def test_a_changed_contract_reports_exactly_that_change(mutant: tuple[Document, Document, Expected]) -> None:
    before, after, expected = mutant
    old, new = compiled(before), compiled(after)
    assert [(change.kind, change.place, change.breaking) for change in contract_changes(old, new)] == [expected]
    kind, breaking = REVERSE.get(expected[0], (expected[0], None))
    (back,) = contract_changes(new, old)
    assert back.kind == kind
    assert breaking is None or back.breaking == breaking
