"""The outcome of a simulation: everything that happened to the sellers of a world, with its known truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from simulator.population.firms import Firms
    from simulator.population.network import Network
    from simulator.settings import WorldSettings
    from simulator.timeline import Timeline


@dataclass(frozen=True)
class World:
    """A simulated world, or one district of it.

    Attributes:
        settings: Settings it was simulated from; for a district, with its own seeds and number of sellers.
        first_seller: Number of sellers in the districts before this one.
        timeline: Weeks, season and exchange rates.
        firms: Fixed attributes of the sellers, hidden ones included.
        network: Relations of the sellers.
        flows: Cash movements in CNY by cause (``simulator.economy.state.FLOWS``), shape (causes, weeks, sellers).
        cash: Closing cash, CNY, shape (weeks, sellers); the opening cash of week 0 is zero.
        weekly: Weekly amounts by name, each of shape (weeks, sellers).
        events: Event tables: name to columns of equal length.
        default_day: Day number of the first default, -1 for none, shape (sellers,).
        closed_week: Week of closing, past the end for none, shape (sellers,).
    """

    settings: WorldSettings
    first_seller: int
    timeline: Timeline
    firms: Firms
    network: Network
    flows: NDArray[np.float64]
    cash: NDArray[np.float64]
    weekly: Mapping[str, NDArray[np.float64]]
    events: Mapping[str, Mapping[str, NDArray[np.generic]]]
    default_day: NDArray[np.int64]
    closed_week: NDArray[np.int64]

    def number(self, local: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return world-wide numbers, from 1, of this district's sellers (or groups, suppliers, addresses)."""
        return local + self.first_seller + 1

    def incidents(self, kind: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return seller, week and size of all incidents of a kind (``simulator.economy.incidents.note``)."""
        rows = self.events.get("incidents")
        if rows is None:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
        at = rows["kind"] == kind
        return rows["seller"][at].astype(np.int64), rows["week"][at].astype(np.int64), rows["size"][at].astype(float)

    def seller_id(self, seller: int) -> str:
        """Return the reference of a seller as lenders write it: ``S000001`` for the first."""
        return f"S{seller + self.first_seller + 1:06d}"

    def seller_ids(self) -> NDArray[np.str_]:
        """Return the references of all sellers of this district."""
        return np.array([self.seller_id(seller) for seller in range(self.firms.count)])
