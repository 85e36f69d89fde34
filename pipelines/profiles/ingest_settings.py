"""What a profile says about reading raw files and about judging the canonical tables."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from pipelines.runs.sandbox import Limits


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CoveragePeriod(_Settings):
    """What a delivery without a list of files covers, said once for all its firms."""

    period_from: date
    period_to: date
    delivered_at: AwareDatetime

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.period_to < self.period_from:
            raise ValueError("period_to lies before period_from")
        return self


class IngestSettings(_Settings):
    """How raw files become canonical tables.

    Attributes:
        layout: ``deliveries``, a folder with ``deliveries.csv`` and a folder a source; ``cumcm2020c``, the attachments
            of that contest as published (two lists of firms, four zips of one invoice file a firm).
        raw_dir: the folder; None means the world that the profile simulates.
        sources: the sources to read, in no particular order; empty means all of the layout.
        recorded_at: moment written into every row as the time of recording. A setting, so that a rerun gives the same
            bytes.
        coverage: the period covered, for a layout that cannot say it.
        consent: whether a seller's file is read only with his consent: ``required``, ``where_listed`` (where consents
            for the seller and source are delivered, they count; where none are, he is not asked) or ``not_required``.
        consent_purpose: the purpose for which consent must be given.
        match_companies: whether companies that registers list are matched by name (``party_match``).
        most_matched_names: names beyond which they are not, since all are compared in the memory of one process.
        exchange_rate_file: CSV of rates for currencies that the European Central Bank does not quote.
        quarantine_limit_share: share of rows in that may be quarantined before the stage ends with exit code 1.
        worker_count: child processes that read a large delivery side by side. Never changes the result.
        worker_memory_mib: memory a reading process may use; hostile files end with it, not with the machine.
        worker_seconds: processor seconds it may use for each ``batch_bytes`` begun, and ten times as many on the
            clock.
        batch_bytes: raw bytes a reading process takes at a time, about.
    """

    layout: Literal["deliveries", "cumcm2020c"] = "deliveries"
    raw_dir: Path | None = None
    sources: tuple[str, ...] = ()
    recorded_at: AwareDatetime
    coverage: CoveragePeriod | None = None
    consent: Literal["required", "where_listed", "not_required"] = "where_listed"
    consent_purpose: Literal["credit_assessment", "monitoring", "collection", "model_training", "identity_check"] = (
        "credit_assessment"
    )
    match_companies: bool = True
    most_matched_names: int = Field(default=300_000, ge=2)
    exchange_rate_file: Path | None = None
    quarantine_limit_share: float = Field(default=0.01, ge=0.0, le=1.0)
    worker_count: int = Field(default=2, ge=1, le=64)
    worker_memory_mib: int = Field(default=6144, ge=1024)
    worker_seconds: int = Field(default=120, ge=1)
    batch_bytes: int = Field(default=24 * 2**20, ge=1)

    @field_validator("recorded_at")
    @classmethod
    def _in_utc(cls, moment: datetime) -> datetime:
        if moment.utcoffset() != timedelta(0):
            raise ValueError("recorded_at must be in UTC")
        return moment

    @model_validator(mode="after")
    def _coverage_where_needed(self) -> Self:
        if self.layout == "cumcm2020c" and (self.coverage is None or self.raw_dir is None):
            raise ValueError("layout cumcm2020c needs raw_dir and coverage")
        return self


class ValidationSettings(_Settings):
    """How the canonical tables are judged.

    Attributes:
        quarantine_limit_share: share of a table's rows that may break a rule before the stage ends with exit code 1.
        examples_per_rule: quarantined rows shown in the report for each rule.
    """

    quarantine_limit_share: float = Field(default=0.01, ge=0.0, le=1.0)
    examples_per_rule: int = Field(default=3, ge=0, le=50)


def limits_of(settings: IngestSettings, size_bytes: int = 0) -> Limits:
    """Give what a process that reads so many bytes may use: for each batch begun the seconds of one."""
    batches = max(math.ceil(size_bytes / settings.batch_bytes), 1)
    return Limits(settings.worker_memory_mib, settings.worker_seconds * batches)
