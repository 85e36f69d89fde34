from __future__ import annotations

import datetime as dt

import pytest

from features.cut import Cut
from features.engine import DuckDbEngine, quoted
from features.sql_text import select, time_literal
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
    cut = Cut(DAY, recorded_until)
    with DuckDbEngine() as engine:
        engine.load("application", ROWS)
        by_sql = engine.query(select(["application_id"], "application", where=cut.condition()))
    assert by_sql["application_id"].to_pylist() == expected
    assert cut.visible(ROWS)["application_id"].to_pylist() == expected


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        time_literal(dt.datetime(2024, 1, 1))


def test_the_engine_takes_plain_names_only_and_reads_no_files() -> None:
    with pytest.raises(ValueError, match="not a plain name"):
        quoted('loan"; DROP TABLE loan')
    with DuckDbEngine() as engine, pytest.raises(Exception, match=r"(?i)disabled|permission|external"):
        engine.query("SELECT * FROM read_csv('/etc/hostname')")
