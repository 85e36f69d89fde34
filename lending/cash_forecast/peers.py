"""What is measured on other sellers: the season, usual ratios, and how wide a forecast must be."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from lending.cash_forecast.settings import WEEKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEASON_WEEKS: Final = 52
LEVELS: Final = (
    0.01,
    0.025,
    0.05,
    0.1,
    0.15,
    0.2,
    0.25,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.75,
    0.8,
    0.85,
    0.9,
    0.95,
    0.975,
    0.99,
)
"""Levels at which the distribution of the error is stored."""
DRIVERS: Final = (
    "settled", "forecast_sales", "debt_due", "payable", "new_orders", "running_costs", "balance", "arrived",
    "balance_age", "arrears",
)  # fmt: skip
"""What moves the balance, in the order of the coefficients; all over the seller's weekly sales."""
WIDTH_DRIVERS: Final = ("constant", "balance", "sales_noise", "forecast_sales", "balance_age")
"""What widens the error."""

Table = tuple[tuple[float, ...], ...]


class PeerFigures(BaseModel):
    """Figures measured on the sellers of earlier dates or other worlds; a lender measures them again on its own.

    Attributes:
        measured_on: the data they were measured on.
        season: sales of each week of the year over a usual week; campaigns such as Black Friday show here.
        net_share: earnings after refunds and fees over sales.
        sales_noise: weekly variation of a seller's sales around level and season, median and a high value.
        payout_share: money arriving at the bank over sales.
        ordered_share: stocking orders over sales.
        weeks_of_cash: operating balance over weekly sales.
        drivers: coefficients by week ahead and driver.
        width: coefficients of the width by week ahead and driver, for a known balance.
        errors: error over width at ``LEVELS``, by week ahead, for a known balance.
        unknown_drivers: coefficients when the balance is unknown.
        unknown_width: coefficients of the width when the balance is unknown.
        unknown_errors: error over that width at ``LEVELS``.
        without: factor on the width for each missing source, at least 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measured_on: str
    season: tuple[float, ...]
    net_share: float
    sales_noise: tuple[float, float]
    payout_share: float
    ordered_share: float
    weeks_of_cash: float
    drivers: Table
    width: Table
    errors: Table
    unknown_drivers: Table
    unknown_width: Table
    unknown_errors: Table
    without: dict[str, float]

    @model_validator(mode="after")
    def _check(self) -> Self:
        shapes = {
            "drivers": (self.drivers, len(DRIVERS)), "width": (self.width, len(WIDTH_DRIVERS)),
            "unknown_drivers": (self.unknown_drivers, len(DRIVERS)),
            "unknown_width": (self.unknown_width, len(WIDTH_DRIVERS)),
            "errors": (self.errors, len(LEVELS)), "unknown_errors": (self.unknown_errors, len(LEVELS)),
        }  # fmt: skip
        for name, (table, columns) in shapes.items():
            if np.shape(table) != (WEEKS, columns):
                raise ValueError(f"{name} needs {WEEKS} rows of {columns} numbers")
        if len(self.season) != SEASON_WEEKS:
            raise ValueError(f"season needs {SEASON_WEEKS} numbers")
        if any(np.any(np.diff(table, axis=1) < 0) for table in (self.errors, self.unknown_errors)):
            raise ValueError("errors must rise with the level")
        if min(self.without.values(), default=1.0) < 1 or min(np.min(self.width), np.min(self.unknown_width)) < 0:
            raise ValueError("a missing source must not narrow the forecast, and widths must not be negative")
        debt = DRIVERS.index("debt_due")
        if max(row[debt] for row in (*self.drivers, *self.unknown_drivers)) > 0:
            raise ValueError("debt due must not raise the balance")
        return self

    def season_array(self) -> NDArray[np.float64]:
        """Return the season as an array."""
        return np.asarray(self.season)


@functools.cache
def packaged_peers() -> PeerFigures:
    """Return the packaged figures, measured on synthetic worlds that serve no other purpose."""
    text = resources.files("lending.cash_forecast").joinpath("peers.json").read_text(encoding="utf-8")
    return PeerFigures.model_validate_json(text)
