"""The benchmark of rules against planted fraud: alerts, found cases and cases out of view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
from fraud_rules import RULES, Found, Rule, alerts, interval, judged, summary

from simulator.economy.fraud import KINDS

if TYPE_CHECKING:
    from pathlib import Path

RULE = Rule("brushing", (), "one number", ("oddness",), "SELECT seller_id, year, oddness FROM made")
HEADER = "seller_id,kind,from,to,other_seller_id,reference,size\n"


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """Return a database of two hundred sellers per year, with numbers 0 and 1 by far the oddest."""
    made = duckdb.connect()
    made.execute(
        "CREATE TABLE made AS SELECT 'S' || n AS seller_id, y.year, n % 7 + CASE n WHEN 0 THEN 500 WHEN 1 THEN 90 "
        "ELSE 0 END AS oddness FROM range(200) AS s(n), range(2021, 2023) AS y(year)"
    )
    return made


def test_one_in_a_hundred_seller_years_is_an_alert_the_oddest_first(connection: duckdb.DuckDBPyConnection) -> None:
    scored, alerted = alerts(connection, RULE)
    assert len(scored) == 400
    assert alerted == {("S0", 2021), ("S0", 2022), ("S1", 2021), ("S1", 2022)}


def test_a_case_is_found_by_an_alert_in_a_year_it_ran_and_out_of_view_without_a_score(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    truth = tmp_path / "lies.csv"
    truth.write_text(
        HEADER
        + "S0,brushing,2021-02-01,2021-06-30,,,1\n"  # found
        + "S5,brushing,2021-02-01,,,,1\n"  # seen, not found
        + "S1,brushing,2020-02-01,2020-06-30,,,1\n"  # no score that year
        + "S1,brushing,2021-12-01,2022-01-20,,,1\n"  # too short in either year
        + "S900,brushing,2021-02-01,2021-06-30,,,1\n"  # nothing delivered
        + "S1,round_trip,2021-02-01,2021-06-30,,,1\n",  # another kind
        encoding="utf-8",
    )
    found = judged(connection, RULE, truth)
    assert (found.in_view, found.found, found.out_of_view) == (2, 1, 2)


def test_every_rule_is_for_a_kind_of_fraud_that_the_world_draws() -> None:
    kinds = [rule.kind for rule in RULES]
    assert sorted(kinds) == sorted(KINDS)


def test_the_target_is_compared_with_the_mean_over_worlds() -> None:
    worlds = {seed: [Found(rule.kind, 10, 5 + seed, 0, 100) for rule in RULES] for seed in (0, 1)}
    found = summary(worlds)
    assert found["overall"]["mean"] == pytest.approx(0.55)
    assert found["meets_bar"] is True
    assert interval([0.5])["mean"] == 0.5
