"""The record of one change between two versions of a contract."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ChangeKind(StrEnum):
    """Kinds of change. Whether a change is breaking also depends on its direction."""

    CONTRACT_RENAMED = "contract renamed"
    COLUMN_RENAMED = "column renamed"
    COLUMN_TYPE_CHANGED = "column type changed"
    COLUMN_DROPPED = "column dropped"
    COLUMN_ADDED = "column added"
    COLUMNS_REORDERED = "columns reordered"
    HEADER_CHANGED = "header changed"
    HEADER_LOOKALIKE = "header looks the same but differs"
    HEADER_REQUIREMENT_CHANGED = "header requirement changed"
    UNIT_CHANGED = "unit changed"
    LABEL_CHANGED = "value label changed"
    CLASSIFICATION_CHANGED = "classification changed"
    CELL_PARSING_CHANGED = "cell parsing changed"
    REQUIRED_ADDED = "column made required"
    ENUM_NARROWED = "enum narrowed"
    ENUM_WIDENED = "enum widened"
    RULE_ADDED = "rule added"
    RULE_DROPPED = "rule dropped"
    RULE_TIGHTENED = "rule tightened"
    RULE_LOOSENED = "rule loosened"
    RULE_CHANGED = "rule changed"
    SEVERITY_RAISED = "severity raised"
    SEVERITY_LOWERED = "severity lowered"
    PRIMARY_KEY_CHANGED = "primary key changed"
    FORMAT_CHANGED = "file format changed"
    LAG_CHANGED = "known lag changed"
    RETENTION_CHANGED = "retention changed"
    WORDING_CHANGED = "wording changed"


@dataclass(frozen=True)
class Change:
    """One change: its kind, its place (column, rule or setting), a description, and whether it is breaking."""

    kind: ChangeKind
    place: str
    words: str
    breaking: bool
