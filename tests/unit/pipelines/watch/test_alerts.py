"""What rules say on many dates becomes one alert a loan and rule; people decide about it, and hiding data ends none."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.catalogue import load_feature_set
from models.registry.chained_log import ChainedLog
from pipelines.watch.alerts import find_alerts
from pipelines.watch.decisions import AlertDecision, AlertEntry, decide, state_of
from pipelines.watch.episodes import Episode, Sighting, current_episode, episodes
from pipelines.watch.measures import DayOfLoans
from pipelines.watch.policy import FEATURE_SET, LOAN_MEASURES, Severity, load_watch_policy

if TYPE_CHECKING:
    from pathlib import Path

START = dt.date(2024, 1, 1)
QUIET = 84


def day(step: int) -> dt.date:
    return START + dt.timedelta(days=14 * step)


def seen(*levels: Severity | None) -> list[Sighting]:
    return [Sighting(day(step), level) for step, level in enumerate(levels)]


def test_a_rule_that_goes_on_holding_is_one_episode_with_its_gravest_level() -> None:
    assert episodes(seen(None, "watch", "severe", "watch"), QUIET) == (
        Episode(day(1), day(3), "severe", severe_since=day(2), holds=True),
    )


def test_a_short_pause_does_not_end_an_episode_and_a_long_one_does() -> None:
    short = episodes(seen("watch", None, None, "watch"), QUIET)
    long = episodes(seen("watch", *[None] * 5, "watch"), QUIET)
    assert [(one.first_seen, one.last_seen) for one in short] == [(day(0), day(3))]
    assert [(one.first_seen, one.last_seen) for one in long] == [(day(0), day(0)), (day(6), day(6))]


def test_an_episode_whose_rule_holds_no_longer_stays_until_it_has_been_quiet_for_long() -> None:
    found = episodes(seen("watch", None), QUIET)
    assert current_episode(found, day(5), QUIET) == Episode(day(0), day(0), "watch", None, holds=False)
    assert current_episode(found, day(6), QUIET) is None
    assert current_episode((), day(6), QUIET) is None


def loans_on(step: int, trends: dict[str, float], days_past_due: float = 0) -> DayOfLoans:
    count = len(trends)
    book = pd.DataFrame({"loan_id": list(trends), "seller_id": [f"S-{loan}" for loan in trends]})
    missing = {name: np.full(count, np.nan) for name in (*load_feature_set(FEATURE_SET).names, *LOAN_MEASURES)}
    late = np.full(count, float(days_past_due))
    now = {**missing, "sales_trend_90d": np.array(list(trends.values())), "days_past_due": late}
    return DayOfLoans(day(step), book, now, missing)


def alerts(*days: DayOfLoans) -> dict[tuple[str, str], Any]:
    return {(one.loan_id, one.rule): one for one in find_alerts(days, load_watch_policy())[0]}


def test_an_alert_has_the_loan_the_rule_and_the_values_that_met_its_conditions() -> None:
    found = alerts(loans_on(0, {"L1": 0.1, "L2": 0.1}), loans_on(1, {"L1": -0.45, "L2": 0.1}))
    assert list(found) == [("L1", "sales_drop")]
    alert = found["L1", "sales_drop"]
    assert (alert.seller_id, alert.episode.first_seen, alert.met_on) == ("S-L1", day(1), day(1))
    assert [(one.condition.of, one.now, one.before) for one in alert.met] == [("sales_trend_90d", -0.45, None)]


def test_data_that_are_no_longer_delivered_end_no_alert() -> None:
    hidden = loans_on(1, {"L1": np.nan})
    assert alerts(loans_on(0, {"L1": -0.45}), hidden)["L1", "sales_drop"].episode.holds
    assert not alerts(loans_on(0, {"L1": -0.45}), loans_on(1, {"L1": 0.0}))["L1", "sales_drop"].episode.holds


def test_loans_in_default_or_repaid_have_no_alert() -> None:
    assert alerts(loans_on(0, {"L1": -0.45}), loans_on(1, {"L1": -0.45}, days_past_due=90)) == {}
    assert alerts(loans_on(0, {"L1": -0.45}), loans_on(1, {"L2": 0.0})) == {}


def test_each_rule_counts_the_loans_it_cannot_judge() -> None:
    _, counts = find_alerts([loans_on(0, {"L1": -0.45, "L2": np.nan, "L3": 0.0})], load_watch_policy())
    sales = next(one for one in counts if one.rule == "sales_drop")
    assert (sales.holds, sales.holds_not, sales.not_judged) == (1, 1, 1)


ALERT = {"rule": "sales_drop", "severity": "watch", "first_seen": "2024-11-05"}


def decision(state: str = "closed", **more: str) -> AlertDecision:
    facts = {"loan_id": "L1", "rule": "sales_drop", "severity": "watch", "first_seen": "2024-11-05"}
    said = {"as_of": "2024-12-03", "decided_by": "Li Wei", "reason": "season", "decided_at": "2024-12-04T09:00:00Z"}
    return AlertDecision.model_validate({**facts, **said, "state": state, **more})


@pytest.mark.parametrize(
    ("alert", "decisions", "state"),
    [
        (ALERT, [], "open"),
        (ALERT, [decision("acknowledged")], "acknowledged"),
        (ALERT, [decision("acknowledged"), decision()], "closed"),
        (ALERT, [decision(loan_id="L2")], "open"),
        (ALERT, [decision(rule="refunds")], "open"),
        ({**ALERT, "severity": "severe"}, [decision()], "open"),
        ({**ALERT, "first_seen": "2024-12-17"}, [decision()], "open"),
        ({**ALERT, "first_seen": "2024-10-08"}, [decision()], "closed"),
    ],
)
def test_an_alert_is_open_again_when_it_is_graver_or_another_one(
    alert: dict[str, str], decisions: list[AlertDecision], state: str
) -> None:
    assert state_of("L1", alert, decisions).state == state


def test_decisions_are_kept_in_order_in_a_signed_log(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    log = ChainedLog(tmp_path / "alerts.jsonl", AlertEntry, "log of alerts")
    decide(log, decision("acknowledged"), key)
    decide(log, decision(), key)
    assert [(one.sequence, one.state) for one in log.read(key.public_key())] == [(1, "acknowledged"), (2, "closed")]


def test_a_decision_needs_a_person_and_a_reason() -> None:
    for missing in ("decided_by", "reason"):
        with pytest.raises(ValueError, match="at least 1 character"):
            decision(**{missing: ""})
