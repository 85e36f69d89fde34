"""The feature page of the documentation, generated from the feature records."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from features.record import DerivedFeature, Feature, Pillar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.record import FeatureRecord

PILLAR_TITLES: dict[str, tuple[str, str]] = {
    "sales_health": ("Sales health", "销售健康度"),
    "user_quality": ("User quality", "用户质量"),
    "supply_chain": ("Supply-chain stability", "供应链稳定性"),
    "liquidity": ("Liquidity", "流动性"),
    "platform_dependence": ("Platform dependence", "平台依赖度"),
    "compliance": ("Compliance", "合规"),
    "related_parties": ("Related parties", "关联方"),
    "data_integrity": ("Data integrity", "数据真实性"),
}

# Canonical tables that no feature reads, each with the reason.
UNREAD_TABLES: dict[str, str] = {
    "credit_record": "It states the outcome, so a feature may not read it.",
    "export_document": "Its amounts are those of declarations and orders; reconciliation compares them.",
    "feature_matrix": "It is the result of the features.",
    "score": "It is the result of the model.",
}

DIRECTION_WORDS = {1: "higher means more risk", -1: "higher means less risk", 0: "no direction imposed"}

_INTRODUCTION = """\
# Features

A feature describes a seller as of a date. It uses only rows that had happened and were known by the end of that day.
A window of *n* days is the date itself and the *n* - 1 days before it. If the table behind a feature was not delivered
for the whole window, the feature is missing, never zero. `make docs` generates this page from the feature records: edit
`features/`, not this file.
"""

_SOURCES = """\
## Sources

- Zhang 2025: Zhang Yaowen, supply-chain finance risk and capital strategy under the fully hosted model, *E-Commerce
  Letters* 14(12), doi 10.12677/ecl.2025.14123892
- Wang and Fang 2025: Wang Chen and Fang Xuanyang, collaborative governance of cross-border supply-chain finance risk
- Feasibility study of financial services on trade platforms; feasibility study of a supply-chain finance platform
  (2025): project reports
- "own" and "common practice": no single source. The direction is a hypothesis until the model report confirms it
"""


def feature_page(records: Sequence[FeatureRecord]) -> str:
    """Return the page in Markdown: features by pillar, then the quantities they are computed from.

    Args:
        records: the catalogue, or the records of a set with its inputs.
    """
    features = [record for record in records if not record.is_intermediate]
    quantities = [record for record in records if record.is_intermediate]
    sections = [_INTRODUCTION, _overview(features)]
    for pillar in get_args(Pillar):
        members = [record for record in features if record.pillar == pillar]
        if members:
            sections.append("\n".join([f"## {_pillar_title(pillar)}\n", *(_entry(record) for record in members)]))
    if quantities:
        rows = [f"| `{each.name}` | {each.description} | `{_cell(formula(each))}` |" for each in quantities]
        head = ["## Intermediate quantities\n", "| name | what it measures | formula |", "|---|---|---|"]
        sections.append("\n".join([*head, *rows]) + "\n")
        unread = [f"| `{table}` | {reason} |" for table, reason in UNREAD_TABLES.items()]
        head = ["## Tables that no feature reads\n", "| table | why |", "|---|---|"]
        sections.append("\n".join([*head, *unread]) + "\n")
    sections.append(_SOURCES)
    return "\n".join(sections)


def formula(record: FeatureRecord) -> str:
    """Return the formula of a record on one line."""
    if isinstance(record, DerivedFeature):
        return record.expression
    if isinstance(record, Feature):
        inside = record.value or ("*" if record.key is None else "rows")
        inside += "" if record.of is None else f" / {record.of}"
        by = "" if record.key is None else f" by {record.key}"
        by += "" if record.least_share is None else f" with at least {record.least_share:.0%} of the whole"
        where = "" if record.where is None else f" where {record.where}"
        return f"{record.aggregate}({inside}){by} from {record.table}{where}{_window(record.window_days)}"
    of = "" if record.neighbour_feature is None else f"({record.neighbour_feature})"
    side = "" if record.side is None else f", side {record.side}"
    return f"{record.signal}{of} from {', '.join(record.tables)}{side}{_window(record.window_days)}"


def _overview(features: Sequence[FeatureRecord]) -> str:
    rows = ["| pillar | features |", "|---|---|"]
    for pillar in get_args(Pillar):
        count = sum(record.pillar == pillar for record in features)
        if count:
            rows.append(f"| {_pillar_title(pillar)} | {count} |")
    return "\n".join(rows) + "\n"


def _pillar_title(pillar: str) -> str:
    english, chinese = PILLAR_TITLES[pillar]
    return f"{english} · {chinese}"


def _entry(record: FeatureRecord) -> str:
    stops = "Changes by itself once a seller stops trading." if record.stops_with_trading else ""
    lines = [
        f"### `{record.name}`\n",
        f"**{record.title_en}** · {record.title_zh}\n",
        f"{record.description} {stops}".strip() + "\n",
        f"- Formula: `{formula(record)}`",
        f"- Unit: {record.unit}; {DIRECTION_WORDS[record.direction]}",
        f"- Family: {record.family}; since {record.since}",
        f"- Missing: {record.missing}",
        f"- Source: {record.reference}\n",
    ]
    return "\n".join(lines)


def _window(days: int | None) -> str:
    return "" if days is None else f" over {days} days"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
