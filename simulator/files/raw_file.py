"""Types shared by the writers of raw files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from simulator.observation.defects import (
    PLANTED,
    REPEATED,
    Defect,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World
    from simulator.observation.availability import Observation
    from simulator.text_columns import Text


Junk = Callable[[int], bytes]


@dataclass(frozen=True)
class RawFile:
    """One raw file, ready to be written.

    Attributes:
        path: Path below the raw folder, with slashes.
        seller_ref: Seller that the file belongs to; empty for files about many sellers.
        source: Name of the source contract.
        account: Shop or marketplace account; empty where there is none.
        period: First and last day that the file covers, as day numbers.
        delivered: Day number and second of the day of the delivery.
        parts: The content, written one part after another.
        rows: Data rows, defective ones included.
        defects: Planted defects of the file.
    """

    path: str
    seller_ref: str
    source: str
    account: str
    period: tuple[int, int]
    delivered: tuple[int, int]
    parts: tuple[bytes | memoryview, ...]
    rows: int
    defects: tuple[Defect, ...] = ()

    @property
    def planted(self) -> int:
        """Number of rows that no contract can accept."""
        return sum(defect.rows for defect in self.defects if defect.kind in PLANTED)

    @property
    def repeated(self) -> int:
        """Number of rows that repeat others of this file or of another."""
        return sum(defect.rows for defect in self.defects if defect.kind in REPEATED)


@dataclass(frozen=True)
class DistrictContent:
    """Content of a file about many sellers: bytes, number of data rows, number of defective rows among them."""

    parts: tuple[bytes | memoryview, ...]
    rows: int
    planted: int = 0


@dataclass(frozen=True)
class View:
    """A world, its observation, and the sellers whose files are being written."""

    world: World
    observation: Observation
    sellers: NDArray[np.int64]

    def delivers(self, source: str, seller: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether a source delivers an event of a seller in a week; False for sellers not in view."""
        low, high = self.sellers[0], self.sellers[-1]
        is_mine = (seller >= low) & (seller <= high)
        mine: NDArray[np.bool_] = is_mine & (week >= self.observation.first_week[source][seller])
        return mine

    def rows(self, table: str, source: str) -> dict[str, NDArray[np.generic]]:
        """Return the rows of an event table that a source delivers for the sellers in view, by seller, then by time."""
        columns = self.world.events.get(table, {})
        if not columns:
            return {}
        at = np.flatnonzero(self.delivers(source, columns["seller"].astype(np.int64), columns["week"].astype(np.int64)))
        at = at[np.argsort(columns["seller"][at], kind="stable")]
        return {name: values[at] for name, values in columns.items()}

    def shop(self, seller: int) -> str:
        """Return the account of a seller's own web shop."""
        return f"shop-{self.world.seller_id(seller).lower()}"

    @property
    def first_day(self) -> np.datetime64:
        """Day 0 of the world."""
        return self.world.timeline.first_day


@dataclass(frozen=True)
class Lines:
    """Text rows of a source for the sellers in view, in order of seller and time.

    Attributes:
        text: Rows with their line ends.
        seller: Seller of each row.
        day: Day number that decides which delivery contains a row.
        record: Number of the record (settlement, declaration, order) of a row; the rows of a record are adjacent.
        may_follow: Whether a planted row may be inserted just before the row.
        junk: Function that returns the planted row to insert before a row.
        marks: Rows with a defect of their own, by kind (``simulator.observation.defects``), each of shape (rows,).
    """

    text: Text
    seller: NDArray[np.int64]
    day: NDArray[np.int64]
    record: NDArray[np.int64]
    may_follow: NDArray[np.bool_]
    junk: Junk
    marks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)


@dataclass(frozen=True)
class FileFormat:
    """What the files of a source have in common.

    Attributes:
        source: Name of the source contract.
        ending: End of the path, after the years: ``.csv``, ``/purchase.csv``.
        header: Bytes before the first row.
        account: Function that returns the shop or marketplace account of a seller, empty for none.
        separator: Bytes that start every record; left out before the first record of a file.
        footer: Bytes after the last row.
        repeats_last_record: Whether files may open with the last record of the previous delivery.
    """

    source: str
    ending: str
    header: bytes
    account: Callable[[int], str] = lambda _: ""
    separator: bytes = b""
    footer: bytes = b""
    repeats_last_record: bool = False


@dataclass(frozen=True)
class Delivery:
    """What a seller delivers of a source at once: some calendar years, and the rows that fall into them."""

    seller: int
    number: int
    first_year: int
    last_year: int
    period: tuple[int, int]
    delivered: tuple[int, int]
    first_row: int
    end_row: int
