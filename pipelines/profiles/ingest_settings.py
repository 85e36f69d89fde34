"""Profile settings for reading raw files and checking canonical tables."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from data_contracts.mapping.days.day_order import DayOrder
from pipelines.runs.sandbox import Limits


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CoveragePeriod(_Settings):
    """The period that a delivery without a manifest covers, for all its firms."""

    period_from: date
    period_to: date
    delivered_at: AwareDatetime

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.period_to < self.period_from:
            raise ValueError("period_to is before period_from")
        return self


class IngestSettings(_Settings):
    """Settings of the stage ``ingest``.

    Attributes:
        layout: ``deliveries``, a folder with a delivery manifest (``deliveries.csv``) and a folder per source;
            ``cumcm2020c``, the attachments of that contest as published (two lists of firms, and four zips with one
            invoice file per firm).
        raw_dir: the folder; None for the world that the profile simulates.
        sources: the sources to read, in any order; empty for all sources of the layout.
        recorded_at: moment of recording, written into every row. A setting, so that a rerun produces the same bytes.
        coverage: the period covered, for a layout that does not state it.
        consent: whether a seller's files are read only with consent: ``required``, ``where_listed`` (consents count for
            sellers and sources that have any; without any, none is needed) or ``not_required``.
        consent_purpose: the purpose for which consent must be given.
        match_companies: whether to match companies in registers by name (``party_match``).
        most_matched_names: maximum number of names to match; if there are more, none is, because all names are compared
            in the memory of one process.
        date_order: order of day and month in files that write days as ``03/04/2025`` and do not tell it, if neither the
            manifest nor the command states it for the file; None to refuse such files.
        exchange_rate_file: CSV of rates for currencies that the European Central Bank does not quote.
        quarantine_limit_share: share of rows that may be quarantined before the stage ends with exit code 1.
        outside_period_limit_share: share of a file's rows that may lie outside the period that its delivery declares;
            such rows are kept and counted, and a file with more of them is refused.
        worker_count: number of sandbox processes for a large delivery. Never changes the result.
        worker_memory_mib: memory limit of a sandbox process; a hostile file ends its process, not the machine.
        worker_seconds: processor seconds of a sandbox process for each ``batch_bytes`` begun, and ten times as many
            seconds on the clock.
        batch_bytes: approximate raw bytes that a sandbox process reads at a time.
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
    date_order: DayOrder | None = None
    exchange_rate_file: Path | None = None
    quarantine_limit_share: float = Field(default=0.01, ge=0.0, le=1.0)
    outside_period_limit_share: float = Field(default=0.5, ge=0.0, le=1.0)
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
    """Settings of the stage ``validate``.

    Attributes:
        quarantine_limit_share: share of a table's rows that may break a rule before the stage ends with exit code 1.
        examples_per_rule: number of quarantined rows that the report shows for each rule.
    """

    quarantine_limit_share: float = Field(default=0.01, ge=0.0, le=1.0)
    examples_per_rule: int = Field(default=3, ge=0, le=50)


def limits_of(settings: IngestSettings, size_bytes: int = 0) -> Limits:
    """Return the sandbox limits for reading this many bytes; the seconds grow with the batches begun."""
    batches = max(math.ceil(size_bytes / settings.batch_bytes), 1)
    return Limits(settings.worker_memory_mib, settings.worker_seconds * batches)
