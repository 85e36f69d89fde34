from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from data_contracts.errors import ConfigurationRefused
from models.settings import LabelSettings
from models.training.labels import LABEL_SCHEMA, performance_labels, recorded_labels

SETTINGS = LabelSettings(data_until=dt.date(2024, 12, 31))
AS_OF = dt.date(2023, 6, 30)


def observations(*rows: tuple[str, dt.date]) -> pa.Table:
    return pa.table({"seller_id": [r[0] for r in rows], "as_of": pa.array([r[1] for r in rows], pa.date32())})


def defaults(*rows: tuple[str, dt.date, dt.date]) -> pa.Table:
    known = [dt.datetime.combine(r[2], dt.time(12), dt.UTC) for r in rows]
    return pa.table(
        {
            "seller_id": pa.array([r[0] for r in rows], pa.string()),
            "default_date": pa.array([r[1] for r in rows], pa.date32()),
            "known_at": pa.array(known, pa.timestamp("us", "UTC")),
        }
    )


def label_of(default_on: dt.date | None, as_of: dt.date = AS_OF, settings: LabelSettings = SETTINGS) -> list[int]:
    known = () if default_on is None else (("S1", default_on, default_on),)
    return performance_labels(observations(("S1", as_of)), defaults(*known), settings).table["label"].to_pylist()


def test_a_default_on_the_last_day_of_the_window_counts_and_one_day_later_does_not() -> None:
    assert label_of(AS_OF + dt.timedelta(days=365)) == [1]
    assert label_of(AS_OF + dt.timedelta(days=366)) == [0]


def test_a_default_the_day_after_counts_and_one_on_the_day_itself_leaves_the_sample() -> None:
    assert label_of(AS_OF + dt.timedelta(days=1)) == [1]
    assert label_of(AS_OF) == []


def test_no_default_is_good_only_once_the_window_is_over() -> None:
    last_mature = SETTINGS.data_until - dt.timedelta(days=365)
    assert label_of(None, last_mature) == [0]
    assert label_of(None, last_mature + dt.timedelta(days=1)) == []


def test_an_early_default_does_not_make_a_young_observation_mature() -> None:
    assert label_of(dt.date(2024, 10, 1), dt.date(2024, 9, 30)) == []


def test_reporting_lag_postpones_maturity() -> None:
    lagging = SETTINGS.model_copy(update={"reporting_lag_days": 30})
    assert label_of(None, SETTINGS.data_until - dt.timedelta(days=394), lagging) == []
    assert label_of(None, SETTINGS.data_until - dt.timedelta(days=395), lagging) == [0]


def test_every_observation_is_counted_once() -> None:
    seen = observations(
        ("good", AS_OF), ("bad", AS_OF), ("young", dt.date(2024, 3, 31)), ("old", AS_OF), ("bad", dt.date(2023, 9, 30))
    )
    events = defaults(
        ("bad", dt.date(2023, 8, 1), dt.date(2023, 8, 2)), ("old", dt.date(2022, 1, 1), dt.date(2022, 1, 2))
    )
    labels = performance_labels(seen, events, SETTINGS)
    assert labels.counts == {"good": 1, "bad": 1, "immature": 1, "in_default_before": 2}
    assert labels.table.schema == LABEL_SCHEMA
    assert labels.table.to_pylist() == [
        {"seller_id": "bad", "as_of": AS_OF, "label": 1},
        {"seller_id": "good", "as_of": AS_OF, "label": 0},
    ]


def test_a_default_unknown_when_the_data_ended_is_not_used() -> None:
    events = defaults(("S1", dt.date(2023, 8, 1), dt.date(2025, 1, 1)))
    assert performance_labels(observations(("S1", AS_OF)), events, SETTINGS).table["label"].to_pylist() == [0]


def test_a_repeated_observation_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="S1"):
        performance_labels(observations(("S1", AS_OF), ("S1", AS_OF)), defaults(), SETTINGS)


def test_recorded_outcomes_label_the_sellers_that_have_one() -> None:
    outcomes = [True, None, False, None, False, False]
    records = pa.table({"seller_id": [f"E{number}" for number in range(6)], "is_default": outcomes})
    labels = recorded_labels(records, AS_OF)
    assert labels.counts == {"good": 3, "bad": 1, "no_recorded_outcome": 2}
    assert labels.table["seller_id"].to_pylist() == ["E0", "E2", "E4", "E5"]
    assert labels.table["label"].to_pylist() == [1, 0, 0, 0]
    assert set(labels.table["as_of"].to_pylist()) == {AS_OF}


def test_a_reason_that_no_observation_has_is_counted_as_none() -> None:
    labels = performance_labels(observations(("S1", AS_OF)), defaults(), SETTINGS)
    assert labels.counts == {"good": 1, "bad": 0, "immature": 0, "in_default_before": 0}


def test_the_first_default_after_the_day_decides_whatever_comes_later() -> None:
    late = AS_OF + dt.timedelta(days=500)
    events = defaults(*(("S1", day, day) for day in (late, AS_OF + dt.timedelta(days=20))))
    assert performance_labels(observations(("S1", AS_OF)), events, SETTINGS).table["label"].to_pylist() == [1]


def test_a_default_reported_on_the_last_day_of_the_data_counts() -> None:
    event = ("S1", dt.date(2023, 8, 1), SETTINGS.data_until)
    assert performance_labels(observations(("S1", AS_OF)), defaults(event), SETTINGS).table["label"].to_pylist() == [1]


def test_a_refusal_of_repeated_rows_names_the_first_and_their_number() -> None:
    with pytest.raises(
        ConfigurationRefused, match=r"3 repeated observations, the first is seller_id S1, as_of 2023-06-30"
    ):
        performance_labels(observations(*[("S1", AS_OF)] * 3, *[("S2", AS_OF)] * 2), defaults(), SETTINGS)
    records = pa.table({"seller_id": ["E1", "E1"], "is_default": [True, None]})
    with pytest.raises(ConfigurationRefused, match="1 repeated credit records, the first is seller_id E1"):
        recorded_labels(records, AS_OF)


@pytest.mark.parametrize(("microseconds", "label"), [(-1, 1), (0, 0)])
def test_a_default_counts_if_it_was_known_by_the_end_of_the_last_day_of_the_data(microseconds: int, label: int) -> None:
    midnight = dt.datetime.combine(SETTINGS.data_until + dt.timedelta(days=1), dt.time(), dt.UTC)
    known = midnight + dt.timedelta(microseconds=microseconds)
    events = defaults(("S1", dt.date(2023, 8, 1), SETTINGS.data_until))
    events = events.set_column(2, "known_at", pa.array([known], events.schema.field("known_at").type))
    assert performance_labels(observations(("S1", AS_OF)), events, SETTINGS).table["label"].to_pylist() == [label]
