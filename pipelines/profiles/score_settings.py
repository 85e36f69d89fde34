"""What a profile says about promoting a model and about scoring with it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.evaluation.audit import AuditSettings
from models.registry.gates import GateSettings


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RegistrationSettings(_Settings):
    """How a candidate becomes champion.

    Attributes:
        approver: who answers for a promotion; written into the ledger.
        reason: why, in a sentence; written into the ledger.
        gates: limits of the gates.
        audit: how much of the model's promises is tried out.
    """

    approver: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    gates: GateSettings = GateSettings()
    audit: AuditSettings = AuditSettings()


class ScoringLimits(_Settings):
    """When a row is refused or scored with a warning.

    Attributes:
        as_of_age_days: a row whose as-of date lies further before the day of issue is refused as stale.
        coverage_gap_days: so is one whose last covered day lies further before its as-of date.
        missing_share: share of missing features above which a row is scored with a warning.
        missing_pillar_share: share of a pillar's weight in the training population that may be carried by missing
            features before the row is scored with a warning that names the pillar.
        smallest_pillar_share: a pillar with a smaller share of the weight of all features is not named.
        range_margin: how many widths of the training range a value may lie outside it before the row is scored with a
            warning. Sellers grow older than any seen in training; a slipped unit or sign lies much further out.
    """

    as_of_age_days: int = Field(default=180, ge=0)
    coverage_gap_days: int = Field(default=120, ge=0)
    missing_share: float = Field(default=0.5, ge=0.0, le=1.0)
    missing_pillar_share: float = Field(default=0.5, ge=0.0, le=1.0)
    smallest_pillar_share: float = Field(default=0.1, ge=0.0, le=1.0)
    range_margin: float = Field(default=1.0, ge=0.0)


class ScoringSettings(_Settings):
    """Whom a profile scores, and what its passports say.

    Attributes:
        applicants: ``latest``, every seller observed at the last as-of date; ``without_record``, the sellers whose
            lender states no default flag.
        issued_on: the day on the passports. A setting, so that a rerun gives the same bytes.
        valid_days: how long a passport is in force.
        issuer_name: what the issuer is called on a passport.
        passport_count: how many signed passports the stage issues, in order of the applicants; None issues all.
        chunk_rows: rows scored and kept at a time; changes no result.
        limits: when a row is refused or scored with a warning.
    """

    applicants: Literal["latest", "without_record"] = "latest"
    issued_on: date
    valid_days: int = Field(default=92, ge=1, le=366)
    issuer_name: str = Field(min_length=1)
    passport_count: int | None = Field(default=None, ge=0)
    chunk_rows: int = Field(default=8192, ge=1, le=100_000)
    limits: ScoringLimits = ScoringLimits()
