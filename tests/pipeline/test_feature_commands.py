"""``passport features list``, ``show`` and ``explain`` as a user types them, after a finished run."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from pipelines.runs.publish import read_parquet
from tests.factories.small_run import PROFILE, FinishedRun
from tests.pipeline.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

FEATURE = "refund_share_worst_180d"


@pytest.fixture
def desk(small_run: FinishedRun, tmp_path: Path) -> Desk:
    return Desk(tmp_path, small_run.keys)


def test_the_list_names_every_feature_and_show_leads_down_to_the_tables(desk: Desk, small_run: FinishedRun) -> None:
    names = read_parquet(small_run.at("features") / "matrix.parquet").column_names[2:]
    listed = desk.type("features", "list", "--profile", PROFILE).stdout
    assert sorted(line.split()[0] for line in listed.splitlines() if line.startswith("  ")) == sorted(names)
    shown = desk.type("features", "show", FEATURE).stdout
    assert shown.startswith(f"{FEATURE}: ")
    assert "platform_sales_180d: sum(amount_usd) from money_event where event_type = 'sale' over 180 days" in shown
    sql = desk.type("features", "show", FEATURE, "--sql", "--as-of", "2024-12-31").stdout
    assert sql.startswith("WITH ")
    assert "DATE '2024-12-31'" in sql


def test_a_value_is_traced_to_the_rows_of_the_delivered_files(desk: Desk, small_run: FinishedRun) -> None:
    where = ("--profile", PROFILE, "--out", small_run.place.out)
    matrix = read_parquet(small_run.at("features") / "matrix.parquet").to_pylist()
    row = next(row for row in matrix if row["as_of"].isoformat() == "2024-12-31" and row[FEATURE])
    values = desk.type("features", "explain", row["seller_id"], *where).stdout.splitlines()
    assert values[0] == f"{row['seller_id']} as of 2024-12-31"
    assert any(line.split()[:2] == [FEATURE, f"{100 * row[FEATURE]:.3g}"] for line in values)
    saved = desk.folder / "rows.csv"
    traced = desk.type("features", "explain", row["seller_id"], "--feature", FEATURE, "--save", saved, *where).stdout
    assert traced.splitlines()[1].startswith(f"{FEATURE} = ")
    with saved.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sales = sum(float(one["amount_usd"]) for one in rows if one["quantity"] == "platform_sales_180d")
    refunds = sum(float(one["amount_usd"]) for one in rows if one["quantity"] == "platform_refunds_180d")
    assert -refunds / sales <= row[FEATURE] * (1 + 1e-9)
    assert all((small_run.at("world") / "raw" / one["source_file"]).is_file() for one in rows)


def test_what_is_not_there_is_refused_in_one_line(desk: Desk, small_run: FinishedRun) -> None:
    where = ("--profile", PROFILE, "--out", small_run.place.out)
    assert "is not in the feature matrix" in desk.refusal("features", "explain", "nobody", *where)
    assert "has no feature 'nonsense'" in desk.refusal(
        "features", "explain", "S000001", "--feature", "nonsense", *where
    )
    assert "was not observed as of 1999-01-01" in desk.refusal(
        "features", "explain", "S000001", "--as-of", "1999-01-01", *where
    )
    assert "--save needs one feature" in desk.refusal("features", "explain", "S000001", "--save", "a.csv", *where)
    assert "there is no pillar 'luck'" in desk.refusal("features", "list", "--pillar", "luck")
