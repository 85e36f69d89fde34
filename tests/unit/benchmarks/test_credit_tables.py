"""The comparison with peers reads tables as they are, and tests differences without claiming too much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from credit.comparison import compare, fold_measures, paired
from credit.page import lines
from credit.tables import TableFile, read_table

CHECKOUT = Path(__file__).resolve().parents[3]


def folds_of(auc: list[float]) -> list[dict[str, float]]:
    rest = dict.fromkeys(("ks", "h_measure", "brier", "log_loss", "calibration_slope", "cpu_seconds"), 0.5)
    return [{"auc": value, **rest} for value in auc]


def test_texts_and_codes_are_categories_and_gaps_stay(tmp_path: Path) -> None:
    file = tmp_path / "loans.csv"
    file.write_text("id;kind;code;income;bad\n1;shop;7;10;yes\n2;;8;n/a;no\n3;web;;30;no\n")
    table = read_table(
        TableFile("loans", file, "bad", "yes", ("id",), separator=";", missing=("n/a",), categories=("code",))
    )
    assert table.y.tolist() == [1, 0, 0]
    assert list(table.X.columns) == ["kind", "code", "income"]
    assert table.X["code"].tolist()[:2] == ["7", "8"]
    assert table.X.isna().sum().to_dict() == {"kind": 1, "code": 1, "income": 1}


def test_a_target_value_that_never_occurs_is_named_with_those_that_do(tmp_path: Path) -> None:
    file = tmp_path / "loans.csv"
    file.write_text("income,bad\n1,yes\n2,no\n")
    with pytest.raises(ValueError, match=r"bad of loans\.csv is 1 in 0 of 2 rows; its values: no, yes"):
        read_table(TableFile("loans", file, "bad", "1"))
    with pytest.raises(ValueError, match="has no column default; it has income, bad"):
        read_table(TableFile("loans", file, "default", "1"))


def test_shared_training_rows_widen_the_interval() -> None:
    differences = np.array([0.01, 0.02, 0.03, 0.02, 0.01])
    plain, corrected = paired(differences, 0.0), paired(differences, 0.25)
    assert plain.mean == corrected.mean == pytest.approx(0.018)
    assert corrected.high - corrected.low == pytest.approx(1.5 * (plain.high - plain.low))
    assert plain.p_value < corrected.p_value


def test_no_difference_at_all_has_probability_one() -> None:
    assert paired(np.zeros(5), 0.25).p_value == 1.0


def test_a_better_peer_has_a_positive_difference_and_the_first_rank() -> None:
    found = compare({"passport": folds_of([0.7, 0.71, 0.72]), "peer": folds_of([0.75, 0.77, 0.76])}, "passport", 0.25)
    assert found["peer"]["auc_better_than_ours"]["mean"] == pytest.approx(0.05)
    assert (found["peer"]["auc_rank"], found["passport"]["auc_rank"]) == (1.0, 2.0)
    assert found["peer"]["log_loss_rank"] == found["passport"]["log_loss_rank"] == 1.5


def test_the_slope_of_too_extreme_predictions_is_below_one() -> None:
    generator = np.random.default_rng(3)
    log_odds = generator.normal(-1, 1, 4000)
    y = (generator.random(4000) < 1 / (1 + np.exp(-log_odds))).astype(np.int64)
    measured = {k: fold_measures(y, 1 / (1 + np.exp(-k * log_odds)), 0.0)["calibration_slope"] for k in (1, 2)}
    assert measured[2] == pytest.approx(measured[1] / 2, rel=1e-3)
    assert measured[1] == pytest.approx(1, abs=0.15)


def test_the_page_says_what_the_committed_results_say() -> None:
    results: dict[str, Any] = json.loads((CHECKOUT / "benchmarks/results/credit_tables.json").read_text())
    assert (CHECKOUT / "docs/credit_tables.md").read_text(encoding="utf-8") == "\n".join(lines(results)) + "\n"
