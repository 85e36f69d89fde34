"""Simulates a world: causes and events of every seller, week by week, with known truth."""

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
    """A simulated world.

    Attributes:
        settings: What it was made from; of a district, with the district's seeds and number of sellers.
        first_seller: Sellers of the whole world in the districts before this one.
        timeline: Weeks, season, exchange rates.
        firms: Fixed attributes, hidden ones included.
        network: Relations.
        flows: Cash movements in CNY by cause (``simulator.state.FLOWS``), shape (causes, weeks, sellers).
        cash: Closing cash, CNY, shape (weeks, sellers); the opening cash of week 0 is nil.
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
        """Number in the whole world, from 1, of sellers (or groups, suppliers, addresses) of this district."""
        return local + self.first_seller + 1

    def incidents(self, kind: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Seller, week and size of the incidents of a kind (``simulator.incidents.note``)."""
        rows = self.events.get("incidents")
        if rows is None:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
        at = rows["kind"] == kind
        return rows["seller"][at].astype(np.int64), rows["week"][at].astype(np.int64), rows["size"][at].astype(float)

    def seller_id(self, seller: int) -> str:
        """Reference of a seller as lenders write it: ``S000001`` for the first."""
        return f"S{seller + self.first_seller + 1:06d}"

    def seller_ids(self) -> NDArray[np.str_]:
        """References of all sellers of this district."""
        return np.array([self.seller_id(seller) for seller in range(self.firms.count)])
