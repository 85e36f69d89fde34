"""Our own template of a canonical table: a source contract derived from the table's contract.

Users without an export in a supported format fill in a file whose headers are the columns of the table or their Chinese
names. The file does not ask for what the pipeline adds: lineage, amounts in US dollars if the row has its own currency,
and pseudonyms. Every rule of the table's contract that uses only the requested columns also applies to the file. The
other rules are checked on the canonical table, as for any source.

A table has a template if its contract has the custom property ``template`` with

- ``knownLagDays``: days from the event until a row is known, used if the file does not say when it was known;
- ``retentionDays``: days after which a row is deleted (default: rows are kept);
- ``keysAreGlobal``: the identifiers are unique over all sellers, so they stay as delivered (default false: an
  identifier is unique within its seller, and the seller's reference is prepended);
- ``announced``: rows may be known before their event, such as instalments that will fall due (default false).

A column of pseudonyms has the custom property ``pseudonymOf``: ``column``, ``classification``, ``purpose``,
``description``, ``businessName`` and, if it is personal, ``retentionDays`` of the raw column in the file. The same text
with the same purpose always produces the same pseudonym.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PREFIX = "template_"
SELLER, EVENT_DATE, KNOWN_AT = "seller_id", "event_date", "known_at"
# The only lineage columns that the file itself may state.
_ASKED_LINEAGE = (EVENT_DATE, KNOWN_AT)
# Found by ingest when it compares sources.
_FOUND_LATER = ("counted_in",)
_TRUE_VALUES = ["true", "yes", "y", "1", "是"]
_FALSE_VALUES = ["false", "no", "n", "0", "否"]
_DATE_FORMATS = "yyyy-MM-dd | yyyy/M/d"
_TIMESTAMP_FORMATS = (
    "yyyy-MM-dd'T'HH:mm:ssX | yyyy-MM-dd'T'HH:mm:ss.SSSX | yyyy-MM-dd HH:mm:ss | yyyy-MM-dd HH:mm:ss X | yyyy-MM-dd"
)
_PASSED_ON = ("knownLagDays", "retentionDays")
_SERVER = {
    "server": "file",
    "type": "custom",
    "format": "tabular",
    "delimiter": ",",
    "encoding": "UTF-8",
    "customProperties": [{"property": "quote", "value": '"'}],
}


@dataclass(frozen=True)
class Pseudonym:
    """A canonical column of pseudonyms, the raw column it is made from, and the purpose of the pseudonyms."""

    column: str
    raw_column: str
    purpose: str


@dataclass(frozen=True)
class Template:
    """The template derived from the contract of a canonical table.

    Attributes:
        table: the canonical table.
        key: column that identifies a row.
        document: the source contract as an ODCS document.
        pseudonyms: columns to pseudonymise.
        usd_of: columns in US dollars, each with the column in the row's currency it is computed from.
        key_within_seller: whether the seller's reference is prepended to the identifier.
        seller_required: whether every row must name a seller.
        happened: column that must not be later than the time of recording.
    """

    table: str
    key: str
    document: Mapping[str, Any]
    pseudonyms: tuple[Pseudonym, ...]
    usd_of: Mapping[str, str]
    key_within_seller: bool
    seller_required: bool
    happened: str

    @property
    def contract_bytes(self) -> bytes:
        """The source contract as JSON, which is also valid YAML."""
        return json.dumps(self.document, ensure_ascii=False, sort_keys=True).encode()


def template_of(table: Mapping[str, Any], lineage: Mapping[str, Any]) -> Template | None:
    """Return the template derived from the ODCS documents of a table and the lineage, or None if there is none."""
    settings = _custom(table).get("template")
    if settings is None:
        return None
    schema = table["schema"][0]
    asked_lineage = [prop for prop in lineage["schema"][0]["properties"] if prop["name"] in _ASKED_LINEAGE]
    own = [prop for prop in schema["properties"] if prop["name"] not in _FOUND_LATER]
    properties = [*own, *asked_lineage]
    names = {prop["name"]: prop for prop in properties}
    pseudonyms = tuple(_pseudonyms(properties))
    usd_of = _usd_of(names)
    seller_required = bool(names.get(SELLER, {}).get("required"))
    within_seller = seller_required and not settings.get("keysAreGlobal", False)
    key = next(prop["name"] for prop in properties if prop.get("primaryKey"))
    raw_names = {pseudonym.column: pseudonym.raw_column for pseudonym in pseudonyms}
    asked = [_asked(prop, key, within_seller=within_seller) for prop in properties if prop["name"] not in usd_of]
    lineage_names = {prop["name"] for prop in lineage["schema"][0]["properties"]}
    not_asked = {*usd_of, *lineage_names.difference(_ASKED_LINEAGE)}
    rules = [_renamed(rule, raw_names) for rule in schema.get("quality", []) if not not_asked & _words(rule)]
    return Template(
        table=schema["name"],
        key=raw_names.get(key, key),
        document=_document(table, asked, rules, settings),
        pseudonyms=pseudonyms,
        usd_of=usd_of,
        key_within_seller=within_seller,
        seller_required=seller_required,
        happened=KNOWN_AT if settings.get("announced", False) else EVENT_DATE,
    )


def _document(
    table: Mapping[str, Any], properties: Sequence[Mapping[str, Any]], rules: Sequence[Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    name = f"{PREFIX}{table['id']}"
    purpose = " ".join(table["description"]["purpose"].split())
    return {
        **{key: table[key] for key in ("apiVersion", "kind", "version", "status")},
        "id": name,
        "name": f"Template: {table['name']}",
        "description": {"purpose": f"The project's own file format for the table {table['id']}. {purpose}"},
        "customProperties": [
            *({"property": name, "value": settings[name]} for name in _PASSED_ON if name in settings),
            {"property": "verification", "value": {"verified": "The format is defined by this project."}},
        ],
        "servers": [_SERVER],
        "schema": [{"name": name, "properties": list(properties), "quality": list(rules)}],
    }


def _asked(prop: Mapping[str, Any], key: str, *, within_seller: bool) -> dict[str, Any]:
    """Return a canonical column in the form in which the template requests it."""
    asked = copy.deepcopy(dict(prop))
    custom = _custom(asked)
    source = custom.pop("pseudonymOf", None)
    if source is not None:
        asked |= {"name": source["column"], **{part: source[part] for part in ("classification", "description")}}
        asked["businessName"] = source["businessName"]
        # The original may be kept for another time than its pseudonym.
        custom.pop("retentionDays", None)
        custom |= {name: source[name] for name in ("retentionDays",) if name in source}
        options = asked.get("logicalTypeOptions", {})
        # The original cannot have the form of a pseudonym.
        asked["logicalTypeOptions"] = {name: value for name, value in options.items() if name != "pattern"}
        asked.pop("physicalType", None)
    asked["synonyms"] = [{"synonym": asked["businessName"], "locale": "zh-CN"}]
    if asked["name"] == KNOWN_AT:
        asked["required"] = False
        asked["description"] = (
            "Time from which the row could be known; default: the event date plus the usual lag of the table"
        )
    if within_seller and prop["name"] in {SELLER, key}:
        asked["primaryKey"] = True
        asked = _with_room_for_seller(asked) if prop["name"] == key else asked
    # A file delivered for one seller need not name the seller in each row.
    if not asked.get("required") or (within_seller and prop["name"] == SELLER):
        custom["optionalHeader"] = True
    asked["customProperties"] = [{"property": name, "value": value} for name, value in custom.items()]
    return _with_spellings(asked)


def _with_room_for_seller(key: Mapping[str, Any]) -> dict[str, Any]:
    """Return the key column with a lower maximum length: the canonical key starts with the seller and a colon."""
    options = dict(key["logicalTypeOptions"])
    options["maxLength"] -= 65
    return {**key, "logicalTypeOptions": options}


def _with_spellings(asked: dict[str, Any]) -> dict[str, Any]:
    """Return a column with the formats of its type that people and spreadsheets commonly write."""
    formats = {"date": _DATE_FORMATS, "timestamp": _TIMESTAMP_FORMATS}.get(asked["logicalType"])
    if formats is not None:
        asked["logicalTypeOptions"] = {**asked.get("logicalTypeOptions", {}), "format": formats}
    if asked["logicalType"] == "boolean":
        asked["customProperties"] += [
            {"property": "trueValues", "value": _TRUE_VALUES},
            {"property": "falseValues", "value": _FALSE_VALUES},
        ]
    return asked


def _pseudonyms(properties: Iterable[Mapping[str, Any]]) -> Iterable[Pseudonym]:
    for prop in properties:
        source = _custom(prop).get("pseudonymOf")
        if source is not None:
            yield Pseudonym(prop["name"], source["column"], source["purpose"])


def _usd_of(properties: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the columns in US dollars that are computed from another column and the row's currency."""
    found = {}
    for name in properties:
        amount = name.removesuffix("_usd")
        origins = [origin for origin in (amount, f"{amount}_amount") if origin in properties and origin != name]
        if name.endswith("_usd") and origins and "currency" in properties:
            found[name] = origins[0]
    return found


def _renamed(rule: Mapping[str, Any], raw_names: Mapping[str, str]) -> dict[str, Any]:
    """Return a rule in which the raw columns replace the pseudonyms made from them."""
    query = re.sub(r"[a-z_0-9]+", lambda word: raw_names.get(word.group(), word.group()), rule.get("query", ""))
    return {**rule, "query": query} if query else dict(rule)


def _words(rule: Mapping[str, Any]) -> set[str]:
    text = json.dumps([rule.get("query"), rule.get("arguments")])
    return set(re.findall(r"[a-z_][a-z_0-9]*", text))


def _custom(part: Mapping[str, Any]) -> dict[str, Any]:
    return {entry["property"]: entry["value"] for entry in part.get("customProperties", [])}
