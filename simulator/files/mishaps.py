"""Mistyped rows, and deliveries that arrive cut off, twice or in parts, drawn from the observation's seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.observation.defects import (
    CORRECTED_DELIVERY,
    CUT_ROW,
    DUPLICATE_DELIVERY,
    LATE_ROWS,
    MALFORMED_ROW,
    Edit,
    cut_off,
    date_slip,
    unit_slip,
)
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import line_offsets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.files.raw_file import Delivery, FileFormat, Lines, View

SUFFIXES = {DUPLICATE_DELIVERY: "-again", CORRECTED_DELIVERY: "-corrected", LATE_ROWS: "-late"}
_LATE_RECORD_SHARE = 0.15  # share of records that come late in a delivery with late rows
_FEWEST_ROWS = 4  # smaller files come whole and once
_SHORTEST_WAIT, _WAITS = 3, 88  # shortest wait for a second delivery, and number of possible waits, days


@dataclass(frozen=True)
class Fate:
    """What happens to a delivery.

    Attributes:
        kind: Kind of the second delivery, empty for none.
        removed: Rows missing from the first delivery.
        later_days: Days until the second delivery.
    """

    kind: str = ""
    removed: tuple[Edit, ...] = ()
    later_days: int = 0


@dataclass(frozen=True)
class Luck:
    """Random numbers of a delivery: two numbers in [0, 1) and 64 bits.

    Attributes:
        junk: A malformed row is planted where this is small.
        opening: The file opens with the last record of the previous delivery where this is small.
        fate: Bits that decide everything else.
    """

    junk: float
    opening: float
    fate: int


def luck(view: View, file_format: FileFormat, deliveries: Sequence[Delivery]) -> list[Luck]:
    """Draw the random numbers of every delivery of a source."""
    key = np.array([delivery.seller * 1_000 + delivery.number for delivery in deliveries], dtype=np.int64)
    seed, name = view.world.settings.observation_seed, f"{file_format.source}{file_format.ending}"
    junk, opening, what = (scatter(seed, f"{draw} {name}", key) for draw in ("junk", "opening", "fate"))
    drawn = zip(unit_interval(junk).tolist(), unit_interval(opening).tolist(), what.tolist(), strict=True)
    return [Luck(*numbers) for numbers in drawn]


def junk_rows(view: View, rows: Lines, delivery: Delivery, drawn: Luck) -> list[Edit]:
    """Plant a malformed row in a delivery now and then."""
    first, end = delivery.first_row, delivery.end_row
    if drawn.junk >= view.world.settings.observation.malformed_row_share * (end - first):
        return []
    places = np.flatnonzero(rows.may_follow[first:end])
    if not len(places):
        return []
    at = first + int(places[len(places) // 2])
    return [Edit(at, at, rows.junk(at), MALFORMED_ROW)]


def slips(view: View, file_format: FileFormat, rows: Lines) -> list[Edit]:
    """Return mistyped rows of a source: a wrong unit, or day and month swapped."""
    options, offsets, data = view.world.settings.observation, *line_offsets(rows.text)
    place = np.arange(len(rows.seller)) - np.searchsorted(rows.seller, rows.seller)
    name = f"slip {file_format.source}{file_format.ending}"
    chance = unit_interval(scatter(view.world.settings.observation_seed, name, rows.seller, place))
    both = options.unit_slip_share + options.date_slip_share
    is_marked = np.zeros(len(chance) + 1, dtype=bool)
    for mark in rows.marks.values():
        is_marked[:-1] |= mark
    found = []
    for row in np.flatnonzero((chance < both) & ~is_marked[:-1] & ~is_marked[1:]).tolist():
        line = bytes(data[offsets[row] : offsets[row + 1]])
        slipped = (unit_slip if chance[row] < options.unit_slip_share else date_slip)(file_format.source, line)
        if slipped is not None:
            found.append(Edit(row, row + 1, *slipped))
    return found


def fate(view: View, file_format: FileFormat, rows: Lines, delivery: Delivery, drawn: Luck) -> Fate:
    """Decide whether a delivery comes whole and once, twice, cut off (half of them whole later), or partly late."""
    options, bits = view.world.settings.observation, drawn.fate
    chance, later = (bits >> 11) * 2.0**-53, _SHORTEST_WAIT + bits % _WAITS
    if delivery.end_row - delivery.first_row < _FEWEST_ROWS:
        return Fate()
    if chance < options.duplicate_delivery_share:
        return Fate(DUPLICATE_DELIVERY, (), later)
    chance -= options.duplicate_delivery_share
    if chance < options.truncated_file_share:
        removed = _cut(file_format, rows, delivery, bits)
        return Fate(CORRECTED_DELIVERY if removed and bits & 1 else "", removed, later)
    chance -= options.truncated_file_share
    if chance < options.late_delivery_share:
        removed = _late_records(view.world.settings.observation_seed, file_format, rows, delivery)
        return Fate(LATE_ROWS if removed else "", removed, later)
    return Fate()


def _cut(file_format: FileFormat, rows: Lines, delivery: Delivery, bits: int) -> tuple[Edit, ...]:
    """Cut a file off within a row of its second half; JSON files stay whole because a cut one cannot be read at all."""
    if file_format.ending.endswith(".json"):
        return ()
    offsets, data = line_offsets(rows.text)
    half = (delivery.end_row - delivery.first_row) // 2
    at = delivery.first_row + half + (bits >> 8) % half
    content = cut_off(bytes(data[offsets[at] : offsets[at + 1]]))
    return (Edit(at, delivery.end_row, content, CUT_ROW),) if content else ()


def _late_records(seed: int, file_format: FileFormat, rows: Lines, delivery: Delivery) -> tuple[Edit, ...]:
    """Select some records of a delivery to arrive late, never all of them."""
    first, end = delivery.first_row, delivery.end_row
    starts = first + np.flatnonzero(np.diff(rows.record[first:end], prepend=rows.record[first] - 1))
    ends = np.append(starts[1:], end)
    day = rows.day[starts]
    name = f"late {file_format.source}{file_format.ending}"
    keys = (np.full(len(starts), delivery.seller), day, starts - first)
    is_late = unit_interval(scatter(seed, name, *keys)) < _LATE_RECORD_SHARE
    if is_late.all():
        return ()
    return tuple(
        Edit(start, stop, b"", LATE_ROWS)
        for start, stop in zip(starts[is_late].tolist(), ends[is_late].tolist(), strict=True)
    )
