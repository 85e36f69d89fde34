"""Every number a simulated world depends on: two seeds, size, dates, and the economy's parameters.

The defaults are the simulator's own choices, tuned so that default rates and predictability fall into the bands the
project aims at; none of them is an estimate of a real market.
"""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Frozen(BaseModel):
    """Settings that cannot be changed or misspelt."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EconomySettings(_Frozen):
    """Demand, margins, stock and fixed costs of the firms. Shares are of gross sales unless said."""

    median_annual_sales: float = Field(
        default=260_000.0, gt=0, description="Marketplace sales of the median firm, USD."
    )
    log_size_sd: float = Field(default=1.3, ge=0, description="Spread of log size over firms.")
    annual_growth: float = Field(default=0.07, description="Log growth a year of a firm of quality 0, listings aside.")
    annual_quality_drift: float = Field(default=0.24, description="Log growth a year per unit of hidden quality.")
    annual_level_sd: float = Field(
        default=0.22, ge=0, description="Spread of the yearly change of the log sales level."
    )
    weekly_noise_sd: float = Field(default=0.11, ge=0, description="Spread of the mean-reverting weekly demand noise.")
    quality_persistence: float = Field(default=0.993, ge=0, le=1, description="Weekly persistence of hidden quality.")
    commission_share: float = Field(default=0.15, ge=0, le=1)
    fulfilment_share: float = Field(default=0.16, ge=0, le=1)
    freight_share: float = Field(default=0.07, ge=0, description="Freight over goods value at freight index 1.")
    fixed_cost_share: float = Field(default=0.155, ge=0, description="Payroll and rent over expected sales at entry.")
    margin_sd: float = Field(default=0.030, ge=0, description="Spread of the hidden cost ratio over firms.")
    tax_share: float = Field(default=0.01, ge=0, le=1)
    entry_stock_weeks: float = Field(default=10.0, gt=0, description="Sales weeks of stock at entry.")
    listing_loss_rate: float = Field(default=0.13, ge=0, description="Yearly rate of losing a key listing.")
    listing_hit_rate: float = Field(default=0.18, ge=0, description="Yearly rate of a hit product.")
    suspension_rate: float = Field(default=0.07, ge=0, description="Yearly rate of marketplace account suspension.")
    delisting_rate: float = Field(default=0.10, ge=0, description="Yearly rate of being taken off a hosted platform.")
    bidding_rate: float = Field(default=2.0, ge=0, description="Yearly rate of price rounds lost on a full hosted one.")
    claim_rate: float = Field(default=0.08, ge=0, description="Yearly rate of a recall or IP claim.")
    outside_loss_rate: float = Field(default=0.07, ge=0, description="Yearly rate of a loss no seller data shows.")
    other_business_share: float = Field(default=0.8, ge=0, description="Mean size of the owners' other business.")
    other_business_margin: float = Field(default=0.10, description="Net money from it over its sales, in quiet times.")
    other_business_sd: float = Field(default=0.20, ge=0, description="Spread of its yearly log change.")
    rescue_rate: float = Field(
        default=0.05, ge=0, le=1, description="Weekly chance that a fully backed owner steps in."
    )
    stranger_rescue_rate: float = Field(
        default=0.23, ge=0, le=1, description="Weekly chance that relatives or a lender help whoever the owner is."
    )
    faulty_batch_rate: float = Field(
        default=0.044, ge=0, description="Yearly rate of a faulty batch where 5 % of sales come back, in quiet times."
    )
    supplier_failure_rate: float = Field(default=0.025, ge=0, description="Yearly rate at which a supplier fails.")


class CreditSettings(_Frozen):
    """How firms borrow, how lenders accept, how instalments are paid."""

    slots: int = Field(default=3, ge=1, le=5, description="Most loans a firm may have open at once.")
    amount_months: float = Field(default=0.45, gt=0, description="Median loan over monthly gross sales.")
    annual_rate_pct: float = Field(default=11.0, gt=0, description="Median yearly interest rate, per cent.")
    acceptance_threshold: float = Field(default=-0.85, description="Noisy score above which a lender accepts.")
    acceptance_noise_sd: float = Field(default=1.0, ge=0)
    application_rate: float = Field(default=0.125, ge=0, description="Chance that an average firm applies in a month.")
    overdraft_weeks: float = Field(default=0.5, ge=0, description="Informal overdraft, in weeks of operating outflow.")
    forgetful_share: float = Field(default=0.50, ge=0, le=1, description="Share of firms that pay late out of habit.")
    dispute_rate: float = Field(default=0.30, ge=0, description="Yearly rate of holding back instalments for weeks.")
    default_days_past_due: int = Field(default=90, ge=30)
    lenders: int = Field(default=8, ge=1, le=99)


class NetworkSettings(_Frozen):
    """Who is related to whom."""

    grouped_share: float = Field(default=0.5, ge=0, le=1, description="Share of sellers in control groups of 2-6.")
    quality_correlation: float = Field(default=0.65, ge=0, le=1, description="Correlation of quality within a group.")
    circle_share: float = Field(default=0.09, ge=0, le=1, description="Share of sellers in guarantee circles of 2-4.")
    hub_count: int = Field(default=6, ge=0, description="Service addresses shared by many honest firms.")
    hub_size: int = Field(default=45, ge=2, description="Mean number of sellers at a service address.")
    pooled_share: float = Field(default=0.6, ge=0, le=1, description="Share of cash an owner pools over sellers.")
    owner_liable_share: float = Field(default=0.6, ge=0, description="Same, from the owner's other sellers.")
    owner_run_weeks: float = Field(
        default=13.0, ge=0, description="Weeks of outflow creditors call after a group default."
    )
    stripping_rate: float = Field(
        default=0.055, ge=0, le=1, description="Weekly chance that an owner in trouble strips each of several sellers."
    )
    owner_recovery_rate: float = Field(default=0.02, ge=0, le=1, description="Weekly chance that it gets over it.")
    rescue_after_group_default: float = Field(
        default=0.6, ge=0, le=1, description="Help left to sellers whose owner has another one in default."
    )
    owner_risk_factor: float = Field(default=7.0, ge=0, description="Outside losses of owners of several, factor.")
    guarantee_called_share: float = Field(default=0.9, ge=0, le=1, description="Share of a defaulted debt called in.")
    share_sale_rate: float = Field(default=0.015, ge=0, description="Yearly rate at which an owner sells the shares.")
    share_sale_before_default: float = Field(
        default=0.12, ge=0, le=1, description="Share of owners who sell in the ten months before a default."
    )


class FraudSettings(_Frozen):
    """Planted deceit; who lies is in the truth tables."""

    brusher_share: float = Field(default=0.03, ge=0, le=1, description="Share of own-site sellers ready to brush.")
    withholder_share: float = Field(default=0.03, ge=0, le=1, description="Share of sellers hiding their worse source.")
    mean_weeks: float = Field(default=30.0, gt=0, description="Mean weeks a lie lasts beyond its first thirteen.")
    brushing_rate: float = Field(
        default=0.12, ge=0, description="Yearly rate at which a willing seller starts to brush."
    )
    inflated_traffic_rate: float = Field(default=0.008, ge=0, description="Yearly rate of buying or inventing visits.")
    over_declaration_rate: float = Field(default=0.006, ge=0, description="Yearly rate of declaring exports too high.")
    round_trip_rate: float = Field(default=0.005, ge=0, description="Yearly rate of a ring invoicing in a circle.")
    loan_diversion_share: float = Field(default=0.008, ge=0, le=1, description="Share of loans that leave the trade.")
    borrowed_identity_share: float = Field(default=0.008, ge=0, le=1, description="Share run from another's device.")
    agency_share: float = Field(
        default=0.012, ge=0, le=1, description="Share run by honest agencies, device in common."
    )
    double_pledge_share: float = Field(default=0.014, ge=0, le=1, description="Share of second loans pledged twice.")
    forged_trade_rate: float = Field(default=0.005, ge=0, description="Yearly rate of forging orders and waybills.")


class ObservationSettings(_Frozen):
    """How the world is seen: lags, refusals, dirt."""

    refusal_share: float = Field(default=0.06, ge=0, le=1, description="Mean share of sources refused by a seller.")
    thin_file_share: float = Field(
        default=0.05, ge=0, le=1, description="Mean share of sellers with platform statements only, and short ones."
    )
    delivery_years: int = Field(default=3, ge=1, le=30, description="Calendar years a seller hands over at once.")
    repeated_block_share: float = Field(default=0.5, ge=0, le=1, description="Files repeating the last settlement.")
    duplicate_invoice_share: float = Field(default=0.0004, ge=0, le=0.01)
    malformed_row_share: float = Field(default=0.00005, ge=0, le=0.001)
    void_invoice_share: float = Field(default=0.02, ge=0, le=0.2)
    restated_invoice_share: float = Field(
        default=0.002, ge=0, le=0.05, description="Invoices cancelled by a red-letter one and issued again."
    )
    late_delivery_share: float = Field(
        default=0.02, ge=0, le=0.5, description="Deliveries part of which comes months later in a file of its own."
    )
    duplicate_delivery_share: float = Field(default=0.01, ge=0, le=0.2, description="Deliveries made twice.")
    truncated_file_share: float = Field(
        default=0.002, ge=0, le=0.2, description="Files cut off in a row; half of them are delivered again."
    )
    unit_slip_share: float = Field(default=0.00002, ge=0, le=0.01, description="Rows with one unit for another.")
    date_slip_share: float = Field(default=0.00002, ge=0, le=0.01, description="Rows with day and month swapped.")
    other_spelling_share: float = Field(
        default=0.25, ge=0, le=1, description="Declarations that spell the seller's name in another way."
    )
    late_link_share: float = Field(
        default=0.05, ge=0, le=1, description="Links a register shows half a year to two years late."
    )
    unregistered_link_share: float = Field(default=0.04, ge=0, le=0.5, description="Links no register ever shows.")
    alias_share: float = Field(default=0.6, ge=0, le=1, description="Companies with a registered Latin name.")


class WorldSettings(_Frozen):
    """Settings of one simulated world. ``seed`` makes the truth, ``observation_seed`` what is seen of it."""

    seller_count: int = Field(default=4_000, ge=60, le=1_000_000)
    district_sellers: int = Field(
        default=2_000, ge=300, le=4_000, description="Sellers simulated and written together."
    )
    first_day: date = date(2019, 1, 1)
    last_day: date = date(2024, 12, 31)
    seed: int = Field(default=7, ge=0)
    observation_seed: int = Field(default=11, ge=0)
    economy: EconomySettings = EconomySettings()
    credit: CreditSettings = CreditSettings()
    network: NetworkSettings = NetworkSettings()
    fraud: FraudSettings = FraudSettings()
    observation: ObservationSettings = ObservationSettings()

    @model_validator(mode="after")
    def _long_enough(self) -> Self:
        if (self.last_day - self.first_day).days < 364:
            message = "a world needs at least a year between first_day and last_day"
            raise ValueError(message)
        return self
