"""True default risk: the share of simulated futures in which a seller defaults, run from its hidden state on a date.

No scorer can know more: it sees every hidden attribute and balance, and only future random draws are new. The dated
shocks of the world stay as they are, so this is the risk of those calendar months.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.credit import month_starts, note_last_defaults
from simulator.economy.simulation import pass_weeks, world_setting, world_streams
from simulator.economy.state import new_books, new_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.state import Books, Setting, State
    from simulator.settings import WorldSettings

HORIZON_DAYS = 365
_WEEKS = 53  # weeks after which all defaults within the horizon are marked


@dataclass(frozen=True)
class TrueRisk:
    """Default risk of the sellers of a world, or of a district, on one date; arrays of shape (sellers,).

    Attributes:
        as_of_day: Day number; the risk covers the ``HORIZON_DAYS`` after it.
        is_exposed: In business, with an open loan, not in default.
        defaults_in: Whether the seller defaults within the horizon, shape (futures, sellers).
        defaulted: Whether it defaulted in the world itself.
    """

    as_of_day: int
    is_exposed: NDArray[np.bool_]
    defaults_in: NDArray[np.bool_]
    defaulted: NDArray[np.bool_]

    @property
    def risk(self) -> NDArray[np.float64]:
        """Share of the futures in which the seller defaults."""
        return np.asarray(self.defaults_in.mean(axis=0))


def true_risk(settings: WorldSettings, as_of_week: int, futures: int = 200, seed: int = 0) -> TrueRisk:
    """Estimate the true risk of all sellers on a date.

    Args:
        settings: Settings of a world of one district, or of a district (``simulator.population.districts``).
        as_of_week: Week whose first day is the date; the world must go on for 53 weeks after it.
        futures: Number of futures to simulate.
        seed: Seed of the futures. The world's own seed determines the past and the hidden attributes.

    Returns:
        The risk of each seller, and whether it really defaulted.

    Raises:
        ValueError: The date is before the second week, or the world ends too soon after it.
    """
    setting = world_setting(settings)
    if not 1 <= as_of_week <= setting.timeline.weeks - _WEEKS:
        message = f"as_of_week must be between 1 and {setting.timeline.weeks - _WEEKS}"
        raise ValueError(message)
    now, books = new_state(setting), new_books(setting)
    pass_weeks(setting, now, books, range(as_of_week))
    is_in_default = _defaulted_by(setting, now, 7 * as_of_week)
    fresh = np.random.SeedSequence([settings.seed, seed, as_of_week]).generate_state(futures)
    each = [_defaults(replace(setting, streams=world_streams(number)), now, books, as_of_week)
            for number in fresh.tolist()]  # fmt: skip
    return TrueRisk(
        as_of_day=7 * as_of_week,
        is_exposed=now.is_active & (now.loan >= 0).any(axis=1) & ~is_in_default,
        defaults_in=np.array(each),
        defaulted=_defaults(setting, now, books, as_of_week),
    )


def _defaults(setting: Setting, now: State, books: Books, as_of_week: int) -> NDArray[np.bool_]:
    """Return who defaults within the horizon when the simulation continues from a state; the state is not changed."""
    state, end_day = copy.deepcopy(now), 7 * as_of_week + HORIZON_DAYS
    books = replace(books, rows={table: list(parts) for table, parts in books.rows.items()})
    pass_weeks(setting, state, books, range(as_of_week, as_of_week + _WEEKS))
    is_new = ~_defaulted_by(setting, now, 7 * as_of_week) & _defaulted_by(setting, state, end_day)
    return np.asarray(is_new, dtype=np.bool_)


def _defaulted_by(setting: Setting, state: State, day: int) -> NDArray[np.bool_]:
    """Return who is in default at the end of a day; the simulation marks a default only when the next week begins."""
    state = copy.copy(state)
    starts = month_starts(setting.timeline.first_day)
    note_last_defaults(state, starts, day + 1, setting.settings.credit.default_days_past_due)
    return np.asarray((state.default_day >= 0) & (state.default_day <= day), dtype=np.bool_)
