"""All settings of a simulated world: two seeds, size, dates and the parameters of the economy.

The defaults are choices of this project, tuned so that default rates and predictability fall into its target bands.
None of them is an estimate of a real market.
"""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Frozen(BaseModel):
    """Settings that are immutable and reject unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EconomySettings(_Frozen):
    """Demand, margins, stock and fixed costs of the firms. Shares are of gross sales unless noted."""

    median_annual_sales: float = Field(
        default=260_000.0, gt=0, description="Marketplace sales of the median firm, USD."
    )
    log_size_sd: float = Field(default=1.3, ge=0, description="Standard deviation of log size over firms.")
    annual_growth: float = Field(
        default=0.07, description="Yearly log growth of a firm of quality 0, without listings."
    )
    annual_quality_drift: float = Field(default=0.24, description="Yearly log growth per unit of hidden quality.")
    annual_level_sd: float = Field(
        default=0.22, ge=0, description="Standard deviation of the yearly change of the log sales level."
    )
    weekly_noise_sd: float = Field(
        default=0.11, ge=0, description="Standard deviation of mean-reverting weekly demand noise."
    )
    quality_persistence: float = Field(default=0.993, ge=0, le=1, description="Weekly persistence of hidden quality.")
    commission_share: float = Field(default=0.15, ge=0, le=1, description="Marketplace commission over sales.")
    fulfilment_share: float = Field(
        default=0.16, ge=0, le=1, description="Fulfilment fees over sales that the marketplace ships."
    )
    freight_share: float = Field(default=0.07, ge=0, description="Freight over goods value at freight index 1.")
    fixed_cost_share: float = Field(default=0.155, ge=0, description="Payroll and rent over expected sales at entry.")
    margin_sd: float = Field(default=0.030, ge=0, description="Standard deviation of the hidden cost ratio over firms.")
    tax_share: float = Field(default=0.01, ge=0, le=1, description="Tax over sales.")
    entry_stock_weeks: float = Field(default=10.0, gt=0, description="Stock at entry, in weeks of sales.")
    listing_loss_rate: float = Field(default=0.13, ge=0, description="Yearly rate of losing a key listing.")
    listing_hit_rate: float = Field(default=0.18, ge=0, description="Yearly rate of a hit product.")
    suspension_rate: float = Field(default=0.07, ge=0, description="Yearly rate of marketplace account suspension.")
    delisting_rate: float = Field(default=0.10, ge=0, description="Yearly rate of removal from a hosted platform.")
    bidding_rate: float = Field(
        default=2.0, ge=0, description="Yearly rate of lost price rounds on a full hosted platform."
    )
    claim_rate: float = Field(default=0.08, ge=0, description="Yearly rate of a recall or IP claim.")
    outside_loss_rate: float = Field(
        default=0.07, ge=0, description="Yearly rate of a loss outside the trade, seen in no seller data."
    )
    other_business_share: float = Field(
        default=0.8, ge=0, description="Mean size of the owner's other business over marketplace sales."
    )
    other_business_margin: float = Field(
        default=0.10, description="Net income of the other business over its sales, in quiet times."
    )
    other_business_sd: float = Field(
        default=0.20, ge=0, description="Standard deviation of the yearly log change of the other business."
    )
    rescue_rate: float = Field(
        default=0.05, ge=0, le=1, description="Extra weekly chance of a rescue by a fully backed owner."
    )
    stranger_rescue_rate: float = Field(
        default=0.23, ge=0, le=1, description="Weekly chance that relatives or a lender help, for any owner."
    )
    faulty_batch_rate: float = Field(
        default=0.044, ge=0, description="Yearly rate of a faulty batch at returns of 5 % of sales, in quiet times."
    )
    supplier_failure_rate: float = Field(default=0.025, ge=0, description="Yearly rate of failure of a supplier.")


class CreditSettings(_Frozen):
    """How firms borrow, how lenders decide, and how instalments are paid."""

    slots: int = Field(default=3, ge=1, le=5, description="Most loans of a firm open at the same time.")
    amount_months: float = Field(default=0.45, gt=0, description="Median loan over monthly gross sales.")
    annual_rate_pct: float = Field(default=11.0, gt=0, description="Median yearly interest rate, per cent.")
    acceptance_threshold: float = Field(
        default=-0.85, description="Noisy score above which a lender accepts an application."
    )
    acceptance_noise_sd: float = Field(
        default=1.0, ge=0, description="Standard deviation of the noise in the lender's score."
    )
    application_rate: float = Field(default=0.125, ge=0, description="Chance that an average firm applies in a month.")
    overdraft_weeks: float = Field(default=0.5, ge=0, description="Informal overdraft, in weeks of operating outflow.")
    forgetful_share: float = Field(default=0.50, ge=0, le=1, description="Share of firms that pay late out of habit.")
    dispute_rate: float = Field(
        default=0.30, ge=0, description="Yearly rate of disputes that hold back instalments for weeks."
    )
    default_days_past_due: int = Field(default=90, ge=30, description="Days past due that make a default.")
    lenders: int = Field(default=8, ge=1, le=99, description="Number of lenders.")
    advance_share: float = Field(
        default=0.08, ge=0, description="Share of sellers of average appetite for debt that take platform advances."
    )


class NetworkSettings(_Frozen):
    """Relations between sellers."""

    grouped_share: float = Field(default=0.5, ge=0, le=1, description="Share of sellers in control groups of 2 to 6.")
    quality_correlation: float = Field(default=0.65, ge=0, le=1, description="Correlation of quality within a group.")
    circle_share: float = Field(
        default=0.09, ge=0, le=1, description="Share of sellers in guarantee circles of 2 to 4."
    )
    hub_count: int = Field(
        default=6, ge=0, description="Service addresses per 4,000 sellers, each shared by many honest firms."
    )
    hub_size: int = Field(default=45, ge=2, description="Mean number of sellers at a service address.")
    pooled_share: float = Field(
        default=0.6, ge=0, le=1, description="Share of the gap to equal cash cover that an owner's transfers close."
    )
    owner_liable_share: float = Field(
        default=0.6, ge=0, description="Share of a defaulted debt called from the owner's other sellers."
    )
    owner_run_weeks: float = Field(
        default=13.0, ge=0, description="Weeks of outflow that creditors call from them as well."
    )
    stripping_rate: float = Field(
        default=0.055, ge=0, le=1, description="Weekly chance that an owner in trouble strips a seller of cash."
    )
    owner_recovery_rate: float = Field(
        default=0.02, ge=0, le=1, description="Weekly chance that a seller escapes being stripped."
    )
    rescue_after_group_default: float = Field(
        default=0.6, ge=0, le=1, description="Factor on rescues when another seller of the owner is in default."
    )
    owner_risk_factor: float = Field(
        default=7.0, ge=0, description="Factor on the rate of outside losses of owners of several sellers."
    )
    guarantee_called_share: float = Field(
        default=0.9, ge=0, le=1, description="Share of a defaulted debt called from guarantors."
    )
    share_sale_rate: float = Field(default=0.015, ge=0, description="Yearly rate at which an owner sells the shares.")
    share_sale_before_default: float = Field(
        default=0.12, ge=0, le=1, description="Share of owners who sell in the ten months before a default."
    )


class FraudSettings(_Frozen):
    """Planted fraud scenarios; the truth tables list who commits which."""

    brusher_share: float = Field(
        default=0.03, ge=0, le=1, description="Share of own-site sellers ready to fake orders (brushing)."
    )
    withholder_share: float = Field(
        default=0.03, ge=0, le=1, description="Share of sellers that withhold their worse source."
    )
    mean_weeks: float = Field(
        default=30.0, gt=0, description="Mean length of a case beyond its first 13 weeks, in weeks."
    )
    brushing_rate: float = Field(default=0.12, ge=0, description="Yearly rate at which a ready seller starts brushing.")
    inflated_traffic_rate: float = Field(
        default=0.008, ge=0, description="Yearly rate of starting to buy or invent visits."
    )
    over_declaration_rate: float = Field(
        default=0.006, ge=0, description="Yearly rate of starting to over-declare exports."
    )
    round_trip_rate: float = Field(
        default=0.005, ge=0, description="Yearly rate at which related firms start to invoice in a ring."
    )
    loan_diversion_share: float = Field(
        default=0.008, ge=0, le=1, description="Share of loans diverted from the business."
    )
    borrowed_identity_share: float = Field(
        default=0.008, ge=0, le=1, description="Share of new sellers run from a stranger's device."
    )
    agency_share: float = Field(
        default=0.012, ge=0, le=1, description="Share of sellers run by an honest agency on its device."
    )
    double_pledge_share: float = Field(
        default=0.014, ge=0, le=1, description="Share of second loans whose receivable is pledged twice."
    )
    forged_trade_rate: float = Field(
        default=0.005, ge=0, description="Yearly rate of starting to forge orders and waybills."
    )


class ObservationSettings(_Frozen):
    """How the world is observed: lags, refusals and defects."""

    refusal_share: float = Field(
        default=0.06, ge=0, le=1, description="Mean share of sources that a seller refuses to deliver."
    )
    thin_file_share: float = Field(
        default=0.05, ge=0, le=1, description="Base share of sellers with only short platform statements."
    )
    delivery_years: int = Field(default=3, ge=1, le=30, description="Calendar years per delivery.")
    repeated_block_share: float = Field(
        default=0.5, ge=0, le=1, description="Share of files that repeat the last settlement of the previous one."
    )
    duplicate_invoice_share: float = Field(
        default=0.0004, ge=0, le=0.01, description="Share of invoice rows that occur twice."
    )
    malformed_row_share: float = Field(default=0.00005, ge=0, le=0.001, description="Malformed rows over all rows.")
    void_invoice_share: float = Field(default=0.02, ge=0, le=0.2, description="Share of void invoices.")
    restated_invoice_share: float = Field(
        default=0.002, ge=0, le=0.05, description="Share of invoices cancelled by a red-letter invoice and reissued."
    )
    late_delivery_share: float = Field(
        default=0.02, ge=0, le=0.5, description="Share of deliveries with late rows in a later file of their own."
    )
    duplicate_delivery_share: float = Field(default=0.01, ge=0, le=0.2, description="Share of deliveries made twice.")
    truncated_file_share: float = Field(
        default=0.002, ge=0, le=0.2, description="Share of files cut off within a row; half of them come again."
    )
    unit_slip_share: float = Field(default=0.00002, ge=0, le=0.01, description="Share of rows with a wrong unit.")
    date_slip_share: float = Field(
        default=0.00002, ge=0, le=0.01, description="Share of rows with day and month swapped."
    )
    other_spelling_share: float = Field(
        default=0.25, ge=0, le=1, description="Share of declarations that spell the seller's name differently."
    )
    late_link_share: float = Field(
        default=0.05, ge=0, le=1, description="Share of links shown half a year to two years late."
    )
    unregistered_link_share: float = Field(
        default=0.04, ge=0, le=0.5, description="Share of registered links never shown, at average honesty."
    )
    alias_share: float = Field(default=0.6, ge=0, le=1, description="Share of companies with a registered Latin name.")
    bank_statement_share: float = Field(
        default=0.1, ge=0, le=1, description="Share of sellers that deliver the statements of their bank account."
    )
    training_consent_share: float = Field(
        default=0.92, ge=0, le=1, description="Share of sellers that consent to the training of models."
    )


class WorldSettings(_Frozen):
    """Settings of a simulated world. ``seed`` determines the truth, ``observation_seed`` what is observed of it."""

    seller_count: int = Field(default=4_000, ge=60, le=1_000_000, description="Number of sellers.")
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
            message = "last_day must be at least a year after first_day"
            raise ValueError(message)
        return self
