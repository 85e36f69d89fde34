from __future__ import annotations

import datetime as dt

import pytest

from features.engine.as_of import AsOf
from features.engine.duckdb_engine import DuckDbEngine, quoted
from features.engine.sql_text import select, time_literal
from tests.factories.canonical_tables import canonical_table

DAY = dt.date(2024, 2, 29)
ROWS = canonical_table(
    "application",
    [
        {
            "application_id": "on the day",
            "seller_id": "S1",
            "event_date": DAY,
            "known_at": "2024-02-29T23:59:59.999999",
        },
        {
            "application_id": "known at midnight",
            "seller_id": "S1",
            "event_date": DAY,
            "known_at": "2024-03-01T00:00:00",
        },
        {
            "application_id": "known in another zone",
            "seller_id": "S1",
            "event_date": DAY,
            "known_at": "2024-03-01T07:00:00+08:00",
        },
        {"application_id": "a day later", "seller_id": "S1", "event_date": "2024-03-01", "known_at": "2024-01-01"},
        {
            "application_id": "recorded later",
            "seller_id": "S1",
            "event_date": DAY,
            "known_at": "2024-02-29",
            "recorded_at": "2024-06-01",
        },
    ],
)
BY_HAND = ["on the day", "known in another zone", "recorded later"]


@pytest.mark.parametrize(
    ("recorded_until", "expected"),
    [
        (None, BY_HAND),
        (dt.datetime(2024, 5, 31, tzinfo=dt.UTC), BY_HAND[:2]),
        (dt.datetime(2024, 6, 1, tzinfo=dt.UTC), BY_HAND),
    ],
)
def test_sql_and_arrow_see_the_same_rows(recorded_until: dt.datetime | None, expected: list[str]) -> None:
    as_of = AsOf(DAY, recorded_until)
    with DuckDbEngine() as engine:
        engine.load("application", ROWS)
        by_sql = engine.query(select(["application_id"], "application", where=as_of.condition()))
    assert by_sql["application_id"].to_pylist() == expected
    assert as_of.visible(ROWS)["application_id"].to_pylist() == expected


RECORDED = {"superseded_recorded_at": "2024-05-01"}
VERSIONS = canonical_table(
    "application",
    [
        {"application_id": "a", "seller_id": "S1", "row_version": version, "event_date": "2024-02-01", **told}
        for version, told in (
            (1, {"known_at": "2024-02-02", "recorded_at": "2024-04-01", "superseded_at": "2024-02-10", **RECORDED}),
            (2, {"known_at": "2024-02-10", "recorded_at": "2024-05-01", "superseded_at": "2024-03-01", **RECORDED}),
            (3, {"known_at": "2024-03-01", "recorded_at": "2024-05-01"}),
        )
    ],
)


@pytest.mark.parametrize(
    ("day", "recorded_until", "expected"),
    [
        ("2024-02-01", None, []),
        ("2024-02-09", None, [1]),
        ("2024-02-10", None, [2]),
        ("2024-02-29", None, [2]),
        ("2024-03-01", None, [3]),
        ("2024-02-10", "2024-04-30", [1]),
        ("2024-02-10", "2024-05-01", [2]),
        ("2024-03-31", "2024-05-01", [3]),
        ("2024-03-31", "2024-03-31", []),
    ],
)
def test_of_the_versions_of_a_row_the_last_known_and_recorded_is_seen(
    day: str, recorded_until: str | None, expected: list[int]
) -> None:
    until = None if recorded_until is None else dt.datetime.fromisoformat(recorded_until).replace(tzinfo=dt.UTC)
    as_of = AsOf(dt.date.fromisoformat(day), until)
    with DuckDbEngine() as engine:
        engine.load("application", VERSIONS)
        by_sql = engine.query(select(["row_version"], "application", where=as_of.condition()))
    assert by_sql["row_version"].to_pylist() == expected
    assert as_of.visible(VERSIONS)["row_version"].to_pylist() == expected


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        time_literal(dt.datetime(2024, 1, 1))


def test_the_engine_takes_plain_names_only_and_reads_no_files() -> None:
    with pytest.raises(ValueError, match="not a plain name"):
        quoted('loan"; DROP TABLE loan')
    with DuckDbEngine() as engine, pytest.raises(Exception, match=r"(?i)disabled|permission|external"):
        engine.query("SELECT * FROM read_csv('/etc/hostname')")
