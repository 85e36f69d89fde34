"""Rules have three answers: what is missing neither raises an alert nor denies one."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.watch.policy import Condition, Covenant, Level, Rule, load_watch_policy
from pipelines.watch.rules import all_of, any_of, condition_verdicts, met_conditions, rule_verdicts

NAN = np.nan
A, B = "sales_trend_90d", "hosted_share_365d"


def verdicts(condition: Condition, now: list[float], before: list[float]) -> list[float | None]:
    found = condition_verdicts(condition, {A: np.array(now)}, {A: np.array(before)})
    return [None if np.isnan(value) else value for value in found]


def test_a_condition_holds_at_its_limit_and_is_unknown_without_a_value() -> None:
    values = [-0.5, -0.4, -0.3, NAN]
    assert verdicts(Condition(of=A, at_most=-0.4), values, [0.0] * 4) == [1, 1, 0, None]
    assert verdicts(Condition(of=A, at_least=-0.4), values, [0.0] * 4) == [0, 1, 1, None]


def test_a_change_is_the_difference_to_the_earlier_value() -> None:
    condition = Condition(of=A, at_least=0.2, change=True)
    assert verdicts(condition, [0.5, 0.5, 0.5, NAN], [0.25, 0.4, NAN, 0.1]) == [1, 0, None, None]


def test_new_means_that_it_holds_and_did_not_hold_before() -> None:
    condition = Condition(of=A, at_least=0.6, newly=True)
    assert verdicts(condition, [0.7, 0.7, 0.5, 0.7, 0.5], [0.5, 0.6, 0.7, NAN, NAN]) == [1, 0, 0, None, 0]


def test_one_false_part_decides_all_of_and_one_true_part_decides_any_of() -> None:
    parts = [np.array([1.0, 1.0, 0.0, NAN]), np.array([1.0, NAN, NAN, NAN])]
    np.testing.assert_array_equal(all_of(parts), [1.0, NAN, 0.0, NAN])
    np.testing.assert_array_equal(any_of(parts), [1.0, 1.0, NAN, NAN])


def rule() -> Rule:
    watch = Level(severity="watch", action="watch", when=((Condition(of=A, at_most=-0.4),),))
    worse = (Condition(of=A, at_most=-0.3), Condition(of=B, at_least=0.6))
    severe = Level(severity="severe", action="call", when=((Condition(of=A, at_most=-0.9),), worse))
    return Rule(id="sales_drop", title_en="Sales drop", title_zh="销售下滑", source="own", levels=(watch, severe))


def test_the_grave_level_implies_the_light_one() -> None:
    now = {A: np.array([-0.35, -0.5, -0.35, -0.1]), B: np.array([0.7, 0.1, NAN, 0.9])}
    found = rule_verdicts(rule(), now, now)
    np.testing.assert_array_equal(found["severe"], [1.0, 0.0, NAN, 0.0])
    np.testing.assert_array_equal(found["watch"], [1.0, 1.0, NAN, 0.0])


def test_the_conditions_of_the_alternative_that_holds_are_named() -> None:
    now = {A: np.array([-0.35, -0.95, -0.1]), B: np.array([0.7, 0.1, 0.7])}
    found = met_conditions(rule(), "severe", now, now)
    assert [[one.of for one in each] for each in found] == [[A, B], [A], []]


def test_a_condition_has_exactly_one_limit() -> None:
    for limits in ({}, {"at_least": 1.0, "at_most": 2.0}):
        with pytest.raises(ValidationError, match="either at_least or at_most"):
            Condition(of=A, **limits)


def test_headroom_is_the_distance_to_the_limit_as_a_share_of_it() -> None:
    words = {"id": "some_covenant", "title_en": "Some covenant", "title_zh": "约定", "source": "own"}
    highest, lowest = Covenant(of=B, at_most=0.6, **words), Covenant(of=A, at_least=90.0, **words)
    assert highest.headroom(0.45) == pytest.approx(0.25)
    assert highest.headroom(0.9) == pytest.approx(-0.5)
    assert lowest.headroom(45.0) == pytest.approx(-0.5)
    assert lowest.as_rule().levels[0].when[0][0].at_most == 90.0


def test_the_packaged_policy_is_dated_cited_and_knows_its_measures() -> None:
    policy = load_watch_policy()
    assert [one.limit for one in policy.covenants] == [0.6, 0.35, 90.0]
    assert len(policy.rules) >= 18
    assert all(one.source and one.title_zh for one in policy.all_rules)


def test_a_policy_with_an_unknown_measure_is_refused() -> None:
    content = load_watch_policy().model_dump()
    content["rules"][0]["levels"][0]["when"] = [[{"of": "no_such_measure", "at_least": 1.0}]]
    with pytest.raises(ValidationError, match="no measure is called no_such_measure"):
        type(load_watch_policy()).model_validate(content)
