"""The alerts of open loans: rules over dates become one alert for each loan and rule, with what it rests on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from features.delinquency import DEFAULT_DAYS_PAST_DUE
from pipelines.watch.episodes import Sighting, current_episode, episodes
from pipelines.watch.policy import DAYS_PAST_DUE, SEVERITIES
from pipelines.watch.rules import HOLDS, HOLDS_NOT, met_conditions, rule_verdicts

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipelines.watch.episodes import Episode
    from pipelines.watch.measures import DayOfLoans
    from pipelines.watch.policy import Condition, Rule, WatchPolicy
    from pipelines.watch.rules import Verdicts

SIGHTED: Final = (None, *SEVERITIES)


@dataclass(frozen=True)
class Met:
    """A condition that was met: the measure, its value, the value earlier, and the condition itself."""

    condition: Condition
    now: float | None
    before: float | None


@dataclass(frozen=True)
class Alert:
    """An alert on a loan: the rule, its episode, and the conditions met on the last day at its gravest level."""

    loan_id: str
    seller_id: str
    rule: str
    episode: Episode
    met_on: dt.date
    met: tuple[Met, ...]


@dataclass(frozen=True)
class RuleCount:
    """How a rule fared as of the last day: loans for which it holds, does not hold, or cannot be judged."""

    rule: str
    holds: int
    holds_not: int
    not_judged: int


def levels_held(verdicts: Mapping[str, Verdicts]) -> NDArray[np.int64]:
    """Return for each loan the gravest level that holds (0 none, 1 watch, 2 severe), -1 where nothing can be judged.

    A rule that certainly does not hold at its lightest level is judged, whatever is missing for the grave one.
    """
    found = np.full(len(next(iter(verdicts.values()))), -1, dtype=np.int64)
    lightest = verdicts[next(one for one in SEVERITIES if one in verdicts)]
    found[lightest == HOLDS_NOT] = 0
    for place, severity in enumerate(SEVERITIES, start=1):
        if severity in verdicts:
            found[verdicts[severity] == HOLDS] = place
    return found


def performing(day: DayOfLoans) -> NDArray[np.bool_]:
    """Return which loans are not in default; those that are belong to collection."""
    return day.now[DAYS_PAST_DUE] < DEFAULT_DAYS_PAST_DUE


def find_alerts(days: Sequence[DayOfLoans], policy: WatchPolicy) -> tuple[list[Alert], list[RuleCount]]:
    """Return the alerts that are not over as of the last day, by loan and rule, and how each rule fared on that day.

    Args:
        days: the loans on each date, ascending.
        policy: the rules.
    """
    as_of, still_open = days[-1].day, set(days[-1].book["loan_id"][performing(days[-1])])
    alerts: list[Alert] = []
    counts: list[RuleCount] = []
    for rule in policy.all_rules:
        seen: dict[str, list[Sighting]] = defaultdict(list)
        latest: dict[str, tuple[int, int, DayOfLoans]] = {}
        for day in days:
            held = levels_held(rule_verdicts(rule, day.now, day.before))
            for place, loan in enumerate(day.book["loan_id"]):
                if loan in still_open and held[place] >= 0:
                    seen[loan].append(Sighting(day.day, SIGHTED[held[place]]))
                    if held[place] and held[place] >= latest.get(loan, (0, 0, day))[0]:
                        latest[loan] = (int(held[place]), place, day)
        alerts += _alerts_of(rule, seen, latest, (as_of, policy.quiet_days))
        counts.append(_count(rule, days[-1]))
    return sorted(alerts, key=lambda one: (one.loan_id, one.rule)), counts


def _alerts_of(
    rule: Rule,
    seen: Mapping[str, Sequence[Sighting]],
    latest: Mapping[str, tuple[int, int, DayOfLoans]],
    until: tuple[dt.date, int],
) -> list[Alert]:
    as_of, quiet_days = until
    found = []
    for loan, sightings in seen.items():
        episode = current_episode(episodes(sightings, quiet_days), as_of, quiet_days)
        if episode is not None:
            _, place, day = latest[loan]
            seller = str(day.book["seller_id"].iloc[place])
            found.append(Alert(loan, seller, rule.id, episode, day.day, _met(rule, place, day, latest[loan][0])))
    return found


def _met(rule: Rule, place: int, day: DayOfLoans, level: int) -> tuple[Met, ...]:
    one = {name: values[place : place + 1] for name, values in day.now.items()}
    earlier = {name: values[place : place + 1] for name, values in day.before.items()}
    severity = SEVERITIES[level - 1]
    if rule.level(severity) is None:
        severity = rule.levels[0].severity
    conditions = met_conditions(rule, severity, one, earlier)[0]
    return tuple(Met(each, _plain(one[each.of][0]), _plain(earlier[each.of][0])) for each in conditions)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _count(rule: Rule, day: DayOfLoans) -> RuleCount:
    held = levels_held(rule_verdicts(rule, day.now, day.before))[performing(day)]
    return RuleCount(rule.id, int((held > 0).sum()), int((held == 0).sum()), int((held < 0).sum()))
