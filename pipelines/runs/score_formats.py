"""The forms in which scores are written; a module of its own, so that the command line loads nothing else."""

from __future__ import annotations

from enum import StrEnum


class ScoreFormat(StrEnum):
    """A form in which scores are written."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON_LINES = "jsonl"
