"""Settings of the cash forecast: the safety line, and what is assumed where no source says it."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

WEEKS: Final = 13
DAYS: Final = 7 * WEEKS
HISTORY_WEEKS: Final = 104


class CashForecastSettings(BaseModel):
    """Settings of a lender for the cash forecast; none of them is fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    safety_line_weeks: float = Field(
        default=1.0, ge=0, description="Safety line of the balance, in weeks of the expected outflow."
    )
    deposit_share: float = Field(
        default=0.3, ge=0, le=1, description="Share of a stocking order paid when it is placed."
    )
    usual_terms_days: int = Field(
        default=45, ge=0, le=180, description="Payment terms of suppliers where an order names none (30-60 days)."
    )
    stopped_after_days: int = Field(
        default=45, ge=14, description="Days without a sale after which no further sales are forecast."
    )
    oldest_balance_days: int = Field(
        default=100, ge=1, description="Age in days up to which a balance counts as the opening balance."
    )
    watched_probability: float = Field(
        default=0.2, gt=0, lt=1, description="Probability of a breach from which spending is to be frozen."
    )
    emergency_probability: float = Field(
        default=0.5, gt=0, lt=1, description="Probability of a breach from which emergency finance is to be sought."
    )
    sellers_at_once: int = Field(default=5_000, ge=1, description="Sellers of a chunk; it changes no result.")
