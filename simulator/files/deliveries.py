"""Split the rows of a source into deliveries: which file holds which rows, when it arrives, and its defects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulator.files.mishaps import SUFFIXES, Fate, fate, junk_rows, luck, slips
from simulator.files.raw_file import Delivery, DistrictContent, FileFormat, Lines, RawFile, View
from simulator.observation.defects import (
    CUT_ROW,
    DUPLICATE_DELIVERY,
    LATE_ROWS,
    MALFORMED_ROW,
    PLANTED,
    REPEATED_RECORD,
    Defect,
    Edit,
    clear_of,
    merged,
)
from simulator.text_columns import line_offsets
from simulator.timeline import years_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World

_MOST_DELIVERIES = 1_000  # per seller and source
_PARTS_OF_A_CUT = 2


@dataclass(frozen=True)
class _Content:
    """Rows of a file as bytes, their number and their defects."""

    parts: tuple[bytes | memoryview, ...] = ()
    rows: int = 0
    defects: tuple[Defect, ...] = ()

    @property
    def sound_rows(self) -> int:
        """Number of rows that a contract may accept."""
        return self.rows - sum(defect.rows for defect in self.defects if defect.kind in PLANTED)


def seller_files(view: View, file_format: FileFormat, rows: Lines) -> Iterator[RawFile]:
    """Yield the files of a source: one per seller in view and delivery, two where it was delivered again."""
    mistyped = slips(view, file_format, rows)
    deliveries = list(_deliveries(view, file_format.source, rows))
    for delivery, drawn in zip(deliveries, luck(view, file_format, deliveries), strict=True):
        first, end = delivery.first_row, delivery.end_row
        edits = [*junk_rows(view, rows, delivery, drawn), *(edit for edit in mistyped if first <= edit.first < end)]
        what = fate(view, file_format, rows, delivery, drawn)
        opens_afresh = drawn.opening >= view.world.settings.observation.repeated_block_share
        opening = _Content() if opens_afresh else _repeated_record(file_format, rows, delivery)
        content = _content(rows, (first, end), clear_of(edits, list(what.removed)))
        yield _file(view, file_format, delivery, _joined([opening, content]))
        if what.kind:
            second = replace(delivery, delivered=(delivery.delivered[0] + what.later_days, delivery.delivered[1]))
            again = _second(rows, (first, end), clear_of(edits, []), what, _joined([opening, content]))
            yield _file(view, file_format, second, again, SUFFIXES[what.kind])


def _second(rows: Lines, span: tuple[int, int], edits: list[Edit], what: Fate, came: _Content) -> _Content:
    """Return the content of a second delivery, given the content of the first."""
    if what.kind == LATE_ROWS:
        late = _joined([_content(rows, (edit.first, edit.end), []) for edit in what.removed])
        return replace(late, defects=merged([Defect(LATE_ROWS, late.rows), *late.defects]))
    unacceptable = [defect for defect in came.defects if defect.kind in PLANTED - {CUT_ROW}]
    known = [Defect(what.kind, came.sound_rows), *unacceptable]
    if what.kind == DUPLICATE_DELIVERY:
        return replace(came, defects=merged(known))
    (cut,) = what.removed
    rest = _content(rows, (cut.first, span[1]), [edit for edit in edits if edit.first >= cut.first])
    before = came.parts[:-_PARTS_OF_A_CUT]  # without the start of the cut row and the empty part after it
    return _Content((*before, *rest.parts), came.rows - 1 + rest.rows, merged([*known, *rest.defects]))


def _content(rows: Lines, span: tuple[int, int], edits: list[Edit]) -> _Content:
    """Return the rows of a span with edits applied; the edits are in order and do not overlap."""
    offsets, data = line_offsets(rows.text)
    first, end = span
    parts: list[bytes | memoryview] = []
    is_kept = np.ones(end - first, dtype=bool)
    at = first
    for edit in edits:
        parts += [data[offsets[at] : offsets[edit.first]], edit.content]
        is_kept[edit.first - first : edit.end - first] = False
        at = edit.end
    parts.append(data[offsets[at] : offsets[end]])
    defects = [defect for edit in edits for defect in edit.defects()]
    defects += [Defect(kind, int((mark[first:end] & is_kept).sum())) for kind, mark in rows.marks.items()]
    return _Content(tuple(parts), int(is_kept.sum()) + sum(edit.added for edit in edits), merged(defects))


def _joined(contents: list[_Content]) -> _Content:
    return _Content(
        tuple(part for content in contents for part in content.parts),
        sum(content.rows for content in contents),
        merged([defect for content in contents for defect in content.defects]),
    )


def _file(view: View, file_format: FileFormat, delivery: Delivery, content: _Content, suffix: str = "") -> RawFile:
    parts = [part for part in content.parts if len(part)]
    if parts:
        parts[0] = memoryview(parts[0])[len(file_format.separator) :]
    return RawFile(
        path=_path(view, file_format, delivery, suffix), seller_ref=view.world.seller_id(delivery.seller),
        source=file_format.source, account=file_format.account(delivery.seller), period=delivery.period,
        delivered=delivery.delivered,
        parts=(file_format.header, *parts, file_format.footer), rows=content.rows, defects=content.defects,
    )  # fmt: skip


def _deliveries(view: View, source: str, rows: Lines) -> Iterator[Delivery]:
    """Yield the deliveries of a source by the sellers in view; while the account is open, empty ones too.

    A delivery covers whole calendar years, counted from the world's first; a seller's first one starts with its
    history.
    """
    world, observation = view.world, view.observation
    length, weeks = world.settings.observation.delivery_years, world.timeline.weeks
    origin, final_year = years_of(view.first_day, np.array([0, 7 * weeks - 1])).tolist()

    def number_of(day: NDArray[np.int64]) -> NDArray[np.int64]:
        number: NDArray[np.int64] = (years_of(view.first_day, day) - origin) // length
        return number

    sellers = view.sellers[observation.first_week[source][view.sellers] < weeks]
    first_day = 7 * observation.first_week[source][sellers]
    first_number = number_of(first_day)
    count = number_of(7 * np.minimum(world.closed_week[sellers], weeks - 1) + 6) - first_number + 1
    at = np.repeat(np.arange(len(sellers)), count)
    number = first_number[at] + np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
    opening = origin + length * np.arange(final_year - origin + 2)
    opens = np.array([_day_number(view, f"{year}-01-01") for year in opening.tolist()])
    start = np.maximum(first_day[at], opens[number])
    end = np.minimum(opens[number + 1], 7 * weeks) - 1
    delivered = start + observation.delivery_lag_days[sellers[at]]
    key = rows.seller * _MOST_DELIVERIES + number_of(rows.day)
    mine = sellers[at] * _MOST_DELIVERIES + number
    columns = (
        sellers[at], number, opening[number], np.minimum(opening[number] + length - 1, final_year), start, end,
        delivered, observation.delivery_second[sellers[at]], np.searchsorted(key, mine), np.searchsorted(key, mine + 1),
    )  # fmt: skip
    for seller, place, first_year, last_year, low, high, day, second, first, stop in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        yield Delivery(seller, place, first_year, last_year, (low, high), (day, second), first, stop)


def _day_number(view: View, day: str) -> int:
    return int((np.datetime64(day, "D") - view.first_day).astype(int))


def _path(view: View, file_format: FileFormat, delivery: Delivery, suffix: str) -> str:
    """Return the path of a file: ``<source>/<seller>/<years><suffix><ending>``."""
    years = f"{delivery.first_year}"
    if delivery.last_year > delivery.first_year:
        years += f"-{delivery.last_year}"
    return f"{file_format.source}/{view.world.seller_id(delivery.seller)}/{years}{suffix}{file_format.ending}"


def _repeated_record(file_format: FileFormat, rows: Lines, delivery: Delivery) -> _Content:
    """Return the last record of the previous delivery, byte for byte; some files open with it."""
    end = delivery.first_row
    if not file_format.repeats_last_record or end == 0 or rows.seller[end - 1] != delivery.seller:
        return _Content()
    first = int(np.searchsorted(rows.record, rows.record[end - 1]))
    offsets, data = line_offsets(rows.text)
    return _Content((data[offsets[first] : offsets[end]],), end - first, (Defect(REPEATED_RECORD, end - first),))


def district_file(world: World, source: str, name: str, second: int, content: DistrictContent) -> RawFile:
    """Return a file about all sellers of a district, delivered on the world's first day.

    Args:
        world: The district.
        source: Name of the source contract.
        name: File name with ``{}`` for the number of the district's first seller.
        second: Second of the day of the delivery.
        content: The bytes and their counts.
    """
    return RawFile(
        path=f"{source}/{name.format(f'{world.first_seller + 1:06d}')}", seller_ref="", source=source, account="",
        period=(0, 7 * world.timeline.weeks - 1), delivered=(0, second), parts=content.parts, rows=content.rows,
        defects=merged([Defect(MALFORMED_ROW, content.planted)]),
    )  # fmt: skip
