"""Visits count once, under whatever names and in whatever sources a web shop is delivered."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from data_contracts.mapping.source_mapping import run_sql
from data_contracts.mapping.web_sites import SITE_KEY
from features.engine.as_of import AsOf
from tests.factories.raw_files import RawFile, csv_file, ingested

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.ingest.results import IngestResult

HEADER = "Day,Online store visitors,Sessions,Bounced sessions,Paid sessions,Ad spend (USD)"
DAYS = ["2023-03-01,80,100,40,20,15.00", "2023-03-02,90,120,50,30,18.00"]
START = 1_677_664_800_000_000  # 2023-03-01 10:00 UTC


def sheet(account: str, rows: list[str] = DAYS) -> RawFile:
    return RawFile(f"traffic/{account.encode().hex()}.csv", "shop_traffic", csv_file(HEADER, rows), "S000001", account)


def analytics(account: str, sessions: int) -> RawFile:
    """Return a table of events with one page view for each of some sessions of one day."""
    events: list[dict[str, Any]] = [
        {
            "event_date": "20230301",
            "event_timestamp": str(START + second * 1_000_000),
            "event_name": "page_view",
            "user_pseudo_id": f"visitor {second}",
            "event_params": [{"key": "ga_session_id", "value": {"int_value": "1"}}],
        }
        for second in range(sessions)
    ]
    data = "".join(json.dumps(one) + "\n" for one in events).encode()
    return RawFile(f"ga4/{account.encode().hex()}.jsonl", "ga4_events", data, "S000001", account)


def sessions(result: IngestResult, day: str = "2023-12-31") -> Counter[str]:
    """Return the sessions that count as of a day, by day of the visit."""
    found: Counter[str] = Counter()
    for row in AsOf(dt.date.fromisoformat(day)).visible(result.tables["site_day"]).to_pylist():
        found[row["event_date"].isoformat()] += row["session_count"]
    return found


ONCE = {"2023-03-01": 100, "2023-03-02": 120}


@pytest.mark.parametrize(
    "spelling", ["www.shop.example", "Shop.Example", "WWW.SHOP.EXAMPLE", "shop.example.", "my-shop"]
)
def test_the_sheet_of_one_site_under_two_names_counts_once(tmp_path: Path, spelling: str) -> None:
    result = ingested(tmp_path, [sheet("shop.example"), sheet(spelling)])
    assert sessions(result) == ONCE


def test_another_shop_with_other_visits_counts_too(tmp_path: Path) -> None:
    other = ["2023-03-01,70,100,40,20,15.00", "2023-03-02,9,12,5,3,1.00"]
    result = ingested(tmp_path, [sheet("shop.example"), sheet("shop.example-de", other)])
    assert sessions(result) == {"2023-03-01": 200, "2023-03-02": 132}


def test_two_small_shops_with_equal_visits_on_some_days_both_count(tmp_path: Path) -> None:
    one = [f"2023-03-{day:02},{day % 3},{day % 3},0,0,0.00" for day in range(1, 21)]
    two = [f"2023-03-{day:02},{day % 4},{day % 4},0,0,0.00" for day in range(1, 21)]
    result = ingested(tmp_path, [sheet("shop.example", one), sheet("other.example", two)])
    counted, all_days = sessions(result), {day: day % 3 + day % 4 for day in range(1, 21)}
    # On the first two days nothing tells the shops apart.
    assert {day: counted[f"2023-03-{day:02}"] for day in range(3, 21)} == {day: all_days[day] for day in range(3, 21)}


def test_days_that_are_delivered_later_change_no_earlier_day(tmp_path: Path) -> None:
    later = [[f"2023-03-{day:02},{visitors},{visitors},0,0,0.00" for day in range(3, 31)] for visitors in (5, 9)]
    both = ("shop.example", "my-shop")
    whole = [sheet(name, [*DAYS, *rows]) for name, rows in zip(both, later, strict=True)]
    first = sessions(ingested(tmp_path / "first", [sheet(name) for name in both]), "2023-03-02")
    assert sessions(ingested(tmp_path / "whole", whole), "2023-03-02") == first


@pytest.mark.parametrize("spelling", ["www.Shop.example", "shop-ga4"])
def test_events_of_one_property_under_two_names_count_once(tmp_path: Path, spelling: str) -> None:
    one, again = analytics("shop.example", 7), analytics(spelling, 7)
    assert sessions(ingested(tmp_path, [one, again])) == {"2023-03-01": 7}
    more = analytics(spelling, 9)  # the later table has late events, too
    assert sessions(ingested(tmp_path / "more", [one, more])) == {"2023-03-01": 9}


@pytest.mark.parametrize(("name", "counted"), [("www.shop.example", 7), ("shop-ga4", 107)])
def test_analytics_of_the_named_site_replace_its_sheet(tmp_path: Path, name: str, counted: int) -> None:
    result = ingested(tmp_path, [sheet("shop.example"), analytics(name, 7)])
    assert sessions(result) == {**ONCE, "2023-03-01": counted}


def test_analytics_under_another_name_with_equal_visits_replace_the_sheet_and_the_file_says_so(tmp_path: Path) -> None:
    result = ingested(tmp_path, [sheet("shop.example", ["2023-03-01,7,7,7,0,15.00"]), analytics("shop-ga4", 7)])
    assert sessions(result) == {"2023-03-01": 7}
    remarks = {remark: rows for one in result.file_counts for remark, rows in one.warnings.items()}
    assert remarks["day counted in ga4_events"] == 1


def test_a_day_stops_counting_only_once_the_other_row_is_known(tmp_path: Path) -> None:
    result = ingested(tmp_path, [sheet("shop.example", ["2023-03-01,7,7,7,0,15.00"]), analytics("shop-ga4", 7)])
    assert sessions(result, "2023-03-02") == {"2023-03-01": 7}
    assert sessions(result, "2023-03-06") == {"2023-03-01": 7}


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("https://www.Shop.example:443/", "shop.example"),
        ("//shop.example//", "shop.example"),
        ("shop.example/de/", "shop.example/de"),
        ("wwwshop.example", "wwwshop.example"),
        ("properties/123", "properties/123"),
        (" / ", None),
    ],
)
def test_a_name_has_one_spelling(written: str, key: str | None) -> None:
    query = f"SELECT {SITE_KEY.format(name='$written')} AS key"
    assert run_sql(query, {"written": written})["key"].to_pylist() == [key]
