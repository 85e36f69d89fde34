"""What could be known as of a date: one rule for rows in SQL and for rows in Arrow."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.sql_text import date_literal, days_before, time_literal


@dataclass(frozen=True)
class Cut:
    """Rows visible as of a day: they happened by then, were known by the end of it and were recorded in time.

    Attributes:
        as_of: the day D. A row is visible when ``event_date <= D`` and ``known_at`` lies before the next midnight UTC.
        recorded_until: when given, only rows recorded up to this instant, to replay what was said at the time.
    """

    as_of: dt.date
    recorded_until: dt.datetime | None = None

    @property
    def known_before(self) -> dt.datetime:
        """The midnight (UTC) that ends the day."""
        return dt.datetime.combine(self.as_of + dt.timedelta(days=1), dt.time(0), tzinfo=dt.UTC)

    def condition(self, oldest_age_days: int | None = None) -> str:
        """The SQL condition on a canonical table; ``oldest_age_days`` also leaves out older rows.

        Needs a session in UTC, since the literals carry no zone.
        """
        parts = [f"event_date <= {date_literal(self.as_of)}", self.known_condition()]
        if oldest_age_days is not None:
            parts.append(f"event_date >= {days_before(self.as_of, oldest_age_days)}")
        return " AND ".join(parts)

    def known_condition(self) -> str:
        """The part of the SQL condition about knowing, without the day of the event."""
        known = f"known_at < {time_literal(self.known_before)}"
        if self.recorded_until is None:
            return known
        return f"{known} AND recorded_at <= {time_literal(self.recorded_until)}"

    def visible(self, table: pa.Table) -> pa.Table:
        """The visible rows of a canonical Arrow table, in their order."""
        mask = pc.and_(
            pc.less_equal(table["event_date"], pa.scalar(self.as_of, pa.date32())),
            pc.less(table["known_at"], _instant(self.known_before)),
        )
        if self.recorded_until is not None:
            mask = pc.and_(mask, pc.less_equal(table["recorded_at"], _instant(self.recorded_until)))
        return table.filter(mask)


def _instant(moment: dt.datetime) -> pa.Scalar[Any]:
    return pa.scalar(moment, pa.timestamp("us", tz="UTC"))
