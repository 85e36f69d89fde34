"""The as-of filter: one rule, for SQL and for Arrow, for which rows were known on a date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.engine.sql_text import date_literal, days_before, time_literal

AS_OF_COLUMNS = ("event_date", "known_at", "superseded_at")
# Needed in addition to replay what was recorded by some moment.
REPLAY_COLUMNS = ("recorded_at", "superseded_recorded_at")


@dataclass(frozen=True)
class AsOf:
    """The rows visible as of a day: they had happened, were known by its end and were not yet corrected.

    Exactly one version of a row is in force at any moment: a later version counts from its ``known_at``, which is the
    ``superseded_at`` of the version before it.

    Attributes:
        day: the day D. A row is visible when ``event_date <= D``, ``known_at`` is before the next midnight UTC and
            ``superseded_at`` is not.
        recorded_until: if given, use only rows and corrections recorded up to this instant, to replay an old score.
    """

    day: dt.date
    recorded_until: dt.datetime | None = None

    @property
    def known_before(self) -> dt.datetime:
        """The midnight (UTC) that ends the day."""
        return dt.datetime.combine(self.day + dt.timedelta(days=1), dt.time(0), tzinfo=dt.UTC)

    def condition(self, oldest_age_days: int | None = None) -> str:
        """Return the SQL condition on a canonical table; ``oldest_age_days`` also leaves out older rows.

        The literals carry no time zone, so the session must be in UTC.
        """
        parts = [f"event_date <= {date_literal(self.day)}", self.known_condition()]
        if oldest_age_days is not None:
            parts.append(f"event_date >= {days_before(self.day, oldest_age_days)}")
        return " AND ".join(parts)

    def known_condition(self) -> str:
        """Return the part of the SQL condition that concerns knowledge, without the event date."""
        midnight = time_literal(self.known_before)
        in_force = f"superseded_at IS NULL OR superseded_at >= {midnight}"
        if self.recorded_until is None:
            return f"known_at < {midnight} AND ({in_force})"
        until = time_literal(self.recorded_until)
        # A correction that was not yet recorded changed nothing.
        in_force = f"{in_force} OR superseded_recorded_at > {until}"
        return f"known_at < {midnight} AND recorded_at <= {until} AND ({in_force})"

    def visible(self, table: pa.Table) -> pa.Table:
        """Return the visible rows of a canonical Arrow table, in their order."""
        midnight = _instant(self.known_before)
        mask = pc.and_(
            pc.less_equal(table["event_date"], pa.scalar(self.day, pa.date32())),
            pc.less(table["known_at"], midnight),
        )
        superseded = table["superseded_at"]
        in_force = pc.or_kleene(pc.is_null(superseded), pc.greater_equal(superseded, midnight))
        if self.recorded_until is not None:
            until = _instant(self.recorded_until)
            mask = pc.and_(mask, pc.less_equal(table["recorded_at"], until))
            correction = table["superseded_recorded_at"]
            not_yet = pc.and_kleene(pc.is_valid(correction), pc.greater(correction, until))
            in_force = pc.or_(in_force, not_yet)
        return table.filter(pc.and_(mask, in_force))


def _instant(moment: dt.datetime) -> pa.Scalar[Any]:
    return pa.scalar(moment, pa.timestamp("us", tz="UTC"))
