"""Alerts over time: what a rule says on many dates becomes one alert with a first and a last day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from pipelines.watch.policy import Severity


@dataclass(frozen=True)
class Episode:
    """The time in which a rule held for a loan.

    Attributes:
        first_seen: first date on which it held.
        last_seen: last date on which it held.
        severity: the gravest level that held.
        severe_since: first date at the grave level, None if there is none.
        holds: whether it holds at the last date that could be judged.
    """

    first_seen: dt.date
    last_seen: dt.date
    severity: Severity
    severe_since: dt.date | None
    holds: bool


@dataclass(frozen=True)
class Sighting:
    """What a rule says of a loan on a date: the level that holds, None if none does."""

    day: dt.date
    severity: Severity | None


def episodes(sightings: Sequence[Sighting], quiet_days: int) -> tuple[Episode, ...]:
    """Return the episodes of a rule and a loan, the earliest first.

    Args:
        sightings: the dates on which the rule could be judged, ascending. A date on which a value was missing is left
            out: it neither prolongs an episode nor ends it.
        quiet_days: a rule that has not held for so many days has ended its episode.
    """
    found: list[Episode] = []
    for one in sightings:
        current = found[-1] if found else None
        if one.severity is None:
            if current is not None and current.holds:
                found[-1] = _changed(current, holds=False)
        elif current is not None and (one.day - current.last_seen).days < quiet_days:
            found[-1] = _prolonged(current, one.day, one.severity)
        else:
            since = one.day if one.severity == "severe" else None
            found.append(Episode(one.day, one.day, one.severity, since, holds=True))
    return tuple(found)


def _changed(episode: Episode, *, holds: bool) -> Episode:
    return Episode(episode.first_seen, episode.last_seen, episode.severity, episode.severe_since, holds)


def _prolonged(episode: Episode, day: dt.date, severity: Severity) -> Episode:
    since = episode.severe_since or (day if severity == "severe" else None)
    return Episode(episode.first_seen, day, "severe" if since else "watch", since, holds=True)


def current_episode(found: Sequence[Episode], as_of: dt.date, quiet_days: int) -> Episode | None:
    """Return the episode that is not over yet, or None."""
    last = found[-1] if found else None
    return last if last is not None and (as_of - last.last_seen).days < quiet_days else None
