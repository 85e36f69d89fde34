"""Raw files before they are written: which file holds which rows, when it was delivered, where dirt goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.observation import is_dirty
from simulator.text_columns import line_offsets
from simulator.timeline import years_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.observation import Observation
    from simulator.text_columns import Text
    from simulator.world import World

Junk = Callable[[int], bytes]


@dataclass(frozen=True)
class RawFile:
    """One raw file, ready to be written.

    Attributes:
        path: Path below the raw folder, with slashes.
        seller_ref: Seller the file belongs to, empty for files about many sellers.
        source: Name of the source contract.
        account: Shop or marketplace account, empty where there is none.
        period: First and last day the file is meant to cover, as day numbers.
        delivered: Day number and second of the day of the delivery.
        parts: The content, to be written one after the other.
        rows: Data rows, planted ones included.
        planted: Defective rows planted.
        repeated: Rows that repeat what an earlier file holds.
    """

    path: str
    seller_ref: str
    source: str
    account: str
    period: tuple[int, int]
    delivered: tuple[int, int]
    parts: tuple[bytes | memoryview, ...]
    rows: int
    planted: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class View:
    """A world, how it is seen, and the sellers whose files are being made."""

    world: World
    observation: Observation
    sellers: NDArray[np.int64]

    def delivers(self, source: str, seller: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether an event of a seller in a week is delivered by a source, for the sellers in view."""
        low, high = self.sellers[0], self.sellers[-1]
        is_mine = (seller >= low) & (seller <= high)
        mine: NDArray[np.bool_] = is_mine & (week >= self.observation.first_week[source][seller])
        return mine

    def rows(self, table: str, source: str) -> dict[str, NDArray[np.generic]]:
        """Rows of an event table that a source delivers for the sellers in view, by seller and then time."""
        columns = self.world.events.get(table, {})
        if not columns:
            return {}
        at = np.flatnonzero(self.delivers(source, columns["seller"].astype(np.int64), columns["week"].astype(np.int64)))
        at = at[np.argsort(columns["seller"][at], kind="stable")]
        return {name: values[at] for name, values in columns.items()}

    @property
    def first_day(self) -> np.datetime64:
        """Day 0 of the world."""
        return self.world.timeline.first_day


@dataclass(frozen=True)
class Lines:
    """Text rows of a source for the sellers in view, in order of seller and year.

    Attributes:
        lines: Rows with their line ends.
        seller: Seller of each row.
        year: Year file of each row.
        may_follow: Whether a planted row may be put just before the row.
        junk: Gives the planted row to put before a row.
    """

    lines: Text
    seller: NDArray[np.int64]
    year: NDArray[np.int64]
    may_follow: NDArray[np.bool_]
    junk: Junk


@dataclass(frozen=True)
class YearFile:
    """A seller's year in a source: its delivery and its rows."""

    seller: int
    year: int
    period: tuple[int, int]
    delivered: tuple[int, int]
    first_row: int
    end_row: int


def year_deliveries(view: View, source: str, rows: Lines) -> Iterator[YearFile]:
    """Year files a source delivers for the sellers in view, empty years included while the account is open."""
    world, observation = view.world, view.observation
    weeks, last_day = world.timeline.weeks, 7 * world.timeline.weeks - 1
    key = rows.seller * 10_000 + rows.year
    for seller in view.sellers.tolist():
        first_week = int(observation.first_week[source][seller])
        if first_week >= weeks:
            continue
        end_week = min(int(world.closed_week[seller]), weeks - 1)
        first_day, end_day = 7 * first_week, 7 * end_week + 6
        lag, second = int(observation.delivery_lag_days[seller]), int(observation.delivery_second[seller])
        first_year, end_year = years_of(view.first_day, np.array([first_day, end_day])).tolist()
        for year in range(first_year, end_year + 1):
            opens = int((np.datetime64(f"{year}-01-01", "D") - view.first_day).astype(int))
            closes = int((np.datetime64(f"{year}-12-31", "D") - view.first_day).astype(int))
            start = max(first_day, opens)
            first, end = np.searchsorted(key, [seller * 10_000 + year, seller * 10_000 + year + 1]).tolist()
            yield YearFile(seller, year, (start, min(closes, last_day)), (start + lag, second), first, end)


def year_parts(view: View, name: str, file: YearFile, rows: Lines) -> tuple[tuple[bytes | memoryview, ...], int]:
    """The bytes of a year file's rows, a defective row planted now and then; and how many were planted."""
    offsets, data = line_offsets(rows.lines)
    first, end = file.first_row, file.end_row
    whole = data[offsets[first] : offsets[end]]
    share = view.world.settings.observation.malformed_row_share * (end - first)
    key = np.array([file.seller * 10_000 + file.year])
    places = np.flatnonzero(rows.may_follow[first:end])
    if not len(places) or not is_dirty(view.world, name, key, share)[0]:
        return (whole,), 0
    at = first + int(places[len(places) // 2])
    return (data[offsets[first] : offsets[at]], rows.junk(at), data[offsets[at] : offsets[end]]), 1


def year_path(view: View, source: str, file: YearFile, suffix: str) -> str:
    """Path of a year file: ``<source>/<seller>/<year>.<suffix>``."""
    return f"{source}/{view.world.seller_id(file.seller)}/{file.year}.{suffix}"
